package activities

import (
	"context"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/site"
)

// A check of a pair comes again every minute, for many sites. Every activity
// costs Temporal and the worker a dozen writes, so what is read at the same time
// is one activity. What one read can't tell is a fact of its own.

// PairViewInput names the pair.
type PairViewInput struct {
	Site site.Site `json:"site"`
	Deep bool      `json:"deep,omitempty"` // see SideInput
}

// PairView is one look at both sides and at what lies between them.
type PairView struct {
	Sides    []pair.Side               `json:"sides"` // in the order of the document
	Address  pair.Known[pair.Address]  `json:"address"`
	Contract pair.Known[pair.Contract] `json:"contract"` // read when Deep
}

// deepLooks bounds the deep looks of a worker at a time. They take a second of
// its CPU; when many monitors start at once, all of them side by side would end
// none before its time is over.
var deepLooks = semaphore.NewWeighted(8)

// ObservePair looks at both sides at once (DR-01…DR-41). It fails only on bad
// input and when it was cancelled.
func (a *Sides) ObservePair(ctx context.Context, in PairViewInput) (PairView, error) {
	if in.Deep {
		report(ctx, Progress{Text: "waiting for other checks that read everything"})
		if err := deepLooks.Acquire(ctx, 1); err != nil {
			return PairView{}, err
		}
		defer deepLooks.Release(1)
	}
	out := PairView{Sides: make([]pair.Side, len(in.Site.Clusters))}
	var group errgroup.Group
	for i, c := range in.Site.Clusters {
		group.Go(func() (err error) {
			out.Sides[i], err = a.ObserveSide(ctx, SideInput{Scope: Scope{Site: in.Site, Cluster: c.Name}, Deep: in.Deep})
			return err
		})
	}
	group.Go(func() error {
		out.Address = known(ctx, func(ctx context.Context) (pair.Address, error) {
			v, err := (&DNS{Hosts: a.Hosts}).LookUpPlatform(ctx, ClusterInput{Scope: Scope{Site: in.Site}})
			return AddressFact(v), err
		})
		return nil
	})
	if err := group.Wait(); err != nil || !in.Deep {
		return out, err
	}
	roles := pair.Facts{Sides: out.Sides, Address: out.Address}.Roles()
	if roles.Primary == "" {
		out.Contract = pair.Unknown[pair.Contract](roles.Why)
		return out, ctx.Err()
	}
	out.Contract = known(ctx, func(ctx context.Context) (pair.Contract, error) {
		v, err := (&Contract{Hosts: a.Hosts}).ReviewContract(ctx, PairInput{Site: in.Site, Primary: roles.Primary, Standby: roles.Standby})
		return ContractFact(v), err
	})
	return out, ctx.Err()
}

// CompareInput says what is compared, and whether the synchronizer's own check
// is asked, too.
type CompareInput struct {
	ProveInput
	Vendor bool `json:"vendor"`
}

// Comparison is the vendor's word and acpflow's proof.
type Comparison struct {
	Vendor pair.Known[pair.Vendor] `json:"vendor"`
	Proof  pair.Known[etcd.Proof]  `json:"proof"`
}

// CompareSides asks the synchronizer's check and proves for itself that the
// standby holds what the primary holds, both at once (DR-33, DR-41). It fails
// only when it was cancelled.
func (a *Sides) CompareSides(ctx context.Context, in CompareInput) (Comparison, error) {
	var out Comparison
	var group errgroup.Group
	if in.Vendor {
		group.Go(func() error {
			out.Vendor = known(ctx, func(ctx context.Context) (pair.Vendor, error) {
				v, err := (&Sync{Hosts: a.Hosts}).FetchCheck(ctx, Scope{Site: in.Site, Cluster: in.Standby})
				return VendorFact(v), err
			})
			return nil
		})
	}
	group.Go(func() error {
		out.Proof = known(ctx, func(ctx context.Context) (etcd.Proof, error) {
			return (&Consistency{Hosts: a.Hosts}).Prove(ctx, in.ProveInput)
		})
		return nil
	})
	_ = group.Wait() // no function returns an error
	return out, ctx.Err()
}
