package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

// soakLooks is how often the new side is looked at while it soaks, at least.
const soakLooks = 12

// soak watches the new side for a while: what goes wrong with owners shows only
// when the garbage collector has come round.
func (t *takeover) soak() Step {
	limit := t.site.DR.Takeover.SoakFor()
	return Step{
		StepInfo: StepInfo{ID: t.id("21-soak"), Title: fmt.Sprintf("For %s every Machine of %s runs, and none goes", limit, t.to.Name), Source: []string{"DR-41"}, Effect: Read, Skippable: true, Waits: limit.Seconds(),
			Calls: []string{"kubectl get machines.platform.tkestack.io   # on " + t.to.Name + ", again and again: the same ones, all Running, none being deleted"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			began := workflow.Now(ctx)
			if t.ready == nil {
				t.ready = &began
				t.rec.RTO = t.times(began)
			}
			for looks := 1; ; looks++ {
				view, err := t.machinesRunBut(ctx, t.to, t.baseline(), t.ailing) // approved with the name
				if err != nil {
					return view.Evidence, err
				}
				if workflow.Now(ctx).Sub(began) >= limit {
					view.Summary = fmt.Sprintf("%s, in %d looks over %s", view.Summary, looks, limit)
					return view.Evidence, nil
				}
				pause := min(max(limit/soakLooks, 5*time.Second), limit-workflow.Now(ctx).Sub(began))
				if err := workflow.NewTimerWithOptions(ctx, pause, workflow.TimerOptions{Summary: "Soak"}).Get(ctx, nil); err != nil {
					return activities.Evidence{}, err
				}
			}
		},
	}
}

// times is the RTO until users had the platform back. A switchover detects nothing.
func (t *takeover) times(end time.Time) *RTO {
	var detection []string
	if !t.planned {
		detection = []string{t.id("01-identify"), t.id("02-unreachable")}
	}
	rto := recoveryTimes(t.out, detection, end)
	rto.Note = t.leftOut()
	return rto
}

// leftOut says what the RTO does not cover, so that nobody takes it for more than it is.
func (t *takeover) leftOut() string {
	var notes []string
	switch {
	case t.resumed != "":
		notes = append(notes, "counted from the start of this run, not of the one that it finishes")
	case !t.planned:
		notes = append(notes, "counted from the start of the run: how long users had been without the platform before is not in it")
	}
	var skipped []string
	for _, s := range t.out.Steps {
		if s.State == SkippedBy && s.ID > t.id("13") {
			skipped = append(skipped, s.ID)
		}
	}
	if len(skipped) > 0 {
		notes = append(notes, "nobody has seen that users have the whole platform, because steps were skipped: "+strings.Join(skipped, ", "))
	}
	return strings.Join(notes, "; ")
}

// commit ends the takeover: the record now also names what the restarts owe, and
// the old side hears of it where it answers.
func (t *takeover) commit() Step {
	return Step{
		StepInfo: StepInfo{ID: t.id("22-commit"), Title: "Commit: record on both sides, where they answer, who is primary and what is owed", Source: []string{"DR-01", "DR-43"}, Effect: Write,
			Calls: []string{"PUT /api/v1/namespaces/cpaas-system/configmaps/acpflow-pair   # on " + t.to.Name + ", then on " + t.from.Name}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			entry := t.entry(ctx)
			entry.Done = true
			evidence, err := t.write(ctx, t.to, entry)
			if err != nil {
				return evidence, err
			}
			if t.rec.RTO == nil && t.ready != nil {
				t.rec.RTO = t.times(*t.ready)
			}
			told, err := t.tellOld(ctx, entry)
			if err != nil {
				return evidence, err
			}
			evidence.Summary = fmt.Sprintf("%s is the primary; %s", t.to.Name, told)
			if len(entry.Owed) > 0 {
				evidence.Summary += "; owed: " + debtText(entry.Owed)
			}
			evidence.Summary += fmt.Sprintf("; next: acpflow reprotect --cluster %s", t.from.Name)
			return evidence, nil
		},
	}
}

// tellOld records on the old side, too, so that it does not take itself for the
// primary when it is looked at alone. One that is away hears of it in a reprotect.
func (t *takeover) tellOld(ctx workflow.Context, entry activities.PairRecord) (string, error) {
	if !t.planned {
		seen, err := resultOf[activities.Reachability](quickRead(ctx, "See whether "+t.from.Name+" is back"), pairSides.WhoAnswers, t.pair())
		if err != nil {
			return "", err
		}
		if len(seen.Answers) == 0 {
			return t.from.Name + " is away and was not told", nil
		}
	}
	in := activities.WriteRecordInput{Scope: t.scope(t.from), Record: entry}
	err := workflow.ExecuteActivity(deadRead(ctx, "Record on "+t.from.Name+" who is primary"), pairSides.WritePairRecord, in).Get(ctx, nil)
	switch {
	case err == nil:
		return t.from.Name + " was told", nil
	case ctx.Err() != nil:
		return "", err
	case away(ctx, err) || !t.planned:
		return fmt.Sprintf("%s could not be told: %s", t.from.Name, clip(plainText(err), 300)), nil
	}
	return "", err
}
