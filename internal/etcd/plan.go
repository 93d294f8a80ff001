package etcd

import (
	"context"
	"strings"
)

// How many keys a band has. Bands are read in a few pages, so a band that is
// somewhat too large only costs a little.
const (
	bandLeast = 3_000
	bandMost  = 8_000
	few       = 3 // keys of a step that was far too short
)

// band is the range of keys from ≤ key < to.
type band struct {
	from, to string
	keys     int64
}

// probe counts the keys of a range and names the first one. To the server it
// costs about an eighth of reading them.
type probe func(ctx context.Context, from, to string) (keys int64, first string, err error)

// planner cuts a range of keys into bands without reading it. Pages of a large
// range would do it, too, but each page makes etcd walk the whole rest of the
// range for its count: a million keys take a minute that way. Names are dense
// in some places and sparse in others, so the planner feels its way: it goes on
// from a key by a step in one of its characters, widens the step (further left
// in the key, or more letters on) while little is found, and narrows it where a
// step holds too much. What such a step held is remembered and not counted again.
type planner struct {
	probe probe
	emit  func(band) error

	at    string  // all before is planned
	large []large // counted ranges that at lies in, each within the one before
	start string  // of the band being made
	keys  int64   // in it

	key   string // where the step begins: at, or the first key behind it
	depth int    // the character to step in: key[depth-1]
	width int    // letters to step on
	leap  int    // characters to go left after a step that found next to nothing
}

// large is what is left of a range that held too much for one band.
type large struct {
	end  string
	keys int64
}

// plan cuts from ≤ key < to.
func (p *planner) plan(ctx context.Context, from, to string) error {
	*p = planner{probe: p.probe, emit: p.emit, at: from, start: from}
	n, first, err := p.probe(ctx, from, to)
	if err != nil {
		return err
	}
	p.found(to, n, first)
	for len(p.large) > 0 {
		whole := p.large[len(p.large)-1]
		if whole.keys <= bandMost { // a step whose count is known
			if err := p.take(whole.end, whole.keys); err != nil {
				return err
			}
			continue
		}
		next := p.next(whole.end)
		n, first, err := p.probe(ctx, p.at, next)
		if err != nil {
			return err
		}
		if n > bandMost {
			p.found(next, n, first)
			continue
		}
		if err := p.take(next, n); err != nil {
			return err
		}
		p.adjust(n)
	}
	return p.flush()
}

// found remembers a range that is too large and goes on from its first key.
// Where it is far too large, or nearly all of what is around it, that begins
// with the key alone: growing walks over little, while halving the depth would
// walk over most of the range each time.
func (p *planner) found(end string, n int64, first string) {
	rest := int64(0) // of the range around it
	if len(p.large) > 0 {
		rest = p.large[len(p.large)-1].keys - n
	}
	p.large = append(p.large, large{end, n})
	if p.leap = 1; first != "" {
		p.key = first
	}
	switch {
	case n > 8*bandMost || rest < n/4:
		p.depth, p.width = len(p.key), 1
	case p.width > 1:
		p.width = max(p.width/4, 1)
	default:
		p.depth++
	}
}

// take makes a step part of a band.
func (p *planner) take(next string, n int64) error {
	if p.keys+n > bandMost {
		if err := p.flush(); err != nil {
			return err
		}
	}
	p.at, p.key, p.keys = next, next, p.keys+n
	for i := range p.large {
		p.large[i].keys -= n
	}
	for len(p.large) > 0 && p.large[len(p.large)-1].end <= next {
		p.large = p.large[:len(p.large)-1]
	}
	p.depth = min(p.depth, len(next))
	if p.keys >= bandLeast {
		return p.flush()
	}
	return nil
}

// adjust chooses the next step by what the last one found.
func (p *planner) adjust(n int64) {
	if p.keys == 0 && n > 0 || len(p.large) == 0 {
		return // it filled a band: it fits the names here
	}
	left := 1
	switch {
	case n > bandLeast/32 && p.width < 16:
		left = 0
	case n <= few:
		left, p.leap = p.leap, min(2*p.leap, 8)
	}
	end := p.large[len(p.large)-1].end
	for ; left > 0 && (p.depth-left < 1 || step(p.key, p.depth-left, 1) >= end); left-- {
		continue // that is known to hold too much
	}
	if left == 0 {
		p.width *= 2
		return
	}
	p.depth, p.width = p.depth-left, 1
}

// next is where the chosen step ends: before the end of what is known to hold
// too much for it.
func (p *planner) next(end string) string {
	for {
		next := step(p.key, p.depth, p.width)
		if next < end && next > p.at {
			return next
		}
		if p.width > 1 {
			p.width /= 2
		} else {
			p.depth++
		}
	}
}

// step is the key so many letters on in the character before depth; behind the
// last character it is the very next key.
func step(key string, depth, width int) string {
	if depth > len(key) {
		return key + strings.Repeat("\x00", depth-len(key))
	}
	if c := int(key[depth-1]) + width; c <= 0xff {
		return key[:depth-1] + string([]byte{byte(c)})
	}
	return after(key[:depth-1])
}

// flush gives the band away, unless it is empty.
func (p *planner) flush() error {
	if p.at == p.start {
		return nil
	}
	b := band{from: p.start, to: p.at, keys: p.keys}
	p.start, p.keys = p.at, 0
	return p.emit(b)
}
