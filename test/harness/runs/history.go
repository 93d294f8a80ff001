package runs

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

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

// KillWorker ends the worker as a crash does and starts another.
func (r *Runs) KillWorker(t testing.TB) {
	t.Helper()
	r.Worker.Kill()
	if err := r.StartWorker(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// KillAfterEveryActivity kills the worker each time the history says that an
// activity is done, until the run has ended, and returns how often.
func (r *Runs) KillAfterEveryActivity(t testing.TB, id string) int {
	t.Helper()
	return r.FollowCompletions(t, id, func(int) { r.KillWorker(t) })
}

// FollowCompletions calls then for every activity that is done, with how many
// were before it, until the run has ended, and returns how many there were.
func (r *Runs) FollowCompletions(t testing.TB, id string, then func(before int)) int {
	t.Helper()
	done := 0
	events := r.Temporal.GetWorkflowHistory(t.Context(), id, "", true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for end := time.Now().Add(4 * Patience); time.Now().Before(end) && events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			t.Fatalf("history of %s: %v", id, err)
		}
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			then(done)
			done++
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
			return done
		}
	}
	return done
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
