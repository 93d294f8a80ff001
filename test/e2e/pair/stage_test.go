package pair

import (
	"context"
	"encoding/json"
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
	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/workflows"
)

var modules = schema.GroupVersionResource{Group: "cluster.alauda.io", Version: "v1alpha1", Resource: "moduleinfoes"}

// stage is the pair as the tests of the synchronizer's own runbook use it: they
// begin without a synchronizer. with gives it to a subtest.
type stage struct {
	*testing.T
	*labtest.Pair
	world *rig
}

// onStage takes the pair, and its synchronizer away.
func onStage(t *testing.T) *stage {
	t.Helper()
	w := built(t)
	r := &stage{T: t, Pair: &labtest.Pair{Lab: w.lab, Site: w.document(t), West: w.west, East: w.east}, world: w}
	r.removePlugin(r.East)
	require.NoError(t, w.lab.PublishSync(t.Context(), east, "v4.1.0"))
	return r
}

func (r *stage) with(t *testing.T) *stage {
	copied := *r
	copied.T = t
	return &copied
}

// killWorker ends the worker as a crash does and starts another.
func (r *stage) killWorker() {
	r.Helper()
	r.world.Worker.Kill()
	require.NoError(r, r.world.StartWorker(r.Context()))
}

// document writes the pair's site document under a name of its own, changed by
// edit, and returns the name.
func (r *stage) document(name string, edit func(*site.Site)) string {
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
	require.NoError(r, os.WriteFile(filepath.Join(r.world.Sites, name+".yaml"), body, 0o600))
	return name
}

// start starts the runbook behind a CLI verb for a cluster and returns its id.
func (r *stage) start(verb, site, cluster string) string {
	r.Helper()
	return r.world.Start(r, verb, site, "--cluster", cluster)
}

func (r *stage) until(id, what string, holds func(*workflows.Progress) bool) *workflows.Progress {
	r.Helper()
	return r.world.Until(r, id, what, holds)
}

// succeeds waits for the run's good end and logs how it went.
func (r *stage) succeeds(id string) *workflows.Progress {
	r.Helper()
	p := r.world.Succeeds(r, id)
	r.Logf("%s took %s:\n%s", id, p.Ended.Sub(p.Started).Round(time.Second), runs.Steps(p))
	return p
}

func (r *stage) gate(id, step string) *workflows.Gate { r.Helper(); return r.world.Gate(r, id, step) }

func (r *stage) decide(id, action, reason string) { r.Helper(); r.world.Decide(r, id, action, reason) }

// aborted waits for the run to end after an abort.
func (r *stage) aborted(id string) *workflows.Progress {
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
func (r *stage) running(id, at string) {
	r.Helper()
	r.until(id, at, func(p *workflows.Progress) bool { return step(p, at).State == workflows.Running })
}

// record keeps the history for the replay tests when ACPFLOW_RECORD is set.
func (r *stage) record(id, name string) {
	if os.Getenv("ACPFLOW_RECORD") == "" {
		return
	}
	body, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&historypb.History{Events: r.events(id)})
	require.NoError(r, err)
	require.NoError(r, os.WriteFile(filepath.Join("..", "..", "histories", name+".json"), body, 0o644))
}

func (r *stage) events(id string) []*historypb.HistoryEvent {
	r.Helper()
	var out []*historypb.HistoryEvent
	events := r.world.Temporal.GetWorkflowHistory(r.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(r, err)
		out = append(out, event)
	}
	return out
}

// history returns the event history as the bytes Temporal keeps: payloads stand
// in them as they are, so that a search finds what is there.
func (r *stage) history(id string) []byte {
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
func (r *stage) synchronizers(side *labtest.Side) []corev1.Pod {
	r.Helper()
	list, err := side.API.CoreV1().Pods(syncplugin.Namespace).List(r.Context(), metav1.ListOptions{LabelSelector: syncplugin.PodSelector})
	require.NoError(r, err)
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
}

// removePlugin uninstalls the synchronizer of a side by hand, for the next test.
func (r *stage) removePlugin(side *labtest.Side) {
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
