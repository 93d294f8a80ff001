package upload

import (
	"fmt"
	"sync"
	"time"
)

// block is a range of the file: one step, or the rest of it.
type block struct{ off, size int64 }

// blocks knows which ranges are on the node, and hands out the others.
type blocks struct {
	mu      sync.Mutex
	size    int64 // of the file
	step    int64
	done    []bool
	next    int // first block that was not handed out
	prefix  int // blocks done from the start without a gap
	resumed int64
	written int64 // confirmed by the node, with resumed
	sent    int64 // given to the connection by this attempt
	moved   time.Time
	grown   chan struct{} // closed and replaced when prefix grows
	gate    chan struct{} // closed when it is known which blocks are missing
	none    bool          // nothing needs to be sent after all
}

func newBlocks(size, step int64) *blocks {
	return &blocks{size: size, step: step, done: make([]bool, (size+step-1)/step), moved: time.Now(), grown: make(chan struct{}), gate: make(chan struct{})}
}

func (b *blocks) at(i int) block {
	off := int64(i) * b.step
	return block{off, min(b.step, b.size-off)}
}

// resume marks a journalled block; lines that fit no block are ignored, they
// were cut short.
func (b *blocks) resume(off, size int64) {
	i := int(off / b.step)
	if off < 0 || off%b.step != 0 || i >= len(b.done) || b.done[i] || b.at(i).size != size {
		return
	}
	b.mark(i)
	b.resumed += size
}

// mark is called with the lock held, or before anybody else knows b.
func (b *blocks) mark(i int) {
	b.done[i] = true
	b.written += b.at(i).size
	before := b.prefix
	for b.prefix < len(b.done) && b.done[b.prefix] {
		b.prefix++
	}
	if b.prefix > before {
		close(b.grown)
		b.grown = make(chan struct{})
	}
	b.moved = time.Now()
}

// confirm marks the block at off as written by the node.
func (b *blocks) confirm(off int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := int(off / b.step)
	if off < 0 || off%b.step != 0 || i >= len(b.done) || b.done[i] {
		return fmt.Errorf("the node confirms a block at %d that was not sent", off)
	}
	b.mark(i)
	return nil
}

// release opens the gate: what is missing may be handed out, or nothing.
func (b *blocks) release(missing bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.none, b.moved = !missing, time.Now()
	close(b.gate)
}

// take hands out the next missing block.
func (b *blocks) take() (block, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.none {
		return block{}, false
	}
	for ; b.next < len(b.done); b.next++ {
		if !b.done[b.next] {
			b.next++
			return b.at(b.next - 1), true
		}
	}
	return block{}, false
}

func (b *blocks) count(sent int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent += int64(sent)
	b.moved = time.Now()
}

// ready returns how far the file is complete from its start, whether that is
// all of it, and what closes when it grows.
func (b *blocks) ready() (upTo int64, all bool, grown <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return min(int64(b.prefix)*b.step, b.size), b.none || b.prefix == len(b.done), b.grown
}

func (b *blocks) progress() (p Progress, quiet time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Progress{Done: b.written, Sent: b.sent, Resumed: b.resumed, Total: b.size}, time.Since(b.moved)
}
