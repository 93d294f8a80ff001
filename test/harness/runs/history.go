package runs

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"google.golang.org/protobuf/proto"

	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/workflows"
)

// Step is a step of a run by its id, the zero value where there is none.
func Step(p *workflows.Progress, id string) workflows.StepProgress {
	i := slices.IndexFunc(p.Steps, func(s workflows.StepProgress) bool { return s.ID == id })
	if i < 0 {
		return workflows.StepProgress{}
	}
	return p.Steps[i]
}

// Begun reports whether a run has come to a step. A short one may be over before a
// busy machine sees it, so what is over counts, too.
func Begun(p *workflows.Progress, id string) bool {
	state := Step(p, id).State
	return state != "" && state != workflows.Pending
}

// Events are the history of a run so far. It may be asked for in a cleanup.
func (r *Runs) Events(t testing.TB, id string) []*historypb.HistoryEvent {
	t.Helper()
	var out []*historypb.HistoryEvent
	events := r.Temporal.GetWorkflowHistory(context.WithoutCancel(t.Context()), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			t.Fatalf("history of %s: %v", id, err)
		}
		out = append(out, event)
	}
	return out
}

// Bytes is the history as Temporal keeps it: payloads stand in it as they are, so
// that a search finds what is there.
func (r *Runs) Bytes(t testing.TB, id string) []byte {
	t.Helper()
	var out []byte
	for _, event := range r.Events(t, id) {
		raw, err := proto.Marshal(event)
		if err != nil {
			t.Fatalf("history of %s: %v", id, err)
		}
		out = append(out, raw...)
	}
	return out
}

// Record keeps the history for the replay tests, as NAME.json in the folder that
// ACPFLOW_RECORD names. Without one it does nothing: CI replays what is recorded.
func (r *Runs) Record(t testing.TB, id, name string) {
	t.Helper()
	folder := os.Getenv("ACPFLOW_RECORD")
	if folder == "" {
		return
	}
	body, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&historypb.History{Events: r.Events(t, id)})
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".json"), body, 0o644)
	}
	if err != nil {
		t.Fatalf("record %s as %s: %v", id, name, err)
	}
}

// KillWorker ends the worker as a crash does and starts another.
func (r *Runs) KillWorker(t testing.TB) {
	t.Helper()
	r.Worker.Kill()
	if err := r.StartWorker(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// KillAfterEveryActivity starts a run and kills the worker each time that it has
// reported an activity as done, until the run has ended. It returns the run's id
// and how often that was. Then, which may be nil, is called while no worker is
// there, with the number of the kill.
func (r *Runs) KillAfterEveryActivity(t testing.TB, start func() string, then func(kill int)) (id string, kills int) {
	t.Helper()
	turnstile, err := harness.NewTurnstile(t.Context(), r.Server)
	if err != nil {
		t.Fatal(err)
	}
	defer turnstile.Stop()
	r.environs = []string{"TEMPORAL_ADDRESS=" + turnstile.Address}
	defer func() {
		r.environs = nil
		r.KillWorker(t) // the last one would have no way to Temporal
	}()
	r.KillWorker(t)
	id = start()
	ended := make(chan error, 1)
	go func() { ended <- r.Temporal.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil) }()
	for {
		select {
		case <-ended:
			return id, kills
		case <-time.After(Patience):
			t.Fatalf("%d kills, and then nothing for %v\nworker log:\n%s", kills, Patience, r.Worker.Log())
		case <-turnstile.Done:
		}
		kills++
		r.Worker.Kill()
		if then != nil {
			then(kills)
		}
		turnstile.Open()
		if err := r.StartWorker(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Survived reads from the history that hardly a worker lived through two steps:
// the kill came between them.
func (r *Runs) Survived(t testing.TB, id string) {
	t.Helper()
	step, last, lastStep := "", "", ""
	began := map[int64]string{} // event id of the schedule → step
	boundaries, outlived := 0, []string{}
	for _, event := range r.Events(t, id) {
		if s := StepOf(event); s != "" {
			step = s
		}
		if event.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED {
			began[event.GetEventId()] = step
		}
		started := event.GetActivityTaskStartedEventAttributes()
		if started == nil {
			continue
		}
		of := began[started.GetScheduledEventId()]
		if lastStep != "" && of != lastStep {
			boundaries++
			if started.GetIdentity() == last {
				outlived = append(outlived, lastStep+" → "+of)
			}
		}
		last, lastStep = started.GetIdentity(), of
	}
	t.Logf("%d boundaries between steps; no kill at %v", boundaries, outlived)
	if len(outlived) > boundaries/10 {
		t.Errorf("the kill came too late at %s", strings.Join(outlived, ", "))
	}
}

// StepOf is the step that begins with an event.
func StepOf(event *historypb.HistoryEvent) string {
	fields := event.GetUpsertWorkflowSearchAttributesEventAttributes().GetSearchAttributes().GetIndexedFields()
	return strings.Trim(string(fields[workflows.AttrStep.GetName()].GetData()), `"`)
}
