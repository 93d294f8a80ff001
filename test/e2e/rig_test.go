package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
)

const patience = runs.Patience

// rig is acpflow with everything around it.
type rig struct {
	runs.Runs
	lab *lab.Lab
}

func (r *rig) open(ctx context.Context) error {
	if err := os.MkdirAll(r.Sites, 0o755); err != nil {
		return err
	}
	return r.Open(ctx)
}

// site writes a site document for one of the lab's clusters under a name of
// its own, changed by edit, and returns the name.
func (r *rig) site(t *testing.T, name, cluster string, edit func(*site.Site)) string {
	t.Helper()
	path := filepath.Join(r.lab.Dir(), lab.FileSite)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	doc, err := site.Parse(path, data)
	require.NoError(t, err)
	doc.Name = name
	doc.Clusters = slices.DeleteFunc(doc.Clusters, func(c site.Cluster) bool { return c.Name != cluster })
	require.Len(t, doc.Clusters, 1)
	doc.DR = site.DR{}
	doc.Scenario = site.SingleCluster
	if len(doc.Clusters[0].Nodes) == 1 {
		doc.Scenario = site.SingleNode
	}
	if edit != nil {
		edit(doc)
	}
	body, err := json.Marshal(doc) // JSON tags are the document's names
	require.NoError(t, err)
	body, err = yaml.JSONToYAML(body)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(r.Sites, name+".yaml"), body, 0o600))
	return name
}

// pristine gives the lab's nodes their first state back.
func (r *rig) pristine(t *testing.T) {
	t.Helper()
	require.NoError(t, r.lab.Reset(t.Context()))
}

func (r *rig) node(t *testing.T, name string) *lab.Node {
	t.Helper()
	n, err := r.lab.Node(name)
	require.NoError(t, err)
	return n
}

// orders writes the stand-in installer's faults onto its node.
func (r *rig) orders(t *testing.T, node string, f faults.Faults) {
	t.Helper()
	if f.GraceSeconds == nil {
		short := 3
		f.GraceSeconds = &short
	}
	body, err := json.Marshal(f)
	require.NoError(t, err)
	require.NoError(t, r.node(t, node).WriteFile(t.Context(), faults.Path, body, "0644"))
}

// install starts an install as a pipeline does and returns the workflow id.
func (r *rig) install(t *testing.T, site string) string {
	t.Helper()
	return r.Start(t, "install", site)
}
