package ssh

import (
	"context"
	"sync"
)

// maxSessions is OpenSSH's default of MaxSessions: channels that run commands
// at the same time on one connection.
const maxSessions = 10

// slots bounds the sessions of a connection. The bound shrinks when a server
// turns out to allow fewer.
type slots struct {
	mu    sync.Mutex
	limit int
	used  int
	free  chan struct{} // closed and replaced whenever a slot is given back
}

func newSlots(limit int) *slots { return &slots{limit: limit, free: make(chan struct{})} }

// take waits for a slot.
func (s *slots) take(ctx context.Context, dead <-chan struct{}) error {
	for {
		s.mu.Lock()
		if s.used < s.limit {
			s.used++
			s.mu.Unlock()
			return nil
		}
		free := s.free
		s.mu.Unlock()
		select {
		case <-free:
		case <-dead:
			return errNoAnswer
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	close(s.free)
	s.free = make(chan struct{})
}

// shrink gives a slot back that the server refused, and reports whether
// waiting for another session to end makes sense.
func (s *slots) shrink() bool {
	s.give()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used > 0 {
		s.limit = s.used
	}
	return s.used > 0
}

// busy is the number of open sessions.
func (s *slots) busy() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}
