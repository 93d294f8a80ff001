package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/workflows"
)

// patience bounds one wait; a three-node install takes about a minute here.
const patience = 6 * time.Minute

// rig is acpflow with everything around it.
type rig struct {
	lab      *lab.Lab
	server   *harness.Devserver
	worker   *harness.Worker
	temporal client.Client
	dir      string
	sites    string
	workers  int
}

func (r *rig) open(ctx context.Context) error {
	if err := os.MkdirAll(r.sites, 0o755); err != nil {
		return err
	}
	var err error
	if r.temporal, err = r.server.Client(ctx); err != nil {
		return err
	}
	return r.startWorker(ctx)
}

func (r *rig) startWorker(ctx context.Context) error {
	r.workers++
	dir := filepath.Join(r.dir, fmt.Sprintf("worker-%d", r.workers))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	worker, err := harness.StartWorker(ctx, r.server, harness.WorkerOptions{Sites: r.sites, Dir: dir})
	r.worker = worker
	return err
}

func (r *rig) close() error {
	r.temporal.Close()
	return r.worker.Stop()
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
	require.NoError(t, os.WriteFile(filepath.Join(r.sites, name+".yaml"), body, 0o600))
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
	return r.start(t, "install", site)
}

// start starts the runbook behind a CLI verb.
func (r *rig) start(t *testing.T, verb, site string) string {
	t.Helper()
	out, errs, code, err := harness.CLI(t.Context(), r.server, verb, "--site", site, "--change", "CHG-7", "--requested-by", "e2e", "-o", "json")
	require.NoError(t, err)
	require.Zero(t, code, errs)
	var started struct {
		ID string `json:"workflowId"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &started))
	t.Cleanup(func() { r.end(started.ID) })
	return started.ID
}

// end makes sure no run outlives its test; a run that ended is fine.
func (r *rig) end(id string) {
	_ = r.temporal.TerminateWorkflow(context.Background(), id, "", "the test is over")
}

func (r *rig) status(ctx context.Context, id string) (*workflows.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	value, err := r.temporal.QueryWorkflow(ctx, id, "", workflows.StatusQuery)
	if err != nil {
		return nil, err
	}
	var p workflows.Progress
	return &p, value.Get(&p)
}

// until polls the run until the condition holds; a run that parks or ends
// before that fails the test with what it says.
func (r *rig) until(t *testing.T, id string, what string, holds func(*workflows.Progress) bool) *workflows.Progress {
	t.Helper()
	var last *workflows.Progress
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		p, err := r.status(t.Context(), id)
		if err != nil {
			continue // no worker for a moment
		}
		if last = p; holds(p) {
			return p
		}
		if p.Ended != nil {
			t.Fatalf("waiting for %s, but the run ended: %s", what, p.Outcome)
		}
		if p.Gate != nil {
			t.Fatalf("waiting for %s, but %s parked: %s\n%s", what, p.Gate.Step, p.Gate.Error, r.worker.Log())
		}
	}
	t.Fatalf("no %s within %v; last status: %+v\nworker log:\n%s", what, patience, last, r.worker.Log())
	return nil
}

// gate waits until the run asks a person about a step.
func (r *rig) gate(t *testing.T, id, step string) *workflows.Gate {
	t.Helper()
	p := r.until(t, id, "gate at "+step, func(p *workflows.Progress) bool { return p.Gate != nil })
	require.Equal(t, step, p.Gate.Step, p.Gate.Error)
	return p.Gate
}

// decide answers the gate through the CLI.
func (r *rig) decide(t *testing.T, id, action, reason string) {
	t.Helper()
	_, errs, code, err := harness.CLI(t.Context(), r.server, "decide", id, "--action", action, "--by", "e2e", "--reason", reason)
	require.NoError(t, err)
	require.Zero(t, code, errs)
}

// succeeds waits for the run's good end.
func (r *rig) succeeds(t *testing.T, id string) *workflows.Progress {
	t.Helper()
	return r.until(t, id, "success", func(p *workflows.Progress) bool { return p.Outcome == workflows.Succeeded })
}

// failure waits for the run to end badly and returns why.
func (r *rig) failure(t *testing.T, id string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := r.temporal.GetWorkflow(ctx, id, "").Get(ctx, nil)
	require.Error(t, err)
	require.NoError(t, ctx.Err())
	return err
}

// events reads the whole event history of a run.
func (r *rig) events(t *testing.T, id string) []*historypb.HistoryEvent {
	t.Helper()
	var out []*historypb.HistoryEvent
	events := r.temporal.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
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
