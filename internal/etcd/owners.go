package etcd

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"golang.org/x/sync/errgroup"
)

// ownerless are resources that own nothing and are large or lively; they are
// not searched for owners.
var ownerless = resources("events", "leases", "masterleases", "peerserverleases", "ranges", "ipaddresses", "servicecidrs",
	"services/endpoints", "endpointslices")

// owners finds references of compared objects on the standby to objects that
// are nowhere on the standby, ignored kinds and excluded namespaces included.
// What is missing is looked for a second time, a patience later: the garbage
// collector may have been at it, or the synchronizer still on its way.
func (p *prover) owners(ctx context.Context) error {
	p.proof.Owners = true
	now, err := p.standby.now(ctx)
	if err != nil {
		return err
	}
	first, err := p.census(ctx, now)
	if err != nil {
		return err
	}
	p.proof.Ignored = append(p.proof.Ignored, IgnoredClass{Name: "owners of unreadable objects", Standby: first.sealed,
		Reason: "encrypted values, and others that are no objects, say nothing of their owners"})
	missing := first.missing()
	if len(missing) == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(p.Patience):
	}
	if now, err = p.standby.now(ctx); err != nil {
		return err
	}
	dangling, n, err := p.search(ctx, now, missing)
	p.proof.Dangling, p.proof.Orphans = dangling, n
	return err
}

// uidSeed makes UIDs eight bytes long: a million of them must fit into memory.
var uidSeed = maphash.MakeSeed()

func short(uid string) uint64 { return maphash.String(uidSeed, uid) }

// census are the UIDs of all objects, and those named as owners.
type census struct {
	mu     sync.Mutex
	there  map[uint64]struct{}
	wanted map[uint64]struct{}
	sealed int64 // compared objects that cannot be read
}

func (p *prover) census(ctx context.Context, at snapshot) (*census, error) {
	c := &census{there: map[uint64]struct{}{}, wanted: map[uint64]struct{}{}}
	err := p.visit(ctx, at, "reading owner references", func(kv *mvccpb.KeyValue, compared bool) {
		id := identify(kv.Value)
		c.mu.Lock()
		defer c.mu.Unlock()
		if id.uid != "" {
			c.there[short(id.uid)] = struct{}{}
		} else if compared {
			c.sealed++
		}
		if compared {
			for _, o := range id.owners {
				c.wanted[short(o.UID)] = struct{}{}
			}
		}
	})
	return c, err
}

func (c *census) missing() map[uint64]bool {
	out := map[uint64]bool{}
	for uid := range c.wanted {
		if _, ok := c.there[uid]; !ok {
			out[uid] = true
		}
	}
	return out
}

// search names the objects that refer to UIDs which are still missing.
func (p *prover) search(ctx context.Context, at snapshot, missing map[uint64]bool) ([]Dangling, int, error) {
	var (
		mu    sync.Mutex
		found []Dangling
		there = map[uint64]bool{}
	)
	err := p.visit(ctx, at, "looking again for missing owners", func(kv *mvccpb.KeyValue, compared bool) {
		id := identify(kv.Value)
		mu.Lock()
		defer mu.Unlock()
		if missing[short(id.uid)] {
			there[short(id.uid)] = true
		}
		for _, o := range id.owners {
			if compared && missing[short(o.UID)] {
				found = append(found, Dangling{Key: string(kv.Key), OwnerKind: o.Kind, OwnerName: o.Name, OwnerUID: o.UID})
			}
		}
	})
	found = slices.DeleteFunc(found, func(d Dangling) bool { return there[short(d.OwnerUID)] })
	slices.SortFunc(found, func(a, b Dangling) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.OwnerUID, b.OwnerUID)) })
	return found[:min(len(found), maxDangling):min(len(found), maxDangling)], len(found), err
}

// visit reads one side whole. compared tells whether the key is compared, too.
func (p *prover) visit(ctx context.Context, at snapshot, text string, f func(kv *mvccpb.KeyValue, compared bool)) error {
	all := rules{skips: ownerless}
	bands := make(chan band, workers)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(bands)
		return spread(ctx, at, all.areas(nil), bands)
	})
	var (
		mu   sync.Mutex
		done int64
	)
	for range workers {
		group.Go(func() error {
			j := judge{rules: p.rules}
			for b := range bands {
				c := cursor{snapshot: at, from: b.from, to: b.to}
				for {
					kv, err := c.peek(ctx)
					if err != nil {
						return err
					}
					if kv == nil {
						break
					}
					c.step()
					f(kv, j.class(kv.Key) < 0)
				}
				mu.Lock()
				done += b.keys
				p.Report(Progress{Text: text, Done: done})
				mu.Unlock()
			}
			return nil
		})
	}
	return group.Wait()
}
