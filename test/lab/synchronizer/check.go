package synchronizer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// printed is how many keys /check names of each kind.
const printed = 100

// settle is how long a key has to be on one side only before it counts: what
// is written meanwhile is on its way.
const settle = 1500 * time.Millisecond

// difference is what the sides do not share, by keys alone.
type difference struct{ missed, surplus map[string]bool }

// compare lists both sides until what differs has differed for a while.
func (p *pair) compare(ctx context.Context) (difference, error) {
	first, err := p.once(ctx)
	if err != nil || len(first.missed)+len(first.surplus) == 0 {
		return first, err
	}
	if err := sleep(ctx, settle); err != nil {
		return first, err
	}
	second, err := p.once(ctx)
	keep := func(a, b map[string]bool) {
		maps.DeleteFunc(a, func(key string, _ bool) bool { return !b[key] })
	}
	keep(second.missed, first.missed)
	keep(second.surplus, first.surplus)
	return second, err
}

func (p *pair) once(ctx context.Context) (difference, error) {
	d := difference{missed: map[string]bool{}, surplus: map[string]bool{}}
	err := listAll(ctx, p.primary, func(key, _ string) { d.missed[key] = true }, clientv3.WithKeysOnly())
	if err != nil {
		return d, fmt.Errorf("read the primary: %w", err)
	}
	err = listAll(ctx, p.standby, func(key, _ string) {
		if d.missed[key] {
			delete(d.missed, key)
		} else {
			d.surplus[key] = true
		}
	}, clientv3.WithKeysOnly())
	if err != nil {
		return d, fmt.Errorf("read the standby: %w", err)
	}
	return d, nil
}

// String is the answer of /check.
func (d difference) String() string {
	var b strings.Builder
	for _, part := range []struct {
		name string
		keys map[string]bool
	}{{"missed", d.missed}, {"surplus", d.surplus}} {
		fmt.Fprintf(&b, "LOCAL ETCD %s keys: %d\n", part.name, len(part.keys))
		keys := slices.Sorted(maps.Keys(part.keys))
		for _, key := range keys[:min(len(keys), printed)] {
			b.WriteString(key + "\n")
		}
		if more := len(keys) - printed; more > 0 {
			fmt.Fprintf(&b, "… and %d more\n", more)
		}
	}
	return b.String()
}
