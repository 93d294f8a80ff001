package ssh

import (
	"net"
	"os"
	"sync"
	"time"
)

// stream adds to a channel what net.Conn promises and SSH channels lack:
// deadlines. One that passes closes the stream for good, which is all that
// TLS, HTTP and gRPC clients use them for.
type stream struct {
	net.Conn
	onClose func()
	once    sync.Once

	mu      sync.Mutex
	read    *time.Timer
	write   *time.Timer
	expired bool
}

func newStream(conn net.Conn, onClose func()) *stream { return &stream{Conn: conn, onClose: onClose} }

// Close implements net.Conn.
func (s *stream) Close() error {
	err := s.Conn.Close()
	s.once.Do(func() {
		_ = s.SetDeadline(time.Time{}) // stops the timers
		s.onClose()
	})
	return err
}

// Read implements net.Conn.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	return n, s.explain(err)
}

// Write implements net.Conn.
func (s *stream) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	return n, s.explain(err)
}

func (s *stream) explain(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.expired {
		return os.ErrDeadlineExceeded
	}
	return err
}

// SetDeadline implements net.Conn.
func (s *stream) SetDeadline(t time.Time) error {
	s.arm(&s.read, t)
	s.arm(&s.write, t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (s *stream) SetReadDeadline(t time.Time) error { s.arm(&s.read, t); return nil }

// SetWriteDeadline implements net.Conn.
func (s *stream) SetWriteDeadline(t time.Time) error { s.arm(&s.write, t); return nil }

func (s *stream) arm(timer **time.Timer, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *timer != nil {
		(*timer).Stop()
		*timer = nil
	}
	if !t.IsZero() {
		*timer = time.AfterFunc(time.Until(t), s.expire)
	}
}

func (s *stream) expire() {
	s.mu.Lock()
	s.expired = true
	s.mu.Unlock()
	_ = s.Close() // the waiting Read or Write returns
}
