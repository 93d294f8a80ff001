package etcd

import (
	"bytes"
	"context"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// How often suspects are looked at again, and how many old values of a key are
// tried.
const (
	firstLook   = 250 * time.Millisecond
	slowestLook = 4 * time.Second
	maxHistory  = 64
)

// settling tells drift from traffic. A synchronizer is always a little behind;
// so a key counts as drift only when it still differs although its value on the
// primary has stood unchanged for the whole patience.
type settling struct {
	primary, standby *Client
	patience         time.Duration
	report           func(Progress)

	began   time.Time
	rev     int64 // of the primary at the first look
	open    []*watchedKey
	moving  []string // settled as traffic
	drift   []suspect
	alike   int
	looked  int
	current [2]snapshot
}

// watchedKey is a suspect and since when it has been as it is.
type watchedKey struct {
	suspect
	since time.Time
}

// settle looks at the suspects until each is either gone, drift, or traffic.
func (s *settling) settle(ctx context.Context, suspects []suspect) error {
	for _, k := range suspects {
		s.open = append(s.open, &watchedKey{suspect: k, since: s.began})
	}
	pause := firstLook
	for len(s.open) > 0 {
		wait := pause
		if left := time.Until(s.began.Add(s.patience)); left > 0 || s.looked == 0 {
			wait = max(min(wait, left), 0) // the patience may be over when a long read ends
		}
		pause = min(2*pause, slowestLook)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
		last := time.Since(s.began) > 3*s.patience
		if err := s.look(ctx, last); err != nil {
			return err
		}
		s.report(Progress{Text: "looking again at keys that differ", Done: int64(s.looked - len(s.open)), Total: int64(s.looked)})
	}
	return nil
}

// look reads the open keys at fresh revisions, some at a time: their values must
// fit into memory.
func (s *settling) look(ctx context.Context, last bool) error {
	s.looked = max(s.looked, len(s.open))
	var still []*watchedKey
	for part := range slices.Chunk(s.open, readAtOnce) {
		keys := make([]string, len(part))
		for i, k := range part {
			keys[i] = k.key
		}
		ours, theirs, err := s.both(ctx, keys)
		if err != nil {
			return err
		}
		for _, k := range part {
			open, err := s.judge(ctx, k, ours[k.key], theirs[k.key], last)
			if err != nil {
				return err
			}
			if open {
				still = append(still, k)
			}
		}
	}
	s.open = still
	return nil
}

// judge decides about one key, or leaves it open.
func (s *settling) judge(ctx context.Context, k *watchedKey, p, t *mvccpb.KeyValue, last bool) (open bool, err error) {
	kind, alike := verdict(k.key, p, t)
	if alike {
		s.alike++
	}
	if kind == "" {
		return false, nil
	}
	now := time.Now()
	if kind != k.kind || modOf(p) != k.mod {
		k.kind, k.mod, k.since = kind, modOf(p), now
	}
	if now.Sub(k.since) >= s.patience {
		s.drift = append(s.drift, k.suspect)
		return false, nil
	}
	follows, err := s.follows(ctx, k, p, t, last)
	switch {
	case err != nil:
		return false, err
	case follows:
		s.moving = append(s.moving, k.key)
	case last:
		s.drift = append(s.drift, k.suspect)
	}
	return !follows && !last, nil
}

// both reads keys on both sides at fresh revisions, the standby's first: what
// it holds then, the primary has had before.
func (s *settling) both(ctx context.Context, keys []string) (ours, theirs map[string]*mvccpb.KeyValue, err error) {
	for i, c := range []*Client{s.standby, s.primary} {
		if s.current[i], err = c.now(ctx); err != nil {
			return nil, nil, err
		}
	}
	if theirs, err = s.current[0].pairs(ctx, keys); err != nil {
		return nil, nil, err
	}
	ours, err = s.current[1].pairs(ctx, keys)
	return ours, theirs, err
}

// verdict says how a key differs, "" when it does not.
func verdict(key string, p, t *mvccpb.KeyValue) (kind Kind, alike bool) {
	switch {
	case p == nil && t == nil:
		return "", false
	case t == nil:
		return Missed, false
	case p == nil:
		return Surplus, false
	case bytes.Equal(p.Value, t.Value):
		return "", false
	case sameMeaning(key, p.Value, t.Value):
		return "", true
	}
	return Different, false
}

func modOf(kv *mvccpb.KeyValue) int64 {
	if kv == nil {
		return 0
	}
	return kv.ModRevision
}

// follows reports whether the standby is merely behind with a key that never
// stands still: it holds a value that the primary got since the first look. The
// last look also takes the value of the first one, and keys that came or went since.
func (s *settling) follows(ctx context.Context, k *watchedKey, p, t *mvccpb.KeyValue, last bool) (bool, error) {
	switch k.kind {
	case Missed:
		return last && p.CreateRevision > s.rev, nil
	case Surplus:
		return last && k.since.After(s.began), nil
	}
	for at, tries := p, 0; tries < maxHistory && at.ModRevision > s.rev; tries++ {
		older, err := s.primary.get(ctx, "read the past of a key", k.key, clientv3.WithRev(at.ModRevision-1), clientv3.WithSerializable())
		if compacted(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if len(older.Kvs) == 0 { // it was deleted and came again
			return false, nil
		}
		if at = older.Kvs[0]; bytes.Equal(at.Value, t.Value) {
			return last || at.ModRevision > s.rev, nil
		}
	}
	return false, nil
}

// keysOf are all keys that are not known to be equal, sorted.
func (s *settling) keysOf() []string {
	out := slices.Clone(s.moving)
	for _, d := range s.drift {
		out = append(out, d.key)
	}
	slices.Sort(out)
	return out
}
