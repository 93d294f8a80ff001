package pair

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/workflows"
)

// The clusters, by the role they begin in.
const (
	west = "west" // primary
	east = "east" // standby
)

// maxLag is short, because every check that finds something waits that long.
const maxLag = "10s"

// rig is the pair with acpflow around it.
type rig struct {
	runs.Runs
	lab *lab.Lab

	west, east *labtest.Side // once both are installed
}

func (r *rig) open(ctx context.Context) error {
	if err := r.lab.SiteStore(r.Sites); err != nil {
		return err
	}
	// A difference counts only when it outlives the lag that is allowed.
	if err := r.rewrite(func(s *site.Site) { s.DR.Sync.MaxLag = maxLag }); err != nil {
		return err
	}
	return r.Open(ctx)
}

// built makes sure that the pair is installed and synchronised.
func built(t *testing.T) *rig {
	t.Helper()
	if world.east == nil {
		world.Succeeds(t, world.Start(t, "install-pair", name, "--cluster", west))
		world.connect(t)
	}
	return world
}

// connect opens the APIs of both sides.
func (r *rig) connect(t *testing.T) {
	t.Helper()
	doc := r.document(t)
	side := func(cluster string) *labtest.Side {
		c, ok := doc.Cluster(cluster)
		require.True(t, ok)
		return labtest.Connect(t, r.lab, *c)
	}
	r.west, r.east = side(west), side(east)
}

// document is the site's, as the worker reads it.
func (r *rig) document(t *testing.T) *site.Site {
	t.Helper()
	doc, err := r.read()
	require.NoError(t, err)
	return doc
}

// edit changes the site document until the test ends.
func (r *rig) edit(t *testing.T, change func(*site.Site)) {
	t.Helper()
	before, err := os.ReadFile(r.siteFile())
	require.NoError(t, err)
	require.NoError(t, r.rewrite(change))
	t.Cleanup(func() { require.NoError(t, os.WriteFile(r.siteFile(), before, 0o600)) })
}

func (r *rig) siteFile() string { return filepath.Join(r.Sites, name+".yaml") }

func (r *rig) read() (*site.Site, error) {
	data, err := os.ReadFile(r.siteFile())
	if err != nil {
		return nil, err
	}
	return site.Parse(r.siteFile(), data)
}

func (r *rig) rewrite(change func(*site.Site)) error {
	doc, err := r.read()
	if err != nil {
		return err
	}
	change(doc)
	body, err := json.Marshal(doc) // JSON tags are the document's names
	if err != nil {
		return err
	}
	if body, err = yaml.JSONToYAML(body); err != nil {
		return err
	}
	return os.WriteFile(r.siteFile(), body, 0o600)
}

func (r *rig) node(t *testing.T, machine string) *lab.Node {
	t.Helper()
	n, err := r.lab.Node(machine)
	require.NoError(t, err)
	return n
}

// script runs on a machine of the lab as root.
func (r *rig) script(t *testing.T, machine, text string) string {
	t.Helper()
	out, err := r.node(t, machine).Script(context.WithoutCancel(t.Context()), "set -e\n"+text)
	require.NoError(t, err)
	return strings.TrimSpace(out)
}

// controlPlanes are the names of a side's nodes.
func (r *rig) controlPlanes(t *testing.T, cluster string) []string {
	t.Helper()
	c, ok := r.document(t).Cluster(cluster)
	require.True(t, ok)
	var out []string
	for _, n := range c.ControlPlanes() {
		out = append(out, n.Name)
	}
	return out
}

// breaks makes the synchronizer fail as ordered until mend is called, or the test ends.
func (r *rig) breaks(t *testing.T, f lab.SyncFaults) (mend func()) {
	t.Helper()
	require.NoError(t, r.lab.BreakSync(t.Context(), east, f))
	mend = func() { require.NoError(t, r.lab.MendSync(context.WithoutCancel(t.Context()), east)) }
	t.Cleanup(mend)
	return mend
}

// check runs `acpflow check`, demands its exit code and returns the verdict.
func (r *rig) check(t *testing.T, want int, args ...string) *workflows.SyncVerdict {
	t.Helper()
	r.CLI(t, want, append([]string{"check", "--site", name}, args...)...)
	p, err := r.Status(t.Context(), "check/"+name)
	require.NoError(t, err)
	require.NotNil(t, p.Sync, runs.Steps(p))
	return p.Sync
}

// found is what a rule says; a rule that judges both sides says it of the worse one.
func found(v *workflows.SyncVerdict, rule string) checks.Finding {
	var out checks.Finding
	for _, f := range v.Findings {
		if f.Rule == rule && (out.Rule == "" || f.Blocking()) {
			out = f
		}
	}
	return out
}

// failing lists the rules that are not met.
func failing(v *workflows.SyncVerdict) []string {
	var out []string
	for _, f := range v.Findings {
		if f.Blocking() && !slices.Contains(out, f.Rule) {
			out = append(out, f.Rule)
		}
	}
	slices.Sort(out)
	return out
}

// clean demands a check in which nothing fails, after what a test broke was mended.
func (r *rig) clean(t *testing.T) *workflows.SyncVerdict {
	t.Helper()
	v := r.check(t, 0, "--full")
	require.Empty(t, failing(v))
	require.NotNil(t, v.Proof)
	require.Zero(t, v.Proof.Missed+v.Proof.Surplus+v.Proof.Different)
	return v
}
