package activities

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// PairInput names the two clusters of a disaster recovery pair by their roles.
type PairInput struct {
	Site    site.Site `json:"site"`
	Primary string    `json:"primary"`
	Standby string    `json:"standby"`
}

// primary and standby are the scopes of the two sides.
func (in PairInput) primary() Scope { return Scope{Site: in.Site, Cluster: in.Primary} }
func (in PairInput) standby() Scope { return Scope{Site: in.Site, Cluster: in.Standby} }

// controlPlanes are the nodes of a cluster that carry an apiserver, the
// document's first one first.
func (s *Scope) controlPlanes() ([]Node, error) {
	cluster, err := s.cluster()
	if err != nil {
		return nil, err
	}
	var out []Node
	for _, n := range cluster.Nodes {
		if n.Role == site.ControlPlane {
			out = append(out, NodeOf(cluster, n))
		}
	}
	return out, nil
}

// onEach runs f for every node, some at a time, and joins what failed: one dead
// node hides nothing of the others. The first failure gives the class.
func onEach(ctx context.Context, nodes []Node, f func(ctx context.Context, i int) error) error {
	faults := make([]error, len(nodes))
	var group errgroup.Group
	group.SetLimit(parallel(nodes))
	for i, n := range nodes {
		group.Go(func() error {
			if err := f(ctx, i); err != nil {
				faults[i] = fmt.Errorf("%s: %w", n.Name, err)
			}
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return joined(faults...)
}

// joined is errors.Join that keeps the class of the first error; a permanent
// one wins, because retrying it is useless.
func joined(errs ...error) error {
	all := errors.Join(errs...)
	if all == nil {
		return nil
	}
	var class fault.Class
	for _, err := range errs {
		if err == nil {
			continue
		}
		if c := fault.ClassOf(err); class == "" || c.Permanent() && !class.Permanent() {
			class = c
		}
	}
	return &fault.Error{Class: class, Err: all}
}
