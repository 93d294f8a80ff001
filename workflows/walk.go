package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
)

// walk does the steps in order. When one ends the run, everything reversible
// that was begun before the point of no return is undone in reverse order.
func (r *run) walk(ctx workflow.Context) error {
	for i := range r.steps {
		if err := r.step(ctx, i); err != nil {
			return r.unwind(ctx, i, err)
		}
	}
	return nil
}

// step does one step, asking a person each time it fails. It returns nil when
// the step is done or skipped, and an error when the run shall end.
func (r *run) step(ctx workflow.Context, i int) error {
	state := &r.progress.Steps[i]
	for {
		if ctx.Err() != nil {
			return ctx.Err() // never begun, so it can't have acted
		}
		r.begin(ctx, state)
		evidence, err := r.steps[i].Do(ctx)
		if state.PointOfNoReturn && !isType(err, string(fault.Refused)) {
			r.passed = true // also when it failed or was cancelled: it may have acted
		}
		if err == nil {
			r.end(ctx, state, Done, &evidence, "")
			return nil
		}
		if ctx.Err() != nil {
			r.end(ctx, state, NotRun, nil, "cancelled")
			return ctx.Err()
		}
		message := plainText(err)
		r.end(ctx, state, Parked, &evidence, message)
		decision, err := r.decide(ctx, state.StepInfo, message)
		if err != nil {
			state.State = NotRun
			return err
		}
		switch decision.Action {
		case Skip:
			state.State = SkippedBy
			state.Error = fmt.Sprintf("skipped by %s: %s (it had failed: %s)", decision.By, decision.Reason, message)
			showBoard(ctx, &r.progress)
			return nil
		case Abort:
			return temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("aborted by %s at step %s: %s. The step had failed: %s", decision.By, state.ID, decision.Reason, message), ErrAborted, nil)
		}
	}
}

// decide asks a person, unless the request already answered for a pipeline.
func (r *run) decide(ctx workflow.Context, info StepInfo, message string) (Decision, error) {
	if r.progress.Request.OnFailure == OnFailureAbort {
		auto := Decision{Step: info.ID, Action: Abort, By: "the request (onFailure: abort)", Reason: "no person is asked"}
		r.progress.Decisions = append(r.progress.Decisions, Decided{Decision: auto, At: workflow.Now(ctx), Error: message})
		return auto, nil
	}
	actions := []Action{Retry}
	if info.Skippable {
		actions = append(actions, Skip)
	}
	return r.gates.ask(ctx, Gate{Step: info.ID, Error: message, Actions: append(actions, Abort)})
}

// unwind undoes in a context of its own, so that a cancelled run cleans up too.
func (r *run) unwind(ctx workflow.Context, last int, cause error) error {
	if r.passed || r.leaseLost {
		return cause // what is done can't be taken back by acpflow, or is no longer ours to touch
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	r.progress.Outcome = Undoing
	upsertOutcome(ctx, Undoing)
	showBoard(ctx, &r.progress)
	for i := last; i >= 0; i-- {
		state := &r.progress.Steps[i]
		if r.steps[i].Undo == nil || state.Tries == 0 {
			continue
		}
		if err := r.undo(ctx, i); err != nil {
			return err
		}
	}
	return cause
}

// undo repeats until it worked or a person lets it go: a run must not end
// half undone without somebody having said so.
func (r *run) undo(ctx workflow.Context, i int) error {
	state := &r.progress.Steps[i]
	for {
		evidence, err := r.steps[i].Undo(ctx)
		if err == nil {
			r.end(ctx, state, Undone, &evidence, state.Error)
			return nil
		}
		message := plainText(err)
		decision, err := r.gates.ask(ctx, Gate{Step: state.ID, Undo: true, Error: message, Actions: []Action{Retry, Skip}})
		if err != nil {
			return err
		}
		if decision.Action == Skip {
			state.Error = fmt.Sprintf("NOT undone, %s: %s (the undo had failed: %s)", decision.By, decision.Reason, message)
			return nil
		}
	}
}

func (r *run) begin(ctx workflow.Context, s *StepProgress) {
	now := workflow.Now(ctx)
	if s.Started == nil {
		s.Started = &now
	}
	s.State, s.Ended, s.Error = Running, nil, ""
	s.Tries++
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttrStep.ValueSet(s.ID)); err != nil {
		workflow.GetLogger(ctx).Warn("step not recorded", "error", err)
	}
	showBoard(ctx, &r.progress)
}

func (r *run) end(ctx workflow.Context, s *StepProgress, state StepState, evidence *activities.Evidence, message string) {
	now := workflow.Now(ctx)
	s.State, s.Ended, s.Error = state, &now, message
	if evidence != nil && evidence.Summary != "" {
		s.Evidence = evidence
	}
	showBoard(ctx, &r.progress)
}
