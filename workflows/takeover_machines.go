package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// badMachines tells what is wrong with what was seen; none at all is no good sign.
func badMachines(v activities.MachinesView, c *site.Cluster) string {
	switch {
	case !v.Clean():
		return v.Summary
	case v.Total == 0:
		return "there is no Machine at all on " + c.Name
	}
	return ""
}

// machinesRun demands that every Machine runs, and none seen before has gone.
func (t *takeover) machinesRun(ctx workflow.Context, c *site.Cluster, before *activities.MachinesView) (activities.MachinesView, error) {
	return t.machinesRunBut(ctx, c, before, nil)
}

// machinesRunBut lets pass what a person has accepted.
func (t *takeover) machinesRunBut(ctx workflow.Context, c *site.Cluster, before *activities.MachinesView, accepted *activities.MachinesView) (activities.MachinesView, error) {
	view, err := t.lookAtMachines(ctx, c, before)
	if err != nil {
		return view, err
	}
	if bad := badMachines(view, c); bad != "" && (accepted == nil || worse(view, *accepted)) {
		return view, gateFault("look at the Machines of "+c.Name, "see kubectl get machines.platform.tkestack.io there; let them run, then retry", "%s", bad)
	}
	return view, nil
}

// allMachinesRun demands it of every side that is alive, and keeps what it saw.
func (t *takeover) allMachinesRun(ctx workflow.Context) error {
	var looks []func(workflow.Context) (string, error)
	for _, c := range t.alive() {
		looks = append(looks, func(ctx workflow.Context) (string, error) {
			view, err := t.machinesRun(ctx, c, nil)
			if err == nil {
				t.machines[c.Name] = view
			}
			return "", err
		})
	}
	_, err := together(ctx, looks...)
	return err
}

// machinesNow is the last look at the new side's Machines before the name moves. With
// a dead primary it holds nothing up, because an abort brings no Machine back and users
// wait: what is wrong with them is part of the question instead.
func (t *takeover) machinesNow(ctx workflow.Context) (string, error) {
	if t.planned {
		view, err := t.machinesRun(ctx, t.to, t.baseline())
		if err == nil {
			t.seen = &view
		}
		return view.Summary, err
	}
	view, err := t.lookAtMachines(ctx, t.to, t.baseline())
	if err != nil {
		return "", err
	}
	if t.ailing = &view; badMachines(view, t.to) == "" {
		t.ailing, t.seen = nil, &view
	}
	return view.Summary, nil
}

// baseline is what a look at the new side's Machines is held against: the last good
// one after the uninstall or, where a person has let a bad one pass, that before it.
func (t *takeover) baseline() *activities.MachinesView {
	if before, ok := t.machines[t.to.Name]; ok && t.seen == nil {
		return &before
	}
	return t.seen
}

// worse reports whether a Machine fares worse than it did. Where a view names only some
// of those that fare badly, their number tells.
func worse(now, then activities.MachinesView) bool {
	if now.Bad > then.Bad || now.Total == 0 && then.Total > 0 {
		return true
	}
	was, is := ailments(then), ailments(now)
	if len(was) < then.Bad || len(is) < now.Bad {
		return false
	}
	return slices.ContainsFunc(is, func(a string) bool { return !slices.Contains(was, a) })
}

// ailments are what is wrong, a word for each Machine without its phase.
func ailments(v activities.MachinesView) []string {
	var out []string
	for kind, list := range [][]string{v.NotRunning, v.Deleting, v.Gone} {
		for _, text := range list {
			if name, _, ok := strings.Cut(text, " "); ok && kind == 0 {
				text = name
			}
			out = append(out, fmt.Sprint(kind, " ", text))
		}
	}
	return out
}

// machinesAsIs is the part of the last question that tells what is wrong with the Machines.
func (t *takeover) machinesAsIs() string {
	if t.ailing == nil {
		return ""
	}
	return "Machines of " + t.to.Name + " are not well, and an abort brings none of them back: " + badMachines(*t.ailing, t.to) + ". "
}

// noWorse refuses an approval that was given when the Machines fared better. Once the
// name was told to move, nothing but the move helps.
func (t *takeover) noWorse() error {
	if t.planned || t.pointed != nil || t.asked == nil || t.ailing == nil || t.asked.ailing != nil && !worse(*t.ailing, *t.asked.ailing) {
		return nil
	}
	f := fault.New(fault.Refused, "point "+t.site.Platform.Address+" at "+t.to.Name, "", "retry and approve what is asked then; or abort",
		fmt.Errorf("since the question the Machines of %s fare worse: %s", t.to.Name, badMachines(*t.ailing, t.to)))
	return temporal.NewNonRetryableApplicationError(clip(f.Error(), maxGateText), string(fault.Refused), nil)
}
