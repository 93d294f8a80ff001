package sshtest

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// inFlight bounds what a Proxy holds per direction, in bytes. A line of
// 50 ms needs far less at the speeds measured here; without a bound a proxy
// would hide the sender's windows.
const inFlight = 16 << 20

// Proxy forwards TCP connections to an address, delaying, counting and
// cutting them.
type Proxy struct {
	Addr     string // where it listens
	ToServer atomic.Int64
	Limit    atomic.Int64 // cut all connections once ToServer reaches this; 0 = never

	target   string
	delay    time.Duration
	listener net.Listener
	mu       sync.Mutex
	open     map[net.Conn]bool
}

// NewProxy starts a proxy that adds delay in each direction: RTT = 2 × delay.
func NewProxy(target string, delay time.Duration) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, delay: delay, listener: l, open: map[net.Conn]bool{}}
	go p.accept()
	return p, nil
}

// Close stops listening and cuts everything.
func (p *Proxy) Close() {
	_ = p.listener.Close() // the accept loop ends
	p.Cut()
}

// Cut ends all connections at once, as a pulled cable would show after a time-out.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
		delete(p.open, c)
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(client)
	}
}

func (p *Proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.open[client], p.open[server] = true, true
	p.mu.Unlock()
	go p.pipe(server, client, &p.ToServer)
	go p.pipe(client, server, new(atomic.Int64))
}

type packet struct {
	data []byte
	due  time.Time
}

// pipe reads, lets every piece age, and writes.
func (p *Proxy) pipe(to, from net.Conn, count *atomic.Int64) {
	queue := make(chan packet, inFlight/(32<<10))
	go func() {
		defer close(queue)
		for {
			buf := make([]byte, 32<<10)
			n, err := from.Read(buf)
			if n > 0 {
				queue <- packet{buf[:n], time.Now().Add(p.delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for pkt := range queue {
		time.Sleep(time.Until(pkt.due))
		if _, err := to.Write(pkt.data); err != nil {
			_ = from.Close() // ends the reader; the loop drains
			continue
		}
		if total, limit := count.Add(int64(len(pkt.data))), p.Limit.Load(); limit > 0 && count == &p.ToServer && total >= limit {
			p.Cut()
		}
	}
	_ = to.Close()
	_ = from.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, to)
	delete(p.open, from)
}
