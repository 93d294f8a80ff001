package pairs

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
	West = "west" // primary
	East = "east" // standby
)

// maxLag is short, because every check that finds something waits that long.
const maxLag = "10s"

// Rig is the pair with acpflow around it.
type Rig struct {
	runs.Runs
	Lab  *lab.Lab
	Site string // its name, and the lab's

	West, East *labtest.Side // once both are installed
}

func (r *Rig) open(ctx context.Context, change func(*site.Site)) error {
	if err := r.Lab.SiteStore(r.Sites); err != nil {
		return err
	}
	err := r.rewrite(func(s *site.Site) {
		s.DR.Sync.MaxLag = maxLag // a difference counts only when it outlives the lag that is allowed
		if change != nil {
			change(s)
		}
	})
	if err != nil {
		return err
	}
	return r.Open(ctx)
}

// Build makes sure that the pair is installed and synchronised.
func (r *Rig) Build(t testing.TB) {
	t.Helper()
	if r.East == nil {
		if !r.installed() {
			r.Succeeds(t, r.Start(t, "install-pair", r.Site, "--cluster", West))
		}
		r.Connect(t)
	}
}

// installed reports whether an earlier run has left the pair.
func (r *Rig) installed() bool {
	if os.Getenv(Keep) == "" {
		return false
	}
	n, err := r.Lab.Node(East + "-1")
	if err != nil {
		return false
	}
	_, err = n.Exec(context.Background(), "test", "-e", "/etc/kubernetes/admin.conf")
	return err == nil
}

// Connect opens the APIs of both sides, which are installed.
func (r *Rig) Connect(t testing.TB) {
	t.Helper()
	doc := r.Document(t)
	side := func(cluster string) *labtest.Side {
		c, ok := doc.Cluster(cluster)
		require.True(t, ok)
		return labtest.Connect(t, r.Lab, *c)
	}
	r.West, r.East = side(West), side(East)
}

// Document is the site's, as the worker reads it.
func (r *Rig) Document(t testing.TB) *site.Site {
	t.Helper()
	doc, err := r.read()
	require.NoError(t, err)
	return doc
}

// Edit changes the site document until the test ends.
func (r *Rig) Edit(t testing.TB, change func(*site.Site)) {
	t.Helper()
	before, err := os.ReadFile(r.siteFile())
	require.NoError(t, err)
	require.NoError(t, r.rewrite(change))
	t.Cleanup(func() { require.NoError(t, os.WriteFile(r.siteFile(), before, 0o600)) })
}

func (r *Rig) siteFile() string { return filepath.Join(r.Sites, r.Site+".yaml") }

func (r *Rig) read() (*site.Site, error) {
	data, err := os.ReadFile(r.siteFile())
	if err != nil {
		return nil, err
	}
	return site.Parse(r.siteFile(), data)
}

func (r *Rig) rewrite(change func(*site.Site)) error {
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

// Node is a machine of the lab.
func (r *Rig) Node(t testing.TB, machine string) *lab.Node {
	t.Helper()
	n, err := r.Lab.Node(machine)
	require.NoError(t, err)
	return n
}

// Script runs on a machine of the lab as root.
func (r *Rig) Script(t testing.TB, machine, text string) string {
	t.Helper()
	out, err := r.Node(t, machine).Script(context.WithoutCancel(t.Context()), "set -e\n"+text)
	require.NoError(t, err)
	return strings.TrimSpace(out)
}

// ControlPlanes are the names of a side's nodes.
func (r *Rig) ControlPlanes(t testing.TB, cluster string) []string {
	t.Helper()
	c, ok := r.Document(t).Cluster(cluster)
	require.True(t, ok)
	var out []string
	for _, n := range c.ControlPlanes() {
		out = append(out, n.Name)
	}
	return out
}

// Check runs `acpflow check`, demands its exit code and returns the verdict.
func (r *Rig) Check(t testing.TB, want int, args ...string) *workflows.SyncVerdict {
	t.Helper()
	r.CLI(t, want, append([]string{"check", "--site", r.Site}, args...)...)
	p := r.Now(t, "check/"+r.Site)
	require.NotNil(t, p.Sync, runs.Steps(p))
	return p.Sync
}

// Found is what a rule says; a rule that judges both sides says it of the worse one.
func Found(v *workflows.SyncVerdict, rule string) checks.Finding {
	var out checks.Finding
	for _, f := range v.Findings {
		if f.Rule == rule && (out.Rule == "" || f.Blocking()) {
			out = f
		}
	}
	return out
}

// Failing lists the rules that are not met.
func Failing(v *workflows.SyncVerdict) []string {
	var out []string
	for _, f := range v.Findings {
		if f.Blocking() && !slices.Contains(out, f.Rule) {
			out = append(out, f.Rule)
		}
	}
	slices.Sort(out)
	return out
}

// Clean demands a check in which nothing fails, after what a test broke was mended.
func (r *Rig) Clean(t testing.TB) *workflows.SyncVerdict {
	t.Helper()
	v := r.Check(t, 0, "--full")
	require.Empty(t, Failing(v))
	require.NotNil(t, v.Proof)
	require.Zero(t, v.Proof.Missed+v.Proof.Surplus+v.Proof.Different)
	return v
}
