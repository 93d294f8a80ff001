package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/acpflow/acpflow/internal/probe/wire"
)

// maxConnections is what one agent serves at a time; more are closed at once.
const maxConnections = 2048

// How long a connection may last, and how long the receiver of a transfer counts.
const (
	connectionTime = 15 * time.Second
	countTime      = time.Second
	slowStart      = 50 * time.Millisecond // of a transfer, not counted
)

type listener = net.Listener

// listen opens all ports and returns those that somebody else has. It never
// takes a port away from anybody.
func (a *agent) listen(order wire.Listen) []wire.Fault {
	a.me = order
	var busy []wire.Fault
	for _, port := range order.TCP {
		l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err != nil {
			busy = append(busy, taken("tcp", port, err))
			continue
		}
		a.mu.Lock()
		a.tcp[port] = l
		a.mu.Unlock()
		go a.accept(l, port)
	}
	for _, port := range order.UDP {
		for _, address := range order.Addresses {
			// Bound to the address itself, or answers may leave from another one.
			c, err := net.ListenPacket("udp", net.JoinHostPort(address, strconv.Itoa(port)))
			if errors.Is(err, syscall.EADDRNOTAVAIL) { // the node is behind a translated address
				c, err = net.ListenPacket("udp", ":"+strconv.Itoa(port))
			}
			if err != nil {
				busy = append(busy, taken("udp", port, err))
				continue
			}
			go a.answerUDP(c, port)
		}
	}
	if order.IPIP {
		busy = append(busy, a.listenIPIP()...)
	}
	return busy
}

func taken(network string, port int, err error) wire.Fault {
	cause := wire.Cause(err)
	if errors.Is(err, syscall.EADDRINUSE) {
		cause = "in use" + owner(network, port)
	}
	return wire.Fault{Network: network, Port: port, Cause: cause}
}

func (a *agent) release(ports []int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, port := range ports {
		if l := a.tcp[port]; l != nil {
			_ = l.Close() // it listens no longer, whatever that says
			delete(a.tcp, port)
		}
	}
}

func (a *agent) accept(l net.Listener, port int) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors for a moment
			time.Sleep(10 * time.Millisecond)
			continue
		}
		select {
		case a.slots <- struct{}{}:
			go func() {
				defer func() { <-a.slots }()
				a.serve(conn, port)
			}()
		default:
			_ = conn.Close()
		}
	}
}

// serve answers an agent's greeting, and the health checks of balancers that
// speak HTTP: without them such a balancer would forward nothing. Anybody else
// gets nothing.
func (a *agent) serve(conn net.Conn, port int) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(connectionTime)) // TCP has deadlines
	r := bufio.NewReaderSize(conn, 256<<10)
	question, err := wire.ReadLine(r)
	if err != nil {
		return
	}
	answer, mode, ok := wire.Reply(a.me.Token, question, wire.Peer{Node: a.me.Node, Port: port})
	if !ok {
		if isHTTP(question) {
			_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
		return
	}
	if _, err := io.WriteString(conn, answer); err != nil {
		return
	}
	switch mode {
	case wire.ModeEcho:
		_, _ = io.Copy(conn, r) // until the caller has enough
	case wire.ModeSink:
		count(conn, r)
	}
}

func isHTTP(line string) bool {
	method, _, _ := strings.Cut(line, " ")
	return method == "GET" || method == "HEAD" || method == "OPTIONS"
}

// count receives for a while, tells how much came, and drains the rest so that
// the answer isn't lost with a reset.
func count(conn net.Conn, r io.Reader) {
	buf := make([]byte, 256<<10)
	var total, early int64
	var begin, settled, last time.Time
	for {
		n, err := r.Read(buf)
		now := time.Now()
		if begin.IsZero() {
			begin, settled = now, now
		}
		if total += int64(n); n > 0 {
			last = now
		}
		if now.Sub(begin) < slowStart {
			early, settled = total, now
		}
		if err != nil || now.Sub(begin) > countTime {
			break
		}
	}
	sent := wire.Sent{Bytes: total - early, Micros: last.Sub(settled).Microseconds()}
	switch {
	case total == 0:
		sent = wire.Sent{}
	case last.Sub(begin) < 2*slowStart: // over before the line was full
		sent = wire.Sent{Bytes: total, Micros: max(last.Sub(begin).Microseconds(), 1)}
	}
	_, _ = io.WriteString(conn, strconv.FormatInt(sent.Bytes, 10)+" "+strconv.FormatInt(sent.Micros, 10)+"\n")
	_, _ = io.Copy(io.Discard, r)
}

func (a *agent) answerUDP(c net.PacketConn, port int) {
	receive(c, func(packet []byte, from net.Addr) {
		if answer, _, ok := wire.Reply(a.me.Token, string(packet), wire.Peer{Node: a.me.Node, Port: port}); ok {
			_, _ = c.WriteTo([]byte(answer), from) // lost answers are asked for again
		}
	})
}

// receive hands on every packet until the socket is closed.
func receive(c net.PacketConn, handle func(packet []byte, from net.Addr)) {
	buf := make([]byte, 2048)
	for {
		n, from, err := c.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // of an earlier answer, or lasting: no hot loop
			time.Sleep(10 * time.Millisecond)
			continue
		}
		handle(buf[:n], from)
	}
}
