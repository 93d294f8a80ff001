package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"
)

// consent gets the approval that a step asks for. The action is empty when the
// step may act, else it is the answer: skip or abort.
func (r *run) consent(ctx workflow.Context, i int) (Action, error) {
	ask := r.steps[i].Ask
	if ask == nil {
		return "", nil
	}
	question, err := ask(ctx)
	if err != nil || question == "" {
		return "", err
	}
	decision, err := r.approve(ctx, i, question)
	if err != nil || decision.Action == Approve {
		return "", err
	}
	return decision.Action, nil
}

// declined is the end of a step that may not act.
func (r *run) declined(state *StepProgress, answer Action) error {
	if answer == Skip {
		return nil
	}
	return r.aborted(state)
}

// approve asks before the step acts. Where nobody can be asked, nothing is
// approved: the step is skipped if it may be, else the run ends.
func (r *run) approve(ctx workflow.Context, i int, question string) (Decision, error) {
	state := &r.progress.Steps[i]
	gate := Gate{Step: state.ID, Question: question, Actions: []Action{Approve}}
	if state.Skippable {
		gate.Actions = append(gate.Actions, Skip)
	}
	gate.Actions = append(gate.Actions, Abort)
	var decision Decision
	if r.progress.Request.OnFailure == OnFailureAbort {
		decision = Decision{Step: state.ID, Action: gate.Actions[1], By: nobody, Reason: "no person is asked, so nothing is approved"}
		r.progress.Decisions = append(r.progress.Decisions, Decided{Decision: decision, At: workflow.Now(ctx), Error: question})
	} else {
		state.State = Parked
		var err error
		if decision, err = r.gates.ask(ctx, gate); err != nil {
			return Decision{}, err
		}
	}
	switch decision.Action {
	case Approve:
		state.State = Running
	case Skip:
		r.end(ctx, state, SkippedBy, nil, fmt.Sprintf("skipped by %s: %s", decision.By, decision.Reason))
	default:
		r.end(ctx, state, NotRun, nil, "not approved: "+question)
	}
	showBoard(ctx, &r.progress)
	return decision, nil
}
