package probe

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/probe/wire"
)

// Bounds of one probe.
const (
	reachMillis    = 3000 // patience with one port: a lost SYN is sent again after 1 s
	roundTrips     = 9
	parallelTiming = 8 // nodes that measure round trips at a time
	sendMillis     = 250
	sendBytes      = 64 << 20
	repeats        = 4 // of a measurement that is in doubt
	maxRepeated    = 40
)

// Doubt says which measurements are repeated before they are reported: a busy
// moment of a node is no property of the network. The better value counts.
type Doubt struct {
	RTT  float64 // milliseconds, above
	Rate float64 // Mbit/s, below
}

// sight is what one member saw of another.
type sight struct {
	pair
	seen  []wire.Seen // by address of the other
	err   error
	rtt   float64
	rate  float64
	notes []string
}

// survey is a mesh in the making.
type survey struct {
	fleet *Fleet
	doubt Doubt
	all   [][]*sight // by from, to; nil on the diagonal
}

// Mesh tries every port between all members, in both directions, and measures
// round trips and rates. It fails only when ctx ends.
func (f *Fleet) Mesh(ctx context.Context, doubt Doubt, progress func(string)) (checks.Mesh, error) {
	s := &survey{fleet: f, doubt: doubt, all: make([][]*sight, len(f.members))}
	for i := range f.members {
		s.all[i] = make([]*sight, len(f.members))
		for k := range f.members {
			if i != k {
				s.all[i][k] = &sight{pair: pair{i, k}}
			}
		}
	}
	progress("trying every port between the nodes")
	s.reach(ctx)
	progress("measuring round trips")
	s.measure(ctx)
	progress("measuring rates")
	sampled := s.transfer(ctx)
	if err := ctx.Err(); err != nil {
		return checks.Mesh{}, context.Cause(ctx)
	}
	m := s.result()
	m.Sampled = sampled
	return m, nil
}

func (s *survey) reach(ctx context.Context) {
	var all sync.WaitGroup
	for i, m := range s.fleet.members {
		if m.fault() != nil {
			continue
		}
		all.Go(func() { s.reachFrom(ctx, i) })
	}
	all.Wait()
}

func (s *survey) reachFrom(ctx context.Context, from int) {
	var targets []wire.Target
	var sights []*sight
	for to, other := range s.fleet.members {
		if to == from || other.fault() != nil {
			continue
		}
		for _, address := range other.Addresses {
			targets = append(targets, other.target(address))
			sights = append(sights, s.all[from][to])
		}
	}
	answer, err := s.fleet.members[from].agent.Ask(ctx, wire.Order{Reach: &wire.Reach{Targets: targets, Millis: reachMillis}})
	if err == nil && len(answer.Seen) != len(targets) {
		err = errors.New("the probe agent answered for other targets")
	}
	for i, at := range sights {
		if at.err = err; err == nil {
			at.seen = append(at.seen, answer.Seen[i])
		}
	}
}

// measurable is the other as a target of measurements: one port that was reached.
func (s *survey) measurable(at *sight) (wire.Target, bool) {
	if at == nil || at.err != nil || len(at.seen) == 0 || len(at.seen[0].Reached) == 0 {
		return wire.Target{}, false
	}
	to := s.fleet.members[at.to]
	return wire.Target{Node: to.Name, Address: to.Addresses[0], TCP: at.seen[0].Reached[:1]}, true
}

func (s *survey) measure(ctx context.Context) {
	var group errgroup.Group
	group.SetLimit(parallelTiming)
	for from := range s.fleet.members {
		group.Go(func() error {
			s.timeTrips(ctx, from, s.all[from])
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	for range repeats {
		for from, row := range s.all { // one after the other: nobody disturbs anybody
			var slow []*sight
			for _, at := range row {
				if at != nil && at.rtt > s.doubt.RTT && len(slow) < maxRepeated {
					slow = append(slow, at)
				}
			}
			s.timeTrips(ctx, from, slow)
		}
	}
}

func (s *survey) timeTrips(ctx context.Context, from int, row []*sight) {
	var targets []wire.Target
	var sights []*sight
	for _, at := range row {
		if t, ok := s.measurable(at); ok {
			targets, sights = append(targets, t), append(sights, at)
		}
	}
	if len(targets) == 0 {
		return
	}
	answer, err := s.fleet.members[from].agent.Ask(ctx, wire.Order{Measure: &wire.Measure{Targets: targets, Rounds: roundTrips}})
	if err != nil || len(answer.Seen) != len(targets) {
		return // not measured, which the rule reports
	}
	for i, at := range sights {
		if rtt := answer.Seen[i].RTT; rtt > 0 && (at.rtt == 0 || rtt < at.rtt) {
			at.rtt = rtt
		}
	}
}

func (s *survey) transfer(ctx context.Context) (sampled bool) {
	rounds, sampled := transfers(len(s.fleet.members))
	var tried []*sight
	for _, round := range rounds {
		var all sync.WaitGroup
		for _, p := range round {
			at := s.all[p.from][p.to]
			tried = append(tried, at)
			all.Go(func() { s.send(ctx, at) })
		}
		all.Wait()
	}
	again := 0
	for _, at := range tried {
		for i := 0; i < repeats && at.rate < s.doubt.Rate && again < maxRepeated; i++ {
			s.send(ctx, at)
			again++
		}
	}
	return sampled
}

func (s *survey) send(ctx context.Context, at *sight) {
	target, ok := s.measurable(at)
	if !ok {
		return
	}
	order := wire.Send{Target: target, Millis: sendMillis, Bytes: sendBytes}
	answer, err := s.fleet.members[at.from].agent.Ask(ctx, wire.Order{Send: &order})
	at.notes = nil
	if err != nil {
		at.notes = []string{"transfer: " + short(err)}
	}
	at.rate = max(at.rate, answer.Sent.Rate())
}

func (s *survey) result() checks.Mesh {
	m := checks.Mesh{Measured: time.Now().UTC(), Pairs: []checks.Pair{}}
	for i, from := range s.fleet.members {
		if err := from.fault(); err != nil {
			if m.Silent == nil {
				m.Silent = map[string]string{}
			}
			m.Silent[from.Name] = short(err)
		}
		m.IPIP = m.IPIP || from.Ports.IPIP
		if len(from.taken) > 0 {
			if m.Taken == nil {
				m.Taken = map[string][]string{}
			}
			m.Taken[from.Name] = describe(from.taken)
		}
		for k := range s.fleet.members {
			if i != k {
				m.Pairs = append(m.Pairs, s.pair(s.all[i][k]))
			}
		}
	}
	return m
}

func (s *survey) pair(at *sight) checks.Pair {
	from, to := s.fleet.members[at.from], s.fleet.members[at.to]
	p := checks.Pair{From: from.Name, To: to.Name}
	for _, end := range []*member{from, to} { // also one that died on the way
		if end.fault() != nil {
			p.Error = "no probe agent on " + end.Name
			return p
		}
	}
	if at.err != nil || len(at.seen) == 0 {
		p.Error = "not tried"
		if at.err != nil {
			p.Error = short(at.err)
		}
		return p
	}
	answers, pings := 0, 0
	for i, seen := range at.seen {
		for _, text := range blocked(seen) {
			if i > 0 {
				text = to.Addresses[i] + " " + text
			}
			p.Blocked = append(p.Blocked, text)
		}
		answers += len(seen.Reached) + seen.Others
		if seen.Ping {
			pings++
		}
	}
	p.Reached, p.NoPing = answers, answers > 0 && pings < len(at.seen)
	p.Rate = math.Round(at.rate)
	if at.rtt > 0 { // 0 would mean that it was not measured
		p.RTT = max(math.Round(at.rtt*100)/100, 0.01)
	}
	p.Unknown = at.notes
	return p
}
