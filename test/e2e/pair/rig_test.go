// Package pair runs acpflow's runbooks for two data centres as a user does: the
// real worker and CLI, the real Temporal server, on two real clusters of the lab
// with a synchronizer between them. It needs root on Debian 12.
package pair

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/workflows"
)

// labName is the lab of these tests.
const labName = "t-esync"

// patience bounds one wait.
const patience = 5 * time.Minute

var modules = schema.GroupVersionResource{Group: "cluster.alauda.io", Version: "v1alpha1", Resource: "moduleinfoes"}

// rig is an installed pair, west the primary, with acpflow beside it. with gives
// it to a subtest.
type rig struct {
	*testing.T
	*labtest.Pair
	*programs
}

// programs are acpflow's, shared by all subtests.
type programs struct {
	server   *harness.Devserver
	worker   *harness.Worker
	temporal client.Client
	sites    string
	dir      string
	workers  int
}

// open installs the pair and starts acpflow.
func open(t *testing.T) *rig {
	r := &rig{T: t, Pair: labtest.InstallPair(t, labName), programs: &programs{sites: t.TempDir(), dir: t.TempDir()}}
	var err error
	r.server, err = harness.StartDevserver(t.Context(), r.dir, t.Output())
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.server.Stop() })
	r.temporal, err = r.server.Client(t.Context())
	require.NoError(t, err)
	t.Cleanup(r.temporal.Close)
	r.startWorker()
	t.Cleanup(func() { _ = r.worker.Stop() })
	return r
}

func (r *rig) startWorker() {
	r.Helper()
	r.workers++
	dir := filepath.Join(r.dir, fmt.Sprintf("worker-%d", r.workers))
	require.NoError(r, os.Mkdir(dir, 0o755))
	worker, err := harness.StartWorker(r.Context(), r.server, harness.WorkerOptions{Sites: r.sites, Dir: dir})
	require.NoError(r, err)
	r.worker = worker
}

// killWorker ends the worker as a crash does and starts another.
func (r *rig) killWorker() {
	r.Helper()
	r.worker.Kill()
	r.startWorker()
}

func (r *rig) with(t *testing.T) *rig {
	copied := *r
	copied.T = t
	return &copied
}

// document writes the pair's site document under a name of its own, changed by
// edit, and returns the name.
func (r *rig) document(name string, edit func(*site.Site)) string {
	r.Helper()
	body, err := json.Marshal(r.Site) // JSON tags are the document's names
	require.NoError(r, err)
	var doc site.Site
	require.NoError(r, json.Unmarshal(body, &doc))
	doc.Name = name
	doc.Policy.StallAfter = "3m"
	if edit != nil {
		edit(&doc)
	}
	body, err = json.Marshal(doc)
	require.NoError(r, err)
	body, err = yaml.JSONToYAML(body)
	require.NoError(r, err)
	require.NoError(r, os.WriteFile(filepath.Join(r.sites, name+".yaml"), body, 0o600))
	return name
}

// start starts the runbook behind a CLI verb for a cluster and returns its id.
func (r *rig) start(verb, site, cluster string, more ...string) string {
	r.Helper()
	args := append([]string{verb, "--site", site, "--cluster", cluster, "--change", "CHG-7", "--requested-by", "e2e", "-o", "json"}, more...)
	out, errs, code, err := harness.CLI(r.Context(), r.server, args...)
	require.NoError(r, err)
	require.Zero(r, code, errs)
	var started struct {
		ID string `json:"workflowId"`
	}
	require.NoError(r, json.Unmarshal([]byte(out), &started))
	r.Cleanup(func() { // no run outlives its test; one that ended is fine
		_ = r.temporal.TerminateWorkflow(context.Background(), started.ID, "", "the test is over")
	})
	return started.ID
}

func (r *rig) status(id string) (*workflows.Progress, error) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	value, err := r.temporal.QueryWorkflow(ctx, id, "", workflows.StatusQuery)
	if err != nil {
		return nil, err
	}
	var p workflows.Progress
	return &p, value.Get(&p)
}

// until polls the run until the condition holds; a run that parks or ends before
// that fails the test with what it says.
func (r *rig) until(id, what string, holds func(*workflows.Progress) bool) *workflows.Progress {
	r.Helper()
	var last *workflows.Progress
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		p, err := r.status(id)
		if err != nil {
			continue // no worker for a moment
		}
		if last = p; holds(p) {
			return p
		}
		if p.Ended != nil {
			r.Fatalf("waiting for %s, but the run ended: %s\n%s", what, p.Outcome, steps(p))
		}
		if p.Gate != nil {
			r.Fatalf("waiting for %s, but %s parked: %s\n%s", what, p.Gate.Step, p.Gate.Text(), steps(p))
		}
	}
	r.Fatalf("no %s within %v; last status:\n%s\nworker log:\n%s", what, patience, steps(last), r.worker.Log())
	return nil
}

// steps tells where a run stands.
func steps(p *workflows.Progress) string {
	if p == nil {
		return "(none)"
	}
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s %s %s", s.ID, s.State, s.Error)
		if s.Evidence != nil {
			b.WriteString(s.Evidence.Summary)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// succeeds waits for the run's good end.
func (r *rig) succeeds(id string) *workflows.Progress {
	r.Helper()
	p := r.until(id, "success", func(p *workflows.Progress) bool { return p.Outcome == workflows.Succeeded })
	r.Logf("%s took %s:\n%s", id, p.Ended.Sub(p.Started).Round(time.Second), steps(p))
	return p
}

// gate waits until the run asks a person about a step.
func (r *rig) gate(id, step string) *workflows.Gate {
	r.Helper()
	p := r.until(id, "gate at "+step, func(p *workflows.Progress) bool { return p.Gate != nil })
	require.Equal(r, step, p.Gate.Step, p.Gate.Text())
	return p.Gate
}

// decide answers the gate through the CLI.
func (r *rig) decide(id, action, reason string) {
	r.Helper()
	_, errs, code, err := harness.CLI(r.Context(), r.server, "decide", id, "--action", action, "--by", "e2e", "--reason", reason)
	require.NoError(r, err)
	require.Zero(r, code, errs)
}

// aborted waits for the run to end after an abort.
func (r *rig) aborted(id string) *workflows.Progress {
	r.Helper()
	return r.until(id, "the end of the abort", func(p *workflows.Progress) bool { return p.Outcome == workflows.Aborted })
}

func step(p *workflows.Progress, id string) workflows.StepProgress {
	i := slices.IndexFunc(p.Steps, func(s workflows.StepProgress) bool { return s.ID == id })
	if i < 0 {
		return workflows.StepProgress{}
	}
	return p.Steps[i]
}

// running waits until the run is at a step.
func (r *rig) running(id, at string) {
	r.Helper()
	r.until(id, at, func(p *workflows.Progress) bool { return step(p, at).State == workflows.Running })
}

// record keeps the history for the replay tests when ACPFLOW_RECORD is set.
func (r *rig) record(id, name string) {
	if os.Getenv("ACPFLOW_RECORD") == "" {
		return
	}
	body, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&historypb.History{Events: r.events(id)})
	require.NoError(r, err)
	require.NoError(r, os.WriteFile(filepath.Join("..", "..", "histories", name+".json"), body, 0o644))
}

func (r *rig) events(id string) []*historypb.HistoryEvent {
	r.Helper()
	var out []*historypb.HistoryEvent
	events := r.temporal.GetWorkflowHistory(r.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(r, err)
		out = append(out, event)
	}
	return out
}

// history returns the event history as the bytes Temporal keeps: payloads stand
// in them as they are, so that a search finds what is there.
func (r *rig) history(id string) []byte {
	r.Helper()
	var out []byte
	for _, event := range r.events(id) {
		raw, err := proto.Marshal(event)
		require.NoError(r, err)
		out = append(out, raw...)
	}
	return out
}

// synchronizers are the Pods of the plugin on a side that are not on their way out.
func (r *rig) synchronizers(side *labtest.Side) []corev1.Pod {
	r.Helper()
	list, err := side.API.CoreV1().Pods(syncplugin.Namespace).List(r.Context(), metav1.ListOptions{LabelSelector: syncplugin.PodSelector})
	require.NoError(r, err)
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
}

// removePlugin uninstalls the synchronizer of a side by hand, for the next test.
func (r *rig) removePlugin(side *labtest.Side) {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Minute)
	defer cancel()
	labels := metav1.ListOptions{LabelSelector: "cpaas.io/module-name=" + syncplugin.Name}
	for {
		infos, err := side.Dynamic.Resource(modules).List(ctx, labels)
		require.NoError(r, err)
		for _, i := range infos.Items {
			if err := side.Dynamic.Resource(modules).Delete(ctx, i.GetName(), metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
				require.NoError(r, err)
			}
		}
		pods, err := side.API.CoreV1().Pods(syncplugin.Namespace).List(ctx, metav1.ListOptions{LabelSelector: syncplugin.PodSelector})
		require.NoError(r, err)
		_, err = side.API.CoordinationV1().Leases(syncplugin.Namespace).Get(ctx, syncplugin.LeaseName, metav1.GetOptions{})
		if len(infos.Items)+len(pods.Items) == 0 && apierrors.IsNotFound(err) {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}
