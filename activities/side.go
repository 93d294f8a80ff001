package activities

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/site"
)

// Sides looks at the clusters of a disaster recovery pair.
type Sides struct{ Hosts *Hosts }

// SideInput names the cluster to look at.
type SideInput struct {
	Scope
	// Deep also reads what rarely changes and takes a command on every node: key
	// files, certificates, clocks, the load balancer, the inventory, every Secret.
	Deep bool `json:"deep,omitempty"`
}

// sideRead bounds one read of a side: a server that hangs is a fact that is not known.
const sideRead = 30 * time.Second

// ObserveSide gathers the facts of one side of a pair (DR-01…DR-41). A side that
// can't be reached is a fault among the facts, no error: the other side is still
// worth a look. It fails only on bad input and when it was cancelled.
func (a *Sides) ObserveSide(ctx context.Context, in SideInput) (pair.Side, error) {
	cluster, err := in.cluster()
	if err != nil {
		return pair.Side{}, err
	}
	out := pair.Side{Cluster: cluster.Name, Taken: time.Now().UTC()}
	client, uid, err := (&Cluster{Hosts: a.Hosts}).openKept(ctx, in.Scope)
	if err != nil {
		out.Fault = &pair.Fault{Class: string(fault.ClassOf(err)), Message: clip(message(err), 500)}
		return out, ctx.Err()
	}
	out.UID = pair.Of(uid)
	s := side{hosts: a.Hosts, scope: in.Scope, cluster: cluster, client: client, out: &out}
	reads := s.light()
	if in.Deep {
		reads = append(reads, s.deep()...)
	}
	var group errgroup.Group
	for _, read := range reads {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, sideRead)
			defer cancel()
			read(ctx)
			return nil
		})
	}
	_ = group.Wait() // what failed is in the facts
	return out, ctx.Err()
}

// side is one look at one side. Every read fills fields of its own.
type side struct {
	hosts   *Hosts
	scope   Scope
	cluster *site.Cluster
	client  *kube.Client
	out     *pair.Side
}

// light are the reads of every check: a few requests to the API.
func (s side) light() []func(context.Context) {
	return []func(context.Context){
		func(ctx context.Context) { s.out.Kubernetes = known(ctx, s.client.Version) },
		func(ctx context.Context) { s.out.Platform = known(ctx, s.module) },
		func(ctx context.Context) { s.out.Plugin = known(ctx, s.plugin) },
		func(ctx context.Context) { s.out.Machines = known(ctx, s.machines) },
		func(ctx context.Context) { s.out.Ledger = known(ctx, s.ledger) },
	}
}

// deep are the reads that take longer.
func (s side) deep() []func(context.Context) {
	return []func(context.Context){
		func(ctx context.Context) { s.out.Tokens = known(ctx, s.tokens) },
		func(ctx context.Context) { s.out.Secrets = known(ctx, s.secrets) },
		func(ctx context.Context) { s.out.Inventory = known(ctx, s.inventory) },
		func(ctx context.Context) { s.out.Components = known(ctx, s.components) },
		func(ctx context.Context) { s.out.Forwards = known(ctx, s.forwards) },
		s.nodes,
	}
}

// Tries of a read that can fail for a moment, and the pause between them: a
// check comes again, but a blip should not be what it tells.
const (
	readTries = 3
	readPause = 500 * time.Millisecond
)

// known makes a fact of what a read gives.
func known[T any](ctx context.Context, read func(context.Context) (T, error)) pair.Known[T] {
	value, err := read(ctx)
	for try := 1; try < readTries && err != nil && !fault.ClassOf(err).Permanent() && pause(ctx, readPause) == nil; try++ {
		value, err = read(ctx)
	}
	if err != nil {
		return pair.Unknown[T](clip(message(err), 500))
	}
	return pair.Of(value)
}

func (s side) module(ctx context.Context) (pair.Module, error) {
	version, phase, err := s.client.Module(ctx)
	return pair.Module{Version: version, Phase: phase}, err
}

func (s side) tokens(ctx context.Context) (pair.Tokens, error) {
	issuer, keys, err := s.client.Tokens(ctx)
	return pair.Tokens{Issuer: issuer, JWKS: keys}, err
}

func (s side) secrets(ctx context.Context) (pair.Secrets, error) {
	read, failed, err := s.client.ReadableSecrets(ctx)
	return pair.Secrets{Read: read, Failed: failed}, err
}

func (s side) machines(ctx context.Context) (pair.Machines, error) {
	all, err := s.client.Machines(ctx)
	out := pair.Machines{Total: len(all)}
	for _, m := range all {
		if m.Phase != "Running" || m.Deleting {
			out.Bad = append(out.Bad, pair.Machine{Name: m.Name, Phase: m.Phase, Deleting: m.Deleting})
		}
	}
	return out, err
}

// usersSpaces are the namespaces of DR-07 that hold what users create; the
// others hold the platform's own.
var usersSpaces = []string{"default", "global-credentials", "cpaas-system-global-credentials", "cpaas-solution", "kubevirt", "operators"}

func (s side) inventory(ctx context.Context) ([]pair.Kind, error) {
	all, err := s.client.Inventory(ctx, usersSpaces)
	out := []pair.Kind{}
	for _, h := range all {
		out = append(out, pair.Kind{Namespace: h.Namespace, Kind: h.Kind, Count: len(h.Names), Hash: h.Hash(), Names: h.Names[:min(len(h.Names), pair.MaxNames)]})
	}
	return out, err
}

// restarted are the Pods that a failover restarts where they are installed
// (DR-34, DR-43), by their label service_name.
const restarted = "service_name in (cpaas-elasticsearch, alertmanager, vmselect, vminsert, cluster-transformer)"

func (s side) components(ctx context.Context) ([]string, error) {
	counts, err := s.client.Labelled(ctx, platformNamespace, restarted, "service_name")
	return sorted(counts), err
}
