package ssh

import (
	"context"
	"sync"
	"time"
)

// maxSessions is OpenSSH's default of MaxSessions: channels that run commands
// at the same time on one connection.
const maxSessions = 10

// slots bounds the sessions of a connection.
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

// refused gives back a slot that the server did not grant and waits a moment,
// or until another session ends. It returns how many others are open.
func (s *slots) refused(ctx context.Context, wait time.Duration) int {
	s.mu.Lock()
	s.used-- // without a signal: nothing became free
	others, free := s.used, s.free
	s.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-free:
	case <-timer.C:
	case <-ctx.Done():
	}
	return others
}

// busy is the number of open sessions.
func (s *slots) busy() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}
