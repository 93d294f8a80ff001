package synchronizer

import (
	"context"
	"errors"
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
// ownerOrder holds: long enough for the garbage collector of the standby.
const OwnerDelay = 4 * time.Second

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
	if err := listAll(ctx, p.standby, func(key, value string) { have[key] = value }); err != nil {
		return nil, fmt.Errorf("read the standby: %w", err)
	}
	syncer := mirror.NewSyncer(p.primary, root, 0)
	responses, failed := syncer.SyncBase(ctx)
	gone := maps.Clone(have)
	var changes []change
	for resp := range responses {
		for _, kv := range resp.Kvs {
			key, value := string(kv.Key), string(kv.Value)
			if !Mirrored(key) {
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

// follow applies every change of the primary until the watch breaks.
func (p *pair) follow(ctx context.Context, syncer mirror.Syncer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type batch struct {
		arrived time.Time
		clientv3.WatchResponse
	}
	queue := make(chan batch, 4096)
	go func() {
		defer close(queue)
		for resp := range syncer.SyncUpdates(ctx) {
			select {
			case queue <- batch{time.Now(), resp}:
			case <-ctx.Done():
				return
			}
		}
	}()
	for b := range queue {
		if err := b.Err(); err != nil {
			return fmt.Errorf("watch the primary: %w", err)
		}
		if err := p.await(ctx, b.arrived); err != nil {
			return err
		}
		orders, err := p.orders()
		if err != nil {
			return err
		}
		if err := p.owners(ctx, orders, changesOf(b.Events, orders)); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.New("watch the primary: it ended")
}

// await holds a change back for as long as that is ordered.
func (p *pair) await(ctx context.Context, arrived time.Time) error {
	for {
		orders, err := p.orders()
		if err != nil {
			return err
		}
		lag := time.Duration(orders.LagSeconds) * time.Second
		if !orders.Stopped && time.Since(arrived) >= lag {
			return nil
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

func changesOf(events []*clientv3.Event, orders faults.Faults) []change {
	var out []change
	for _, e := range events {
		key := string(e.Kv.Key)
		if !Mirrored(key) || e.IsModify() && startsWithAny(key, orders.Stale) {
			continue
		}
		c := change{key: key, value: string(e.Kv.Value), removed: e.Type == clientv3.EventTypeDelete}
		c.owned = owned(c.value)
		out = append(out, c)
	}
	return out
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
