package workflows

import (
	"cmp"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

// The record of a takeover that was terminated must tell whether users may have
// written to the new side. So it says when the name was told to lead there before that
// is done, and a name that no record says so of was never moved by a run. What is said
// is taken back by an undo only: a change that was refused, and a person who was asked
// to make it and has not, leave it as it is until then.

// mayMove looks for the last time before the name moves, and has the record say that
// it does. What was seen is looked at anew where writing that took long.
func (t *takeover) mayMove(ctx workflow.Context) error {
	for {
		_, err := together(ctx,
			func(ctx workflow.Context) (string, error) { _, err := t.nothingCopies(ctx); return "", err },
			func(ctx workflow.Context) (string, error) { return t.drifted(ctx), nil })
		if err != nil {
			return refusedAs(err)
		}
		if err := cmp.Or(t.outOfDate(workflow.Now(ctx)), t.noWorse()); err != nil {
			return err
		}
		if t.told() != nil {
			return nil
		}
		entry := t.entry(ctx)
		entry.Moved = &entry.Since
		if _, err := t.write(ctx, t.to, entry); err != nil {
			return refusedAs(err)
		}
		t.said = entry.Moved
		if workflow.Now(ctx).Sub(*t.looked) <= lookLasts {
			return nil
		}
	}
}

// told is when the name was first told to lead to the new side, by the records; nil =
// never. Each record that this run writes has it.
func (t *takeover) told() *time.Time { return cmp.Or(t.toldBefore(), t.said) }

// toldBefore is told for an earlier run that nothing has followed.
func (t *takeover) toldBefore() *time.Time {
	r := t.before
	switch {
	case r == nil || !isTakeover(r) || !t.own(r):
		return nil
	case r.Moved == nil && (r.Done || t.resumed != ""): // whoever moved it: it led there
		return new(r.TakenAt())
	}
	return r.Moved
}

// mayHaveMoved reports of a takeover that did not come to its end whether users may
// have written to the side that was to become the primary.
func mayHaveMoved(r *activities.PairRecord) bool {
	return isTakeover(r) && !r.Done && r.Moved != nil
}
