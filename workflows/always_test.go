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

// script is a runbook whose steps only write down that they ran. A step whose
// name is in fails, or stuck, parks for good.
type script struct {
	steps  []workflows.Step
	ran    []string
	fails  string
	stuck  string
	parked func(*world) // after an hour
}

func (s *script) step(id string, change func(*workflows.Step)) {
	note := func(what string) func(workflow.Context) (activities.Evidence, error) {
		return func(workflow.Context) (activities.Evidence, error) {
			s.ran = append(s.ran, what)
			if what == s.fails || what == s.stuck {
				return activities.Evidence{}, temporal.NewNonRetryableApplicationError("broken", "Failed", errors.New("x"))
			}
			return activities.Evidence{Summary: what}, nil
		}
	}
	step := workflows.Step{StepInfo: workflows.StepInfo{ID: "x." + id, Effect: workflows.Write}, Do: note(id), Undo: note("undo " + id)}
	if change != nil {
		change(&step)
	}
	s.steps = append(s.steps, step)
}

func (s *script) run(t *testing.T) (*world, error) {
	w := newWorld(t)
	book := workflows.Runbook{Name: "Script", Verb: "script", Changes: true, Steps: func(*site.Site, *site.Cluster, *workflows.Progress) []workflows.Step { return s.steps }}
	w.env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in converter.RawValue) (*workflows.Progress, error) {
		return workflows.Execute(ctx, book, in)
	}, workflow.RegisterOptions{Name: "Script"})
	r := request
	r.OnFailure = workflows.OnFailureAbort
	if s.parked != nil {
		w.after(time.Hour, func() { s.parked(w) })
	}
	return w, w.runBook("Script", r)
}

func always(s *workflows.Step)   { s.Always = true }
func noReturn(s *workflows.Step) { s.PointOfNoReturn = true }

func TestAlwaysIsUndoneAfterThePointOfNoReturn(t *testing.T) {
	s := &script{fails: "after"}
	s.step("dns", always)
	s.step("upload", nil)
	s.step("post", noReturn)
	s.step("watch", func(s *workflows.Step) { s.Undo = nil })
	s.step("after", func(s *workflows.Step) { s.Undo = nil })
	w, err := s.run(t)
	require.Error(t, err)
	assert.Equal(t, []string{"dns", "upload", "post", "watch", "after", "undo dns"}, s.ran)
	p := w.status()
	assert.Equal(t, workflows.Aborted, p.Outcome)
	assert.Equal(t, workflows.Undone, p.Steps[0].State)
	assert.Equal(t, workflows.Done, p.Steps[1].State)
	assert.True(t, p.Steps[0].Always, "the plan says so")
}

// What was begun after a point of no return is not lost to it.
func TestOnlyWhatLiesBeforeThePointOfNoReturnStays(t *testing.T) {
	s := &script{fails: "second"}
	s.step("first", nil)
	s.step("post", noReturn)
	s.step("copy", nil)
	s.step("second", nil)
	_, err := s.run(t)
	require.Error(t, err)
	assert.Equal(t, []string{"first", "post", "copy", "second", "undo second", "undo copy"}, s.ran)
}

// A point of no return that failed may have acted, so it is not undone itself.
func TestFailedPointOfNoReturnIsNotUndone(t *testing.T) {
	s := &script{fails: "post"}
	s.step("dns", always)
	s.step("upload", nil)
	s.step("post", noReturn)
	_, err := s.run(t)
	require.Error(t, err)
	assert.Equal(t, []string{"dns", "upload", "post", "undo dns"}, s.ran)
}

// The undo of a step on a dead machine asks a person, for ever where nobody is:
// what must be undone whatever happens does not wait behind it.
func TestAlwaysIsUndoneBeforeAllOthers(t *testing.T) {
	s := &script{fails: "watch", stuck: "undo copy"}
	s.step("first", nil)
	s.step("dns", always)
	s.step("port", always)
	s.step("copy", nil)
	s.step("upload", nil)
	s.step("watch", nil)
	met := false
	s.parked = func(w *world) {
		met = true
		p := w.status()
		if assert.NotNil(t, p.Gate) {
			assert.Equal(t, "x.copy", p.Gate.Step)
		}
		assert.Equal(t, workflows.Undone, p.Steps[1].State)
		assert.Equal(t, []string{"undo port", "undo dns", "undo watch", "undo upload", "undo copy"}, s.ran[6:])
		w.decide(workflows.Decision{Step: "x.copy", Action: workflows.Skip, By: "ops", Reason: "the node is dead"})
	}
	_, err := s.run(t)
	require.Error(t, err)
	assert.True(t, met)
	assert.Equal(t, "undo first", s.ran[len(s.ran)-1])
}

func TestAlwaysNeedsToHaveBegun(t *testing.T) {
	s := &script{fails: "upload"}
	s.step("upload", nil)
	s.step("dns", always)
	_, err := s.run(t)
	require.Error(t, err)
	assert.Equal(t, []string{"upload", "undo upload"}, s.ran)
}

func TestWhatIsNotNeededIsNeitherDoneNorUndone(t *testing.T) {
	s := &script{fails: "last"}
	reason := ""
	s.step("look", func(step *workflows.Step) {
		do := step.Do
		step.Do = func(ctx workflow.Context) (activities.Evidence, error) {
			reason = "it is there already"
			return do(ctx)
		}
	})
	s.step("make", func(step *workflows.Step) {
		step.PointOfNoReturn, step.Always = true, true
		step.Ask = func(workflow.Context) (string, error) { return "make it?", nil }
		*step = workflows.Unless(func() string { return reason }, workflows.Unless(func() string { return "never" }, *step))
	})
	s.step("needed", func(step *workflows.Step) { *step = workflows.Unless(func() string { return "" }, *step) })
	s.step("last", nil)
	w, err := s.run(t)
	require.Error(t, err)
	assert.Equal(t, []string{"look", "needed", "last", "undo last", "undo needed", "undo look"}, s.ran)
	made := w.status().Steps[1]
	assert.Equal(t, workflows.Done, made.State)
	assert.Equal(t, "not needed: it is there already", made.Evidence.Summary)
	assert.Zero(t, made.Tries)
}
