package etcd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"golang.org/x/sync/errgroup"
)

// Alike is a key that both sides have with other bytes of the same meaning; no
// proof counts it.
const Alike Kind = "alike"

// Difference is one key that the sides don't hold alike at the pinned revisions.
type Difference struct {
	Key     string
	Kind    Kind   // Missed, Surplus, Different or Alike
	Primary string // SHA-256 of the value there, 64 hex digits; "" = no such key
	Standby string // the same of the standby
	Created int64  // the standby's revision that the key was created at, 0 = it has none
}

// Divergence counts the differences of two sides.
type Divergence struct {
	Primary, Standby Position // pinned
	Compared         int64    // keys of either side, without the ignored ones
	Missed           int      // only on the primary
	Surplus          int      // only on the standby
	Different        int      // on both, with another meaning
	Alike            int
}

// Differ calls each for every key that the sides don't hold alike, in the order of
// the keys, whatever their number. Unlike a proof it looks once, so what is being
// written meanwhile is among them; and it leaves nothing out that a synchronizer
// would copy. It tells hashes of values, never values. Errors: as Prove's, and those
// of each.
func Differ(ctx context.Context, primary, standby *Client, report func(Progress), each func(Difference) error) (Divergence, error) {
	p := &prover{rules: newRules(nil), primary: primary, standby: standby}
	if err := p.pin(ctx); err != nil {
		return Divergence{}, err
	}
	d := &differ{prover: p, judge: judge{rules: p.rules}, each: each, out: Divergence{Primary: p.ours.at, Standby: p.theirs.at}}
	bands := make(chan band, workers)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(bands)
		return spread(ctx, p.ours, p.rules.areas(nil), bands)
	})
	group.Go(func() error {
		for b := range bands { // one after the other: the order counts
			if err := walk(ctx, &cursor{snapshot: p.ours, from: b.from, to: b.to}, &cursor{snapshot: p.theirs, from: b.from, to: b.to}, d.pair); err != nil {
				return err
			}
			if report != nil {
				report(Progress{Text: "comparing keys and values", Done: d.out.Compared})
			}
		}
		return nil
	})
	err := group.Wait()
	return d.out, err
}

type differ struct {
	*prover
	judge judge
	each  func(Difference) error
	out   Divergence
}

// pair looks at one key; one of the two may be nil.
func (d *differ) pair(p, s *mvccpb.KeyValue) error {
	there := p
	if there == nil {
		there = s
	}
	if d.judge.class(there.Key) >= 0 {
		return nil
	}
	d.out.Compared++
	if p != nil && s != nil && bytes.Equal(p.Value, s.Value) {
		return nil
	}
	kind, alike := verdict(string(there.Key), p, s)
	switch {
	case alike:
		kind = Alike
		d.out.Alike++
	case kind == Missed:
		d.out.Missed++
	case kind == Surplus:
		d.out.Surplus++
	default:
		d.out.Different++
	}
	return d.each(Difference{Key: string(there.Key), Kind: kind, Primary: hashOf(p), Standby: hashOf(s), Created: s.GetCreateRevision()})
}

func hashOf(kv *mvccpb.KeyValue) string {
	if kv == nil {
		return ""
	}
	sum := sha256.Sum256(kv.Value)
	return hex.EncodeToString(sum[:])
}
