package workflows

import (
	"cmp"
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
)

// nobody answers for a request that asks no person.
const nobody = "the request (onFailure: abort)"

// walk does the steps in order. When one ends the run, everything reversible
// that was begun after the last point of no return is undone, and of what lies
// before it only the steps that say Always; see backwards for the order.
func (r *run) walk(ctx workflow.Context) error {
	dry := r.progress.Request.DryRun
	for _, g := range groups(infos(r.steps)) {
		if g.len() > 1 && !dry {
			if err := r.group(ctx, g); err != nil {
				return r.unwind(ctx, g.to-1, err)
			}
			continue
		}
		for i := g.from; i < g.to; i++ {
			if r.leaveOut(ctx, i) {
				continue
			}
			if dry && r.steps[i].Effect != Read {
				r.wouldRun(ctx, i)
				return nil
			}
			if err := r.step(ctx, i); err != nil {
				return r.unwind(ctx, i, err)
			}
		}
	}
	return nil
}

// leaveOut ends a step that is not needed, and says why. It counts as never
// begun: there is nothing to undo, and no point of no return is passed.
func (r *run) leaveOut(ctx workflow.Context, i int) bool {
	if r.steps[i].unneeded == nil {
		return false
	}
	why := r.steps[i].unneeded()
	if why == "" {
		return false
	}
	r.end(ctx, &r.progress.Steps[i], Done, &activities.Evidence{Summary: "not needed: " + why}, "")
	return true
}

// wouldRun marks what a dry run leaves out: the first step that changes
// anything and all that follow, since they build on it.
func (r *run) wouldRun(ctx workflow.Context, first int) {
	for i := first; i < len(r.progress.Steps); i++ {
		r.progress.Steps[i].State = WouldRun
	}
	showBoard(ctx, &r.progress)
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
		answer, err := r.consent(ctx, i)
		if err == nil && answer != "" {
			return r.declined(state, answer)
		}
		var evidence activities.Evidence
		if err == nil {
			evidence, err = r.act(ctx, i)
		}
		if err == nil {
			r.end(ctx, state, Done, &evidence, "")
			return nil
		}
		r.park(ctx, state, evidence, err)
		if again, err := r.askAgain(ctx, state); !again {
			return err
		}
	}
}

// park ends a try that failed.
func (r *run) park(ctx workflow.Context, state *StepProgress, evidence activities.Evidence, cause error) {
	if ctx.Err() != nil {
		r.end(ctx, state, NotRun, nil, "cancelled")
		return
	}
	r.end(ctx, state, Parked, &evidence, plainText(cause))
}

// askAgain asks a person about a step whose try failed. When it is not to be
// tried again, it returns what step returns.
func (r *run) askAgain(ctx workflow.Context, state *StepProgress) (again bool, err error) {
	failed := state.Error
	if r.hold != nil { // it has not failed: it was not approved, and the abort was refused
		failed = ""
	}
	for ctx.Err() == nil {
		message := state.Error
		decision, err := r.decide(ctx, state.StepInfo, message)
		if err != nil {
			state.State = NotRun
			return false, err
		}
		switch decision.Action {
		case Retry:
			return true, nil
		case Skip:
			state.State = SkippedBy
			state.Error = fmt.Sprintf("skipped by %s: %s (it had failed: %s)", decision.By, decision.Reason, message)
			showBoard(ctx, &r.progress)
			return false, nil
		}
		refusal := r.mayAbort(ctx)
		if refusal == nil {
			return false, r.aborted(state)
		}
		r.stays(ctx, state, failed, refusal)
	}
	return false, ctx.Err()
}

// act does the step, and notes when there is no way back from it.
func (r *run) act(ctx workflow.Context, i int) (activities.Evidence, error) {
	evidence, err := r.steps[i].Do(ctx)
	if r.steps[i].PointOfNoReturn && !isType(err, string(fault.Refused)) {
		r.passed = i + 1 // also when it failed or was cancelled: it may have acted
	}
	return evidence, err
}

// aborted is the end of a run that the last decision asked for.
func (r *run) aborted(state *StepProgress) error {
	d := r.progress.Decisions[len(r.progress.Decisions)-1]
	what := "The step had failed: " + d.Error
	if state.State == NotRun {
		what = "The step was not approved"
	}
	if r.passed > 0 {
		what += ". The point of no return, step " + r.steps[r.passed-1].ID + ", was passed: what was done stays, and what follows was not done"
	}
	return temporal.NewNonRetryableApplicationError(
		fmt.Sprintf("aborted by %s at step %s: %s. %s", d.By, state.ID, d.Reason, what), ErrAborted, nil)
}

// decide asks a person, unless the request already answered for a pipeline.
func (r *run) decide(ctx workflow.Context, info StepInfo, message string) (Decision, error) {
	if r.progress.Request.OnFailure == OnFailureAbort {
		auto := Decision{Step: info.ID, Action: Abort, By: nobody, Reason: "no person is asked"}
		now := workflow.Now(ctx)
		r.progress.Decisions = append(r.progress.Decisions, Decided{Decision: auto, Asked: now, At: now, Error: message})
		return auto, nil
	}
	actions := []Action{Retry}
	if info.Skippable {
		actions = append(actions, Skip)
	}
	return r.gates.ask(ctx, Gate{Step: info.ID, Error: message, Actions: append(actions, Abort)})
}

// unwind undoes in a context of its own, so that a cancelled run cleans up too.
// Only the loss of the lease ends it: then another run may change the site.
func (r *run) unwind(ctx workflow.Context, last int, cause error) error {
	if r.lostLease() {
		return cause // what is done is no longer ours to touch
	}
	undo := r.backwards(last)
	if r.passed > 0 && len(undo) == 0 {
		return cause // before a point of no return it says that it undoes also when it finds nothing
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	r.back = &wayBack{steps: undo, cancel: cancel}
	r.progress.Outcome = Undoing
	upsertOutcome(ctx, Undoing)
	showBoard(ctx, &r.progress)
	if free, err := r.release(ctx, undo); err != nil || !free {
		return cmp.Or(err, cause)
	}
	for _, i := range undo {
		if r.lostLease() {
			return cause
		}
		r.back.begun++
		if err := r.undo(ctx, i); err != nil {
			return err
		}
	}
	return cause
}

// backwards lists what an abort takes back, the last step first. Those that say
// Always go before all others: users feel them, and the undo of another may wait
// for a person because its machine is dead.
func (r *run) backwards(last int) []int {
	var first, then []int
	for i := last; i >= 0; i-- {
		switch {
		case !r.undoes(i):
		case r.steps[i].Always:
			first = append(first, i)
		default:
			then = append(then, i)
		}
	}
	return append(first, then...)
}

// undoes reports whether an abort takes a step back: it was begun, it can be
// undone, and either no point of no return was passed since, or it says Always.
func (r *run) undoes(i int) bool {
	return r.steps[i].Undo != nil && r.progress.Steps[i].Tries > 0 && (i >= r.passed || r.steps[i].Always)
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
		if r.lostLease() {
			return err
		}
		message := plainText(err)
		decision, err := r.gates.ask(ctx, Gate{Step: state.ID, Undo: true, Error: message, Actions: []Action{Retry, Skip}})
		if err != nil {
			return err
		}
		if r.lostLease() { // it may have gone while the answer came
			return errors.New(message)
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
	r.hold = nil
	if !r.book.Roles { // whose steps are over before anybody can list them
		if err := workflow.UpsertTypedSearchAttributes(ctx, AttrStep.ValueSet(s.ID)); err != nil {
			workflow.GetLogger(ctx).Warn("step not recorded", "error", err)
		}
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
