package etcd

import (
	"context"
	"strings"
)

// How many keys a band has. Bands are read in a few pages, so a band that is
// somewhat too large only costs a little.
const (
	bandLeast = 5_000
	bandMost  = 16_000
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
// step holds too much.
type planner struct {
	probe probe
	emit  func(band) error

	at    string // all before is planned
	key   string // a key at or behind at, to take steps from
	end   string
	start string // of the band being made
	keys  int64  // in it
	depth int    // the character to step in: key[depth-1]; 0 = to the end of the range
	width int    // letters to step on
	leap  int    // characters to go left after a step that found next to nothing
	large string // a prefix of at that holds too many keys for one band
}

// plan cuts from ≤ key < to.
func (p *planner) plan(ctx context.Context, from, to string) error {
	*p = planner{probe: p.probe, emit: p.emit, at: from, key: from, start: from, end: to, width: 1, leap: 1}
	for p.at < p.end {
		next := p.next()
		n, first, err := p.probe(ctx, p.at, next)
		if err != nil {
			return err
		}
		if n > bandMost {
			if err := p.flush(); err != nil {
				return err
			}
			p.narrow(first)
			continue
		}
		if p.keys+n > bandMost {
			if err := p.flush(); err != nil {
				return err
			}
		}
		p.take(next, n)
		if p.keys >= bandLeast {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	return p.flush()
}

// take makes a step part of the band and chooses the next one.
func (p *planner) take(next string, n int64) {
	p.at, p.key, p.keys = next, next, p.keys+n
	if !strings.HasPrefix(next, p.large) {
		p.large = ""
	}
	if p.depth = min(p.depth, len(next)); p.keys >= bandLeast {
		return // this step fits the names here
	}
	left := 0
	switch {
	case n > bandLeast/32:
		p.width *= 2
	case n <= few:
		left, p.leap = p.leap, min(2*p.leap, 8)
	default:
		left, p.leap = 1, 1
	}
	if p.width > 16 {
		left = 1
	}
	p.widen(left)
}

// widen takes the step so many characters further left, but not out of the
// prefix that is known to hold too much.
func (p *planner) widen(left int) {
	switch floor := len(p.large); {
	case left == 0:
	case p.depth-left > floor || floor == 0:
		p.depth, p.width = max(p.depth-left, 0), 1
	case p.depth > floor+1:
		p.depth, p.width = (p.depth+floor+1)/2, 1
	default:
		p.width *= 2
	}
}

// narrow chooses a smaller step from the first key that is there. Where a
// letter holds too much it begins with that key alone: growing walks over
// little, while halving the depth would walk over most of the range each time.
func (p *planner) narrow(first string) {
	p.key, p.leap = first, 1
	if p.width > 1 && p.depth > 0 {
		p.width = max(p.width/4, 1)
		return
	}
	p.large = first[:min(p.depth, len(first))]
	if p.depth < len(first) {
		p.depth, p.width = len(first), 1
	} else {
		p.depth, p.width = len(first)+1, 1
	}
}

// next is where the chosen step ends, never behind the range.
func (p *planner) next() string {
	next := p.end
	switch {
	case p.depth > len(p.key): // the key alone
		next = p.key + "\x00"
	case p.depth > 0:
		if c := int(p.key[p.depth-1]) + p.width; c <= 0xff {
			next = p.key[:p.depth-1] + string([]byte{byte(c)})
		} else {
			next = after(p.key[:p.depth-1])
		}
	}
	return min(next, p.end)
}

// flush gives the band away, unless it is empty. What lies between bands has no
// keys on the side that was probed, so the next band begins where this one did.
func (p *planner) flush() error {
	if p.at == p.start {
		return nil
	}
	if p.keys == 0 && p.at < p.end {
		return nil
	}
	b := band{from: p.start, to: p.at, keys: p.keys}
	p.start, p.keys = p.at, 0
	return p.emit(b)
}
