package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// A step may hold back an undo (Step.Hold): what was done is then safer than what an
// abort would put back. It is asked before anything is taken back. At a gate of a step
// the abort is refused, and the person may still go on; a run that is cancelled, or one
// that asks nobody, has no such gate, so its undo waits at one of its own.

// errUnsure is the type of a Hold's error when it could not be told whether the undo
// is safe. A person who was told so and wants it all the same gets it.
const errUnsure = "Unsure"

func unsure(text string) error {
	return temporal.NewNonRetryableApplicationError(clip(text, maxGateText), errUnsure, nil)
}

// mayUndo asks what has been begun and would be taken back whether it may be. The
// step is the one that holds it. A person who has just been told of a doubt has
// answered it by asking again.
func (r *run) mayUndo(ctx workflow.Context) (step int, err error) {
	told := isType(r.hold, errUnsure)
	for _, i := range r.backwards(len(r.steps) - 1) {
		if hold := r.steps[i].Hold; hold != nil {
			if r.hold = hold(ctx, told); r.hold != nil {
				return i, r.hold
			}
		}
	}
	r.hold, r.cleared = nil, true
	return 0, nil
}

// mayAbort refuses an abort that a step holds back. Where nobody can be asked and
// where the run is cancelled meanwhile, the undo itself asks.
func (r *run) mayAbort(ctx workflow.Context) error {
	if r.progress.Request.OnFailure == OnFailureAbort {
		return nil
	}
	if _, err := r.mayUndo(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("NOT aborted: %s. Nothing has been taken back, and retry goes on", plainText(err))
	}
	return nil
}

// stays parks a step again whose abort was refused: failed is why it is parked.
func (r *run) stays(ctx workflow.Context, state *StepProgress, failed string, refusal error) {
	text := refusal.Error()
	if failed != "" {
		text += ". The step itself had failed: " + failed
	}
	r.end(ctx, state, Parked, nil, clip(text, maxGateText))
}

// release waits until nothing holds the undo back any more. It returns false when a
// person has decided that everything stays as it is.
func (r *run) release(ctx workflow.Context, undo []int) (bool, error) {
	if !r.cleared {
		r.hold = nil // a cancellation is no word either: at a gate of this undo nobody was told yet
	}
	for !r.cleared {
		i, err := r.mayUndo(ctx)
		if err == nil {
			break
		}
		if r.lostLease() {
			return false, err
		}
		text := plainText(err) + ". Nothing has been taken back yet, and this run can't go on: retry looks again; skip ends it and leaves everything as it is, so that another run can go on"
		actions := []Action{Retry, Skip}
		if isType(err, errUnsure) {
			text += "; abort takes everything back all the same"
			actions = append(actions, Abort)
		}
		decision, err := r.gates.ask(ctx, Gate{Step: r.progress.Steps[i].ID, Undo: true, Error: clip(text, maxGateText), Actions: actions})
		if err != nil {
			return false, err
		}
		switch decision.Action {
		case Retry:
			r.hold = nil // a look is no word
		case Skip:
			for _, k := range undo {
				r.progress.Steps[k].Error = fmt.Sprintf("NOT undone, %s: %s (it was held back: %s)", decision.By, decision.Reason, plainText(r.hold))
			}
			return false, nil
		}
	}
	return true, nil
}
