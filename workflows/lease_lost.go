package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// wayBack is the undo of a run: the steps that it takes back, in its order, and how
// many of them it has begun.
type wayBack struct {
	steps  []int
	begun  int
	cancel workflow.CancelFunc
}

// stop ends an undo, also one that waits for a person. Nil is one that never began.
func (b *wayBack) stop() {
	if b != nil {
		b.cancel()
	}
}

// lostLease reports whether somebody ended the lease of this run. It is asked right
// before the run changes anything more: whoever is told of the loss may be told later.
func (r *run) lostLease() bool { return r.leaseLost || r.held != nil && r.held.lost() }

// endedWithoutLease is the end of a run whose lease was ended from outside. It says
// what was taken back by then, because nobody takes back the rest.
func (r *run) endedWithoutLease(cause error) error {
	did := "stopped at once and undid nothing"
	switch {
	case r.back != nil:
		did = "stopped in the middle of its undo. " + r.backSoFar()
	case cause == nil:
		did = "ended, with all that it was to do done"
	}
	site := r.progress.Request.Site
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf("the lease of site %s (workflow %s) was ended from outside and another run may change the site now, so this run %s. "+
		"Fix: see with acpflow list --site %s --open that none does, look at the steps that were done, then start again", site, LeaseID(site), did, site), ErrSiteBusy, nil)
}

// backSoFar tells how far an undo came that was cut off, and notes it at the steps.
func (r *run) backSoFar() string {
	var undone, partly, left []string
	for k, i := range r.back.steps {
		state := &r.progress.Steps[i]
		switch {
		case state.State == Undone:
			undone = append(undone, state.ID)
			continue
		case k < r.back.begun:
			partly = append(partly, state.ID)
			state.Error = strings.TrimPrefix(state.Error+"; NOT undone, or only in part: the site's lease was ended from outside", "; ")
		default:
			left = append(left, state.ID)
			state.Error = strings.TrimPrefix(state.Error+"; NOT undone: the site's lease was ended from outside", "; ")
		}
	}
	var said []string
	for _, list := range []struct {
		word  string
		steps []string
	}{{"Undone", undone}, {"NOT undone, or only in part", partly}, {"NOT undone", left}} {
		if len(list.steps) > 0 {
			said = append(said, list.word+": "+strings.Join(list.steps, ", "))
		}
	}
	if len(said) == 0 {
		return "There was nothing to undo"
	}
	return strings.Join(said, ". ")
}
