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
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"google.golang.org/protobuf/proto"

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

// events reads the whole event history of a run.
func (r *rig) events(t *testing.T, id string) []*historypb.HistoryEvent {
	t.Helper()
	var out []*historypb.HistoryEvent
	events := r.Temporal.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		out = append(out, event)
	}
	return out
}

// history returns the event history as the bytes Temporal keeps: payloads
// stand in them as they are, so that a search finds what is there.
func (r *rig) history(t *testing.T, id string) []byte {
	t.Helper()
	var out []byte
	for _, event := range r.events(t, id) {
		raw, err := proto.Marshal(event)
		require.NoError(t, err)
		out = append(out, raw...)
	}
	return out
}

// recordHistory keeps the history for the replay tests when ACPFLOW_RECORD is
// set; CI replays what is recorded and records nothing.
func recordHistory(t *testing.T, id, name string) {
	t.Helper()
	if os.Getenv("ACPFLOW_RECORD") == "" {
		return
	}
	body, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&historypb.History{Events: world.events(t, id)})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join("..", "histories", name+".json"), body, 0o644))
}
