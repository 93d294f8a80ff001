package etcd

import (
	"bytes"
	"context"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"golang.org/x/sync/errgroup"
)

// workers read bands at the same time. One request keeps one core of an etcd
// busy, and an API server wants its share of them.
const workers = 4

// Progress is how far a proof is.
type Progress struct {
	Text  string
	Done  int64 // keys
	Total int64 // 0 = unknown
}

// tally is what comparing keys found; a band has one of its own.
type tally struct {
	compared int
	alike    int
	digest   digest
	suspects []suspect
	beyond   map[crowd]*suspect // of the suspects that were too many: one per resource and kind
	primary  []int64            // ignored keys by class
	standby  []int64
}

func newTally(classes int) *tally {
	return &tally{beyond: map[crowd]*suspect{}, primary: make([]int64, classes), standby: make([]int64, classes)}
}

func (t *tally) add(o *tally) {
	t.compared += o.compared
	t.alike += o.alike
	t.digest.add(o.digest)
	t.suspects = append(t.suspects, o.suspects...)
	for _, s := range t.suspects[min(len(t.suspects), maxSuspects):] {
		t.crowd(s)
	}
	t.suspects = t.suspects[:min(len(t.suspects), maxSuspects)]
	for i := range t.primary {
		t.primary[i] += o.primary[i]
		t.standby[i] += o.standby[i]
	}
}

// maxSuspects is how many differing keys are looked at twice. More is no live
// traffic, and names of a million keys would not fit.
const maxSuspects = 20_000

// suspect is a key that differs so far.
type suspect struct {
	key   string
	kind  Kind
	mod   int64 // of the primary's value
	times int   // stands for so many keys of its resource; 0 = for itself
}

// crowd are suspects of one resource that differ in the same way.
type crowd struct {
	resource string
	kind     Kind
}

// crowd counts a suspect instead of keeping it.
func (t *tally) crowd(s suspect) {
	id := crowd{parseKey(s.key).kind(), s.kind}
	if t.beyond[id] == nil {
		t.beyond[id] = &s
	}
	t.beyond[id].times++
}

// comparison reads both sides at their pinned revisions.
type comparison struct {
	primary, standby snapshot
	rules            rules
	report           func(Progress)

	mu    sync.Mutex
	total *tally
	done  int64
}

func newComparison(primary, standby snapshot, r rules, report func(Progress)) *comparison {
	return &comparison{primary: primary, standby: standby, rules: r, report: report, total: newTally(len(r.classes))}
}

// all compares the areas band by band.
func (c *comparison) all(ctx context.Context, areas []area) error {
	bands := make(chan band, workers)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(bands)
		return spread(ctx, c.primary, areas, bands)
	})
	for range workers {
		group.Go(func() error {
			for b := range bands {
				if err := c.band(ctx, b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// spread cuts the areas into bands.
func spread(ctx context.Context, s snapshot, areas []area, bands chan<- band) error {
	p := planner{probe: s.probe, emit: func(b band) error {
		select {
		case bands <- b:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}}
	for _, a := range areas {
		if err := p.plan(ctx, a.from, a.to); err != nil {
			return err
		}
	}
	return nil
}

// band compares one band and adds what was found.
func (c *comparison) band(ctx context.Context, b band) error {
	t := newTally(len(c.rules.classes))
	err := merge(ctx, &cursor{snapshot: c.primary, from: b.from, to: b.to}, &cursor{snapshot: c.standby, from: b.from, to: b.to}, c.rules, t)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.add(t)
	c.done += b.keys
	c.report(Progress{Text: "comparing keys and values", Done: c.done})
	return nil
}

// walk gives each key of either side in order, with what both sides have of it;
// nil is what a side has not.
func walk(ctx context.Context, primary, standby *cursor, each func(p, s *mvccpb.KeyValue) error) error {
	first, _ := errgroup.WithContext(ctx) // both etcds work at the same time
	for _, c := range []*cursor{primary, standby} {
		first.Go(func() error { _, err := c.peek(ctx); return err })
	}
	if err := first.Wait(); err != nil {
		return err
	}
	for {
		p, err := primary.peek(ctx)
		if err != nil {
			return err
		}
		s, err := standby.peek(ctx)
		if err != nil {
			return err
		}
		if p == nil && s == nil {
			return nil
		}
		order := orderOf(p, s)
		if order <= 0 {
			primary.step()
		} else {
			p = nil
		}
		if order >= 0 {
			standby.step()
		} else {
			s = nil
		}
		if err := each(p, s); err != nil {
			return err
		}
	}
}

// merge compares what both sides have.
func merge(ctx context.Context, primary, standby *cursor, r rules, t *tally) error {
	ours, theirs, buf := judge{rules: r}, judge{rules: r}, []byte(nil)
	return walk(ctx, primary, standby, func(p, s *mvccpb.KeyValue) error {
		switch {
		case s == nil:
			buf = t.only(&ours, p, Missed, buf)
		case p == nil:
			buf = t.only(&theirs, s, Surplus, buf)
		default:
			buf = t.both(&ours, p, s, buf)
		}
		return nil
	})
}

// orderOf is like bytes.Compare of the keys; what isn't there comes last.
func orderOf(p, s *mvccpb.KeyValue) int {
	switch {
	case p == nil:
		return 1
	case s == nil:
		return -1
	}
	return bytes.Compare(p.Key, s.Key)
}

// only counts a key that one side has.
func (t *tally) only(j *judge, kv *mvccpb.KeyValue, kind Kind, buf []byte) []byte {
	class := j.class(kv.Key)
	switch {
	case class >= 0 && kind == Missed:
		t.primary[class]++
		return buf
	case class >= 0:
		t.standby[class]++
		return buf
	}
	t.compared++
	found := suspect{key: string(kv.Key), kind: kind}
	if kind == Missed {
		found.mod = kv.ModRevision
		var sum digest
		buf, sum = hashPair(buf, kv.Key, kv.Value)
		t.digest.add(sum)
	}
	t.suspects = append(t.suspects, found)
	return buf
}

// both counts a key that both sides have.
func (t *tally) both(j *judge, p, s *mvccpb.KeyValue, buf []byte) []byte {
	if class := j.class(p.Key); class >= 0 {
		t.primary[class]++
		t.standby[class]++
		return buf
	}
	t.compared++
	var sum digest
	buf, sum = hashPair(buf, p.Key, p.Value)
	t.digest.add(sum)
	if bytes.Equal(p.Value, s.Value) {
		return buf
	}
	if key := string(p.Key); sameMeaning(key, p.Value, s.Value) {
		t.alike++
	} else {
		t.suspects = append(t.suspects, suspect{key: key, kind: Different, mod: p.ModRevision})
	}
	return buf
}
