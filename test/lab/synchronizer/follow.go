package synchronizer

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/mirror"

	"github.com/acpflow/acpflow/test/lab/synchronizer/faults"
)

// batch is what the watch delivered at once.
type batch struct {
	arrived time.Time
	clientv3.WatchResponse
}

// receive passes on what the watch delivers, so that a late mirror reads on.
func receive(ctx context.Context, syncer mirror.Syncer) <-chan batch {
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
	return queue
}

// follow applies every change of the primary until the watch breaks.
func (p *pair) follow(ctx context.Context, syncer mirror.Syncer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := receive(ctx, syncer)
	var late held
	for {
		select {
		case <-late.due():
			if err := write(ctx, p.standby, late.ripe(time.Now())); err != nil {
				return err
			}
		case b, more := <-queue:
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case !more:
				return errors.New("watch the primary: it ended")
			case b.Err() != nil:
				return fmt.Errorf("watch the primary: %w", b.Err())
			}
			if err := p.apply(ctx, b, &late); err != nil {
				return err
			}
		}
	}
}

func (p *pair) apply(ctx context.Context, b batch, late *held) error {
	if err := p.await(ctx, b.arrived); err != nil {
		return err
	}
	orders, err := p.orders()
	if err != nil {
		return err
	}
	changes := changesOf(b.Events, orders)
	if orders.OwnerOrder {
		changes = late.hold(changes)
	} else {
		changes = append(late.take(), changes...)
	}
	return write(ctx, p.standby, changes)
}

// held are changes of objects without owners while the order ownerOrder holds:
// each comes OwnerDelay after it was made.
type held struct {
	changes []change
	since   []time.Time
}

// due tells when the first of them has waited long enough; never when there is none.
func (h *held) due() <-chan time.Time {
	if len(h.since) == 0 {
		return nil
	}
	return time.After(time.Until(h.since[0].Add(OwnerDelay)))
}

// ripe takes those that have waited long enough.
func (h *held) ripe(now time.Time) []change {
	n := 0
	for n < len(h.since) && now.Sub(h.since[n]) >= OwnerDelay {
		n++
	}
	out := h.changes[:n:n]
	h.changes, h.since = h.changes[n:], h.since[n:]
	return out
}

// hold keeps what has no owner and returns the rest.
func (h *held) hold(changes []change) []change {
	var rest []change
	for _, c := range changes {
		if c.owned {
			rest = append(rest, c)
			continue
		}
		h.changes, h.since = append(h.changes, c), append(h.since, time.Now())
	}
	return rest
}

func (h *held) take() []change {
	out := h.changes
	h.changes, h.since = nil, nil
	return out
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
		key, value := string(e.Kv.Key), string(e.Kv.Value)
		if !Mirrored(key) || ownModule(key, value) || e.IsModify() && startsWithAny(key, orders.Stale) {
			continue
		}
		c := change{key: key, value: value, removed: e.Type == clientv3.EventTypeDelete}
		c.owned = owned(c.value)
		out = append(out, c)
	}
	return out
}
