package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// asking is a runbook of two steps, the second of which asks before it acts.
type asking struct {
	question string
	cannot   error // instead of a question
	steps    []string
	info     workflows.StepInfo
}

func (a *asking) register(w *world) {
	do := func(name string) func(workflow.Context) (activities.Evidence, error) {
		return func(workflow.Context) (activities.Evidence, error) {
			a.steps = append(a.steps, name)
			return activities.Evidence{Summary: "done"}, nil
		}
	}
	a.info.ID, a.info.Effect = "fix.02-remove", workflows.Destructive
	book := workflows.Runbook{Name: "Asking", Verb: "ask", Changes: true, Steps: func(*site.Site, *site.Cluster, *workflows.Progress) []workflows.Step {
		return []workflows.Step{
			{StepInfo: workflows.StepInfo{ID: "fix.01-move", Effect: workflows.Write}, Do: do("move"), Undo: do("move back")},
			{StepInfo: a.info, Do: do("remove"), Ask: func(workflow.Context) (string, error) { return a.question, a.cannot }},
		}
	}}
	w.env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in converter.RawValue) (*workflows.Progress, error) {
		return workflows.Execute(ctx, book, in)
	}, workflow.RegisterOptions{Name: "Asking"})
}

// answered runs the book and gives one answer to its question.
func (a *asking) answered(t *testing.T, action workflows.Action) (*world, error) {
	w := newWorld(t)
	a.register(w)
	w.after(time.Minute, func() {
		gate := w.status().Gate
		require.NotNil(t, gate)
		assert.Equal(t, a.question, gate.Text())
		assert.NotContains(t, a.steps, "remove", "it asks before it acts")
		w.refused("possible:", workflows.Decision{Step: gate.Step, Action: workflows.Retry, By: "me", Reason: "no"})
		w.refused("reason", workflows.Decision{Step: gate.Step, Action: workflows.Approve, By: "me"})
		w.decide(workflows.Decision{Step: gate.Step, Action: action, By: "me", Reason: "seen"})
	})
	err := w.runBook("Asking", request)
	assert.Equal(t, 2, w.rejections)
	return w, err
}

func TestApprovedStepActs(t *testing.T) {
	a := &asking{question: "remove docker-ce?"}
	w, err := a.answered(t, workflows.Approve)
	require.NoError(t, err)
	assert.Equal(t, []string{"move", "remove"}, a.steps)
	d := w.status().Decisions
	require.Len(t, d, 1)
	assert.Equal(t, "remove docker-ce?", d[0].Error, "the record says what was approved")
}

func TestSkippedApprovalActsNot(t *testing.T) {
	a := &asking{question: "remove docker-ce?", info: workflows.StepInfo{Skippable: true}}
	w, err := a.answered(t, workflows.Skip)
	require.NoError(t, err)
	assert.Equal(t, []string{"move"}, a.steps)
	assert.Equal(t, workflows.SkippedBy, w.status().Steps[1].State)
}

// A refusal ends the run before the step acted, so what was done is undone even
// when the step is the point of no return.
func TestRefusedApprovalUndoes(t *testing.T) {
	a := &asking{question: "remove docker-ce?", info: workflows.StepInfo{PointOfNoReturn: true}}
	w, err := a.answered(t, workflows.Abort)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.Equal(t, workflows.ErrAborted, app.Type())
	assert.Contains(t, app.Message(), "not approved")
	assert.Equal(t, []string{"move", "move back"}, a.steps)
	assert.Equal(t, workflows.NotRun, w.status().Steps[1].State)
}

func TestNoQuestionNoGate(t *testing.T) {
	w := newWorld(t)
	a := &asking{}
	a.register(w)
	require.NoError(t, w.runBook("Asking", request))
	assert.Equal(t, []string{"move", "remove"}, a.steps)
	assert.Empty(t, w.status().Decisions)
}

// A pipeline that asks nobody approves nothing.
func TestPipelineApprovesNothing(t *testing.T) {
	for _, skippable := range []bool{true, false} {
		w := newWorld(t)
		a := &asking{question: "remove docker-ce?", info: workflows.StepInfo{Skippable: skippable}}
		a.register(w)
		r := request
		r.OnFailure = workflows.OnFailureAbort
		err := w.runBook("Asking", r)
		assert.NotContains(t, a.steps, "remove")
		assert.Equal(t, skippable, err == nil, "%v", err)
	}
}

// What can't be asked about parks like a failure.
func TestUnknownQuestionParks(t *testing.T) {
	w := newWorld(t)
	a := &asking{cannot: temporal.NewNonRetryableApplicationError("no list of packages", "Failed", errors.New("x"))}
	a.register(w)
	w.after(time.Minute, func() {
		assert.Equal(t, []workflows.Action{workflows.Retry, workflows.Abort}, w.status().Gate.Actions)
		a.cannot = nil
		w.decide(workflows.Decision{Step: "fix.02-remove", Action: workflows.Retry, By: "me"})
	})
	require.NoError(t, w.runBook("Asking", request))
	assert.Equal(t, []string{"move", "remove"}, a.steps)
}
