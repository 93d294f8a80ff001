package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

// span is the steps from, up to but not including to.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// groups cuts a list of steps into those that run at the same time: neighbours
// with the same Beside. A point of no return runs alone, because what an abort
// takes back is decided by the order of the steps.
func groups(steps []StepInfo) []span {
	var out []span
	for i, s := range steps {
		if i > 0 && s.Beside != "" && s.Beside == steps[i-1].Beside && !s.PointOfNoReturn && !steps[i-1].PointOfNoReturn {
			out[len(out)-1].to++
			continue
		}
		out = append(out, span{i, i + 1})
	}
	return out
}

// tried is how one try of a step ended.
type tried struct {
	evidence activities.Evidence
	err      error
}

// group does neighbouring steps side by side. People are asked before any of
// them acts. When all have ended, those that failed are dealt with one after
// another, in the order of the plan, so that no two gates are ever open.
func (r *run) group(ctx workflow.Context, g span) error {
	agreed, err := r.agree(ctx, g)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		r.neverBegan(agreed)
		return ctx.Err()
	}
	for k, end := range r.together(ctx, agreed) {
		if end.err == nil {
			continue
		}
		again, err := r.askAgain(ctx, &r.progress.Steps[agreed[k]])
		if err == nil && again {
			err = r.step(ctx, agreed[k])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// agree returns the steps of a group that are needed and approved.
func (r *run) agree(ctx workflow.Context, g span) ([]int, error) {
	var agreed []int
	for i := g.from; i < g.to; i++ {
		if r.leaveOut(ctx, i) {
			continue
		}
		yes, err := r.agreeTo(ctx, i)
		if err != nil {
			r.neverBegan(agreed)
			return nil, err
		}
		if yes {
			agreed = append(agreed, i)
		}
	}
	return agreed, nil
}

// agreeTo gets the approval of one step before its group begins.
func (r *run) agreeTo(ctx workflow.Context, i int) (bool, error) {
	state := &r.progress.Steps[i]
	for r.steps[i].Ask != nil {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		r.begin(ctx, state)
		answer, err := r.consent(ctx, i)
		switch {
		case err == nil && answer == "":
			state.State = Pending // until all have been asked
			return true, nil
		case err == nil:
			return false, r.declined(state, answer)
		}
		r.park(ctx, state, activities.Evidence{}, err)
		if again, err := r.askAgain(ctx, state); !again {
			return false, err
		}
	}
	return true, nil
}

// neverBegan is for steps that were approved and did not get to act.
func (r *run) neverBegan(agreed []int) {
	for _, i := range agreed {
		r.progress.Steps[i].State = NotRun
	}
}

// together runs one try of each step at the same time and returns when all have
// ended, also when the run is cancelled: none may go on behind the undo.
func (r *run) together(ctx workflow.Context, steps []int) []tried {
	ends := make([]tried, len(steps))
	all := workflow.NewWaitGroup(ctx)
	for k, i := range steps {
		state := &r.progress.Steps[i]
		if r.steps[i].Ask == nil {
			r.begin(ctx, state)
		} else {
			state.State = Running // begun when it was asked about
		}
		all.Add(1)
		workflow.GoNamed(ctx, state.ID, func(ctx workflow.Context) {
			defer all.Done()
			end := &ends[k]
			if end.evidence, end.err = r.act(ctx, i); end.err != nil {
				r.park(ctx, state, end.evidence, end.err)
				return
			}
			r.end(ctx, state, Done, &end.evidence, "")
		})
	}
	showBoard(ctx, &r.progress)
	all.Wait(ctx)
	return ends
}
