package ssh

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Bounds of a Pool.
const (
	maxConnections = 5000             // the least recently used idle one goes first
	maxDialing     = 32               // handshakes at the same time
	idleTime       = 10 * time.Minute // an unused connection is closed after this
	trustTime      = 5 * time.Second  // a connection idle for longer is probed before use
	probeTimeout   = 5 * time.Second
)

// Pool keeps connections for the life of a worker: one per target, shared by
// all activities, replaced when dead. A target that differs in anything, say a
// new password, gets a connection of its own. Targets behind the same jump
// host share one connection to it. It is safe for concurrent use.
type Pool struct {
	mu      sync.Mutex
	entries map[[32]byte]*entry
	dialing chan struct{}
	stop    chan struct{}
	once    sync.Once
}

// entry is a connection, or the attempt to make one.
type entry struct {
	ready  chan struct{} // closed when client or err is set
	client *Client
	err    error
	used   time.Time // guarded by Pool.mu
}

// ErrPoolClosed is returned by Get after Close.
var ErrPoolClosed = errors.New("the SSH connection pool is closed")

// NewPool starts an empty pool. Close it at the end.
func NewPool() *Pool {
	p := &Pool{entries: map[[32]byte]*entry{}, dialing: make(chan struct{}, maxDialing), stop: make(chan struct{})}
	go p.sweep()
	return p
}

// Get returns a live connection, which belongs to the pool: don't Close it.
// Errors are those of Dial.
func (p *Pool) Get(ctx context.Context, t Target) (*Client, error) {
	id := t.identity()
	for {
		e, mine, err := p.entry(id)
		if err != nil {
			return nil, err
		}
		if mine {
			p.dial(ctx, t, id, e)
			return e.client, e.err
		}
		select {
		case <-e.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if e.err == nil && p.alive(ctx, e) {
			return e.client, nil
		}
		if e.err != nil && !errors.Is(e.err, context.Canceled) && !errors.Is(e.err, context.DeadlineExceeded) {
			return nil, e.err // the attempt we waited for is as good as our own
		}
		p.drop(id, e)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// entry finds the entry or makes one that the caller must fill.
func (p *Pool) entry(id [32]byte) (e *entry, mine bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.stop:
		return nil, false, ErrPoolClosed
	default:
	}
	if e := p.entries[id]; e != nil {
		return e, false, nil
	}
	e = &entry{ready: make(chan struct{}), used: time.Now()}
	p.entries[id] = e
	return e, true, nil
}

func (p *Pool) dial(ctx context.Context, t Target, id [32]byte, e *entry) {
	e.client, e.err = p.connect(ctx, t)
	close(e.ready)
	if e.err != nil {
		p.drop(id, e)
		return
	}
	p.trim()
	if p.closed() { // Close did not see this one
		_ = e.client.Close()
	}
}

func (p *Pool) connect(ctx context.Context, t Target) (*Client, error) {
	if t.Jump == nil {
		if err := p.admit(ctx); err != nil {
			return nil, err
		}
		defer func() { <-p.dialing }()
		return dialDirect(ctx, t)
	}
	if err := t.validate(); err != nil {
		return nil, err
	}
	jump, err := p.Get(ctx, *t.Jump)
	if err != nil {
		return nil, throughJump(t, err)
	}
	if err := p.admit(ctx); err != nil {
		return nil, err
	}
	defer func() { <-p.dialing }()
	return dialThrough(ctx, jump, t)
}

// admit bounds the handshakes under way.
func (p *Pool) admit(ctx context.Context) error {
	select {
	case p.dialing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// alive reports whether a kept connection can be used, and marks it used.
func (p *Pool) alive(ctx context.Context, e *entry) bool {
	if e.client.ended() {
		return false
	}
	p.mu.Lock()
	idle := time.Since(e.used)
	e.used = time.Now()
	p.mu.Unlock()
	if idle < trustTime {
		return true
	}
	probe, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if e.client.ping(probe) == nil {
		return true
	}
	if ctx.Err() == nil {
		_ = e.client.Close() // dead: nothing to save
	}
	return false
}

func (p *Pool) drop(id [32]byte, e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.entries[id] == e {
		delete(p.entries, id)
	}
}

func (p *Pool) closed() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// Close closes every connection. Commands that still run fail.
func (p *Pool) Close() {
	p.once.Do(func() {
		p.mu.Lock()
		close(p.stop)
		p.mu.Unlock()
		p.each(func(_ [32]byte, e *entry) { _ = e.client.Close() })
	})
}

// each calls f for every connection there is.
func (p *Pool) each(f func([32]byte, *entry)) {
	p.mu.Lock()
	all := make(map[[32]byte]*entry, len(p.entries))
	for id, e := range p.entries {
		select {
		case <-e.ready:
			if e.client != nil {
				all[id] = e
			}
		default:
		}
	}
	p.mu.Unlock()
	for id, e := range all {
		f(id, e)
	}
}
