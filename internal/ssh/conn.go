package ssh

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// writeAhead is how much encrypted data may wait for the kernel. Encryption of
// the next packets then runs beside write(2), and thousands of small writes
// become a few big ones.
const writeAhead = 256 << 10

// quickReads is how many reads after a nudge acknowledge at once. An exec
// needs fewer than ten packets from the server.
const quickReads = 16

// wire is the TCP connection under an SSH connection.
//
// Writes are buffered and sent by one goroutine (an error shows at the next
// Write). Reads can acknowledge at once: sshd sends small packets under Nagle's
// algorithm, and a delayed acknowledgement costs 40 ms at every connect.
type wire struct {
	net.Conn
	quick   atomic.Int32
	heard   atomic.Int64 // when something was read last, Unix nanoseconds
	control func()       // sets TCP_QUICKACK; nil when the connection isn't TCP

	mu      sync.Mutex
	changed sync.Cond
	pending []byte
	spare   []byte
	err     error
	closed  bool
	drained chan struct{}
}

func newWire(conn net.Conn) *wire {
	w := &wire{Conn: conn, drained: make(chan struct{}), control: quickAck(conn)}
	w.changed.L = &w.mu
	w.nudge()
	go w.flush()
	return w
}

// nudge makes the next reads acknowledge at once.
func (w *wire) nudge() { w.quick.Store(quickReads) }

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	if w.control != nil && w.quick.Load() > 0 {
		w.quick.Add(-1)
		w.control()
	}
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.heard.Store(time.Now().UnixNano())
	}
	return n, err
}

// silence is how long nothing was read.
func (w *wire) silence() time.Duration { return time.Since(time.Unix(0, w.heard.Load())) }

// Write implements net.Conn; it blocks while writeAhead bytes are waiting.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) >= writeAhead && w.err == nil && !w.closed {
		w.changed.Wait()
	}
	if w.closed {
		return 0, net.ErrClosed
	}
	if w.err != nil {
		return 0, w.err
	}
	w.pending = append(w.pending, p...)
	w.changed.Broadcast()
	return len(p), nil
}

func (w *wire) flush() {
	defer close(w.drained)
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.pending) == 0 && !w.closed {
			w.changed.Wait()
		}
		if len(w.pending) == 0 || w.err != nil {
			return
		}
		out := w.pending
		w.pending = w.spare[:0]
		w.changed.Broadcast()
		w.mu.Unlock()
		_, err := w.Conn.Write(out)
		w.mu.Lock()
		w.spare = out
		if err != nil {
			w.err = err
			w.changed.Broadcast()
		}
	}
}

// Close sends what is waiting, for at most a second, and closes.
func (w *wire) Close() error {
	w.mu.Lock()
	w.closed = true
	w.changed.Broadcast()
	w.mu.Unlock()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-w.drained:
	case <-timer.C:
	}
	return w.Conn.Close()
}
