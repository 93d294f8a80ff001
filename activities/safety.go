package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/safecopy"
	"github.com/acpflow/acpflow/internal/ssh"
)

// Safety keeps copies of what a run may destroy, on a control plane of the cluster
// that they are of: /var/lib/acpflow/safety/RUN/LABEL-…, root 0600. They may hold
// every Secret of that cluster and never leave it; they are never on the worker's
// disk, in a result or in an error.
type Safety struct{ Hosts *Hosts }

// SafetyInput names a cluster and what its copies are called.
type SafetyInput struct {
	Scope
	Run   string `json:"run"`   // the same run and label twice = one copy
	Label string `json:"label"` // for example the cluster's name; letters, digits, dots, dashes and underscores
}

func (in SafetyInput) path(kind string) safecopy.Path {
	return safecopy.Path{Run: in.Run, Name: in.Label + "-" + kind}
}

// snapshotSlack is what a snapshot may be longer than the database was when it was asked for.
const snapshotSlack = 64 << 20

// SnapshotEtcd keeps a snapshot of the cluster's etcd, taken by the member on the
// first control plane that can, on that very node. It streams through the worker's
// memory, some hundred kilobytes at a time, over SSH both ways, because neither
// kubeadm nor the platform puts etcdctl on a node. The node verifies the digest that
// etcd ends its snapshots with; `etcdutl snapshot restore` reads the file. A tenth of
// the node's file system must stay free, else it is fault.DiskFull.
func (a *Safety) SnapshotEtcd(ctx context.Context, in SafetyInput) (Evidence, error) {
	path := in.path("etcd.db")
	facts := map[string]string{}
	what := ""
	node, kept, err := a.keep(ctx, in.Scope, path, func(ctx context.Context, conn *ssh.Client, node Node) (safecopy.Kept, error) {
		client, err := (&Consistency{Hosts: a.Hosts}).openThrough(ctx, node)
		if err != nil {
			return safecopy.Kept{}, err
		}
		defer client.Close()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends the stream
		snapshot, err := client.Snapshot(ctx)
		if err != nil {
			return safecopy.Kept{}, err
		}
		defer snapshot.Close()
		facts["revision"], facts["etcd"] = fmt.Sprint(snapshot.Revision), snapshot.Version
		what = fmt.Sprintf("a snapshot of etcd, revision %d or later", snapshot.Revision)
		from := &counted{from: snapshot, say: func(n int64) {
			report(ctx, Progress{Text: "keeping a snapshot of etcd on " + node.Name, Done: n, Total: snapshot.Size, Unit: "bytes"})
		}}
		return safecopy.Keep(ctx, conn, path, safecopy.Content{From: from, Seal: safecopy.EtcdSeal, Need: snapshot.Size + snapshotSlack})
	})
	if err != nil {
		return Evidence{}, err
	}
	if kept.Before { // by an earlier attempt, or one that was faster
		what = "a snapshot of etcd, taken before"
		clear(facts)
	}
	return keptEvidence(what, node, path, kept, facts), nil
}

// Groups and kinds that are exported: what a removed synchronizer could delete
// (DR-41), where machines behind them go with them.
var (
	exportedGroups    = []string{"platform.tkestack.io", "cluster.x-k8s.io"}
	exportedResources = []string{"clusters", "machines"}
)

// ExportObjects keeps all Cluster and Machine objects of the cluster as one YAML
// file, those of Cluster API too where it is served (DR-41). The objects' number by
// kind is in the evidence.
func (a *Safety) ExportObjects(ctx context.Context, in SafetyInput) (Evidence, error) {
	path := in.path("objects.yaml")
	facts := map[string]string{}
	what := ""
	node, kept, err := a.keep(ctx, in.Scope, path, func(ctx context.Context, conn *ssh.Client, node Node) (safecopy.Kept, error) {
		client, err := (&Cluster{Hosts: a.Hosts}).openThrough(ctx, node)
		if err != nil {
			return safecopy.Kept{}, err
		}
		defer client.Close()
		var body bytes.Buffer // some kilobytes an object
		text := safecopy.NewText(&body)
		done, err := client.Export(ctx, text, exportedGroups, exportedResources)
		if err != nil {
			return safecopy.Kept{}, err
		}
		if slices.Contains(done.NotServed, exportedGroups[0]) {
			// An API server that has just started does not serve it for a moment, so this is worth another try.
			return safecopy.Kept{}, fault.New(fault.Protocol, "export Cluster and Machine objects", client.Place(), "is this a `global` cluster?", errors.New("it does not serve "+exportedGroups[0]))
		}
		if _, err := fmt.Fprintf(text, "---\n# exported from %s\n", in.Cluster); err != nil {
			return safecopy.Kept{}, err
		}
		if err := text.Seal(); err != nil {
			return safecopy.Kept{}, err
		}
		var parts []string
		for _, kind := range slices.Sorted(maps.Keys(done.Counts)) {
			facts[kind] = fmt.Sprint(done.Counts[kind])
			parts = append(parts, fmt.Sprintf("%d %s", done.Counts[kind], kind))
		}
		for _, group := range done.NotServed {
			parts = append(parts, group+" is not served")
		}
		what = strings.Join(parts, ", ")
		return safecopy.Keep(ctx, conn, path, safecopy.Content{From: &body, Seal: safecopy.TextSeal, Need: int64(body.Len())})
	})
	if err != nil {
		return Evidence{}, err
	}
	if kept.Before {
		what = "Cluster and Machine objects, exported before"
		clear(facts)
	}
	return keptEvidence(what, node, path, kept, facts), nil
}

// keep makes a copy on the first control plane where that works, unless one of
// those that answer has it.
func (a *Safety) keep(ctx context.Context, scope Scope, path safecopy.Path, make func(context.Context, *ssh.Client, Node) (safecopy.Kept, error)) (Node, safecopy.Kept, error) {
	nodes, err := scope.controlPlanes()
	if err != nil {
		return Node{}, safecopy.Kept{}, err
	}
	conns := map[string]*ssh.Client{}
	var errs []error
	for _, n := range nodes {
		conn, err := a.Hosts.connect(ctx, n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		kept, found, err := safecopy.Find(ctx, conn, path)
		if found || fault.Is(err, fault.Corrupt) || fault.Is(err, fault.BadInput) {
			return n, kept, err
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		conns[n.Name] = conn
	}
	for _, n := range nodes {
		if conns[n.Name] == nil {
			continue
		}
		kept, err := make(ctx, conns[n.Name], n)
		if err == nil || ctx.Err() != nil {
			return n, kept, err
		}
		errs = append(errs, fmt.Errorf("%s: %w", n.Name, err))
	}
	return Node{}, safecopy.Kept{}, joined(errs...)
}

func keptEvidence(what string, node Node, path safecopy.Path, kept safecopy.Kept, facts map[string]string) Evidence {
	facts["file"], facts["sha256"], facts["bytes"], facts["made"] = path.String(), kept.SHA256, fmt.Sprint(kept.Bytes), kept.Made.Format("2006-01-02T15:04:05Z")
	return Evidence{
		Summary: fmt.Sprintf("%s: kept on %s as %s (%.1f MB, SHA-256 %.12s…)", what, node.Name, path, float64(kept.Bytes)/1e6, kept.SHA256),
		Host:    node.Name, Facts: facts,
	}
}

// counted tells how much was read.
type counted struct {
	from io.Reader
	n    int64
	say  func(int64)
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	c.say(c.n)
	return n, err
}
