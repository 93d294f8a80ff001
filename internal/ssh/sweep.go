package ssh

import "time"

// sweep closes connections nobody used for a while and forgets dead ones.
func (p *Pool) sweep() {
	ticker := time.NewTicker(idleTime / 10)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-ticker.C:
			p.closeIdle(now.Add(-idleTime))
		}
	}
}

// closeIdle closes what was not used since the given time and runs nothing.
func (p *Pool) closeIdle(since time.Time) {
	p.each(func(id [32]byte, e *entry) {
		p.mu.Lock()
		old := e.used.Before(since)
		p.mu.Unlock()
		if e.client.ended() || old && e.client.idle() {
			p.drop(id, e)
			_ = e.client.Close()
		}
	})
}

// trim keeps the pool within its bound. When everything is busy it grows
// rather than break work.
func (p *Pool) trim() {
	for {
		p.mu.Lock()
		over := len(p.entries) - maxConnections
		p.mu.Unlock()
		if over <= 0 {
			return
		}
		id, e := p.oldestIdle()
		if e == nil {
			return
		}
		p.drop(id, e)
		_ = e.client.Close()
	}
}

func (p *Pool) oldestIdle() (oldest [32]byte, found *entry) {
	p.each(func(id [32]byte, e *entry) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if e.client.idle() && (found == nil || e.used.Before(found.used)) {
			oldest, found = id, e
		}
	})
	return oldest, found
}
