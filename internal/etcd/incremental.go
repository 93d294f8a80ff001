package etcd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/internal/fault"
)

// Bounds of an incremental proof.
const (
	maxChanged  = 20_000           // keys; with more a full proof is as quick
	watchSilent = 30 * time.Second // an etcd that has more to tell tells it sooner
	readAtOnce  = 5 * batch        // keys in memory at a time
)

// incremental compares what changed since the mark, and what was open then. It
// reports false when that cannot be done, with the reason in the proof.
func (p *prover) incremental(ctx context.Context) (done bool, err error) {
	sum, why := p.usable()
	if why == "" {
		if p.found, why, err = p.changes(ctx, sum); err != nil {
			return false, err
		}
	}
	if why != "" {
		p.proof.Why = why
		return false, nil
	}
	p.proof.Mode = Incremental
	return true, nil
}

// usable tells why the mark is of no use, "" when it is. A restored etcd may
// keep its cluster's id; but its term and its revision go back.
func (p *prover) usable() (sum digest, why string) {
	m := p.Since
	sum, ok := parseDigest(m.Digest)
	switch {
	case !m.Usable() || !ok:
		return sum, "there is no mark to go on from"
	case m.Rules != p.rules.print():
		return sum, "other keys are ignored than then"
	case m.Primary.ClusterID != p.ours.at.ClusterID:
		return sum, "the primary is another etcd than then, or was restored"
	case m.Standby.ClusterID != p.theirs.at.ClusterID:
		return sum, "the standby is another etcd than then, or was restored"
	case m.Primary.Term > p.ours.at.Term:
		return sum, "the primary was restored: its term went back"
	case m.Standby.Term > p.theirs.at.Term:
		return sum, "the standby was restored: its term went back"
	case m.Primary.Revision > p.ours.at.Revision:
		return sum, "the primary's revision went back"
	case m.Standby.Revision > p.theirs.at.Revision:
		return sum, "the standby's revision went back"
	}
	return sum, ""
}

// changed are the keys of one side that changed since a revision.
type changed struct {
	keys    map[string]bool
	ignored []int64 // by class
	why     string  // why they cannot be told
}

// changes follows both etcds from the mark to the pinned revisions and compares
// the keys that were written.
func (p *prover) changes(ctx context.Context, sum digest) (t *tally, why string, err error) {
	var ours, theirs changed
	group, within := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		ours, err = p.ours.since(within, p.Since.Primary.Revision, p.rules)
		return err
	})
	group.Go(func() (err error) {
		theirs, err = p.theirs.since(within, p.Since.Standby.Revision, p.rules)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, "", err
	}
	switch {
	case ours.why != "":
		return nil, "primary: " + ours.why, nil
	case theirs.why != "":
		return nil, "standby: " + theirs.why, nil
	}
	t = newTally(len(p.rules.classes))
	t.digest, t.primary, t.standby = sum, ours.ignored, theirs.ignored
	keys := maps.Clone(ours.keys)
	maps.Copy(keys, theirs.keys)
	for _, k := range p.Since.Open {
		keys[k] = true
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(keys)), readAtOnce) {
		err := p.part(ctx, t, part, ours.keys)
		if compacted(err) {
			return nil, "primary: " + tooOld, nil
		}
		if err != nil {
			return nil, "", err
		}
		p.Report(Progress{Text: "comparing changed keys", Done: int64(t.compared), Total: int64(len(keys))})
	}
	return t, "", nil
}

const tooOld = "etcd has dropped what happened since then"

// part compares some keys and brings the digest up to date.
func (p *prover) part(ctx context.Context, t *tally, keys []string, changed map[string]bool) error {
	before := p.ours
	before.at = p.Since.Primary
	ours, err := p.ours.pairs(ctx, keys)
	if err != nil {
		return err
	}
	theirs, err := p.theirs.pairs(ctx, keys)
	if err != nil {
		return err
	}
	old, err := before.pairs(ctx, slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !changed[k] }))
	if err != nil {
		return err
	}
	var buf []byte
	for _, key := range keys {
		kv, was := ours[key], old[key]
		var sum digest
		if was != nil {
			buf, sum = hashPair(buf, was.Key, was.Value)
			t.digest.subtract(sum)
		}
		if kv != nil && changed[key] {
			buf, sum = hashPair(buf, kv.Key, kv.Value)
			t.digest.add(sum)
		}
		t.compared++
		kind, alike := verdict(key, kv, theirs[key])
		if alike {
			t.alike++
		}
		if kind != "" {
			t.suspects = append(t.suspects, suspect{key: key, kind: kind, mod: modOf(kv)})
		}
	}
	return nil
}

// since follows the etcd from behind a revision to the pinned one. Every
// revision writes some key; so when all keys are watched, an event of the pinned
// revision says that nothing before it is missing.
func (s snapshot) since(ctx context.Context, rev int64, r rules) (changed, error) {
	out := changed{keys: map[string]bool{}, ignored: make([]int64, len(r.classes))}
	if rev >= s.at.Revision {
		return out, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := s.client.kv.Watch(ctx, "\x00", clientv3.WithFromKey(), clientv3.WithRev(rev+1), clientv3.WithFragment())
	silent := time.NewTimer(watchSilent)
	defer silent.Stop()
	for seen := rev; seen < s.at.Revision; {
		select {
		case answer, ok := <-events:
			switch {
			case ctx.Err() != nil:
				return out, s.client.fault(ctx, watching, ctx.Err())
			case !ok:
				return out, fault.New(fault.Protocol, watching, s.client.place, "", errors.New("the watch ended early"))
			case answer.CompactRevision != 0 || compacted(answer.Err()):
				out.why = tooOld
				return out, nil
			case answer.Err() != nil:
				return out, s.client.fault(ctx, watching, answer.Err())
			}
			seen = out.take(answer.Events, s.at.Revision, seen, r)
			if len(out.keys) > maxChanged {
				out.why = fmt.Sprintf("more than %d keys changed", maxChanged)
				return out, nil
			}
			silent.Reset(watchSilent)
		case <-silent.C:
			return out, fault.New(fault.Unreachable, watching, s.client.place, "look whether this etcd has a leader and enough disk speed",
				fmt.Errorf("it said nothing for %s though it has more to tell", watchSilent))
		case <-ctx.Done():
			return out, s.client.fault(ctx, watching, ctx.Err())
		}
	}
	return out, nil
}

const watching = "read what changed"

// take notes the keys of events up to the pinned revision and returns the last
// revision seen.
func (c *changed) take(events []*clientv3.Event, last, seen int64, r rules) int64 {
	for _, e := range events {
		seen = max(seen, e.Kv.ModRevision)
		if e.Kv.ModRevision > last || len(e.Kv.Key) < len(root) || string(e.Kv.Key[:len(root)]) != root {
			continue
		}
		key := string(e.Kv.Key)
		if class := r.class(key); class >= 0 {
			c.ignored[class]++
		} else {
			c.keys[key] = true
		}
	}
	return seen
}
