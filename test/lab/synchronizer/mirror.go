package synchronizer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/mirror"

	"github.com/acpflow/acpflow/test/lab/synchronizer/faults"
)

// OwnerDelay is how much later objects without an owner come while the order
// ownerOrder holds: long enough for the garbage collector of a busy standby, and
// shorter than the lag that the tests allow.
const OwnerDelay = 8 * time.Second

// pair is both ends of one mirror.
type pair struct {
	primary, standby *clientv3.Client
	orders           func() (faults.Faults, error)
	log              func(format string, args ...any)
}

// full makes the standby's mirrored keys what they are on the primary now: it
// writes what is missing or different and removes what is gone. The syncer it
// returns goes on from there.
func (p *pair) full(ctx context.Context) (mirror.Syncer, error) {
	orders, err := p.orders()
	if err != nil {
		return nil, err
	}
	have := map[string]string{}
	err = listAll(ctx, p.standby, func(key, value string) {
		if !ownModule(key, value) {
			have[key] = value
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read the standby: %w", err)
	}
	syncer := mirror.NewSyncer(p.primary, root, 0)
	responses, failed := syncer.SyncBase(ctx)
	gone := maps.Clone(have)
	var changes []change
	for resp := range responses {
		for _, kv := range resp.Kvs {
			key, value := string(kv.Key), string(kv.Value)
			if !Mirrored(key) || ownModule(key, value) {
				continue
			}
			delete(gone, key)
			old, there := have[key]
			if there && (old == value || startsWithAny(key, orders.Stale)) {
				continue
			}
			changes = append(changes, change{key: key, value: value, owned: owned(value)})
		}
	}
	if err := <-failed; err != nil {
		return nil, fmt.Errorf("read the primary: %w", err)
	}
	if err := p.owners(ctx, orders, changes); err != nil {
		return nil, err
	}
	var removals []change
	for _, key := range slices.Sorted(maps.Keys(gone)) {
		if !slices.Contains(orders.Surplus, key) {
			removals = append(removals, change{key: key, removed: true})
		}
	}
	if err := write(ctx, p.standby, removals); err != nil {
		return nil, err
	}
	p.log("full sync: %d keys written, %d removed", len(changes), len(removals))
	return syncer, p.surplus(ctx, orders, have)
}

// owners writes changes, in the wrong order when that is ordered.
func (p *pair) owners(ctx context.Context, orders faults.Faults, changes []change) error {
	if !orders.OwnerOrder {
		return write(ctx, p.standby, changes)
	}
	var first, then []change
	for _, c := range changes {
		if c.owned {
			first = append(first, c)
		} else {
			then = append(then, c)
		}
	}
	if len(first) == 0 {
		return write(ctx, p.standby, then)
	}
	if err := write(ctx, p.standby, first); err != nil {
		return err
	}
	if err := sleep(ctx, OwnerDelay); err != nil {
		return err
	}
	return write(ctx, p.standby, then)
}

// surplus makes the ConfigMaps that are ordered.
func (p *pair) surplus(ctx context.Context, orders faults.Faults, have map[string]string) error {
	var extra []change
	for _, key := range orders.Surplus {
		part, ok := split(key)
		if !ok || part.kind != "configmaps" || part.namespace == "" || !Mirrored(key) {
			return fmt.Errorf("order surplus: %s is no key of a mirrored ConfigMap", key)
		}
		if _, there := have[key]; !there {
			extra = append(extra, change{key: key, value: configMap(part)})
		}
	}
	return write(ctx, p.standby, extra)
}

func startsWithAny(key string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return prefix != "" && strings.HasPrefix(key, prefix) })
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
