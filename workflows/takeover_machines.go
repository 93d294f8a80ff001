package workflows

import (
	"fmt"

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
	return t.machinesRunBut(ctx, c, before, "")
}

// machinesRunBut lets pass what a person has accepted.
func (t *takeover) machinesRunBut(ctx workflow.Context, c *site.Cluster, before *activities.MachinesView, accepted string) (activities.MachinesView, error) {
	view, err := t.lookAtMachines(ctx, c, before)
	if err != nil {
		return view, err
	}
	if bad := badMachines(view, c); bad != "" && bad != accepted {
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
		view, err := t.machinesRun(ctx, t.to, t.seen)
		if err == nil {
			t.seen = &view
		}
		return view.Summary, err
	}
	view, err := t.lookAtMachines(ctx, t.to, t.seen)
	if err != nil {
		return "", err
	}
	if t.ailing = badMachines(view, t.to); t.ailing == "" {
		t.seen = &view
	}
	return view.Summary, nil
}

// machinesAsIs is the part of the last question that tells what is wrong with the Machines.
func (t *takeover) machinesAsIs() string {
	if t.ailing == "" {
		return ""
	}
	return "Machines of " + t.to.Name + " are not well, and an abort brings none of them back: " + t.ailing + ". "
}

// sameMachines refuses an approval that was given to Machines in another state. Once the
// name was told to move, nothing but the move helps.
func (t *takeover) sameMachines() error {
	if t.planned || t.pointed != nil || t.asked == nil || t.ailing == "" || t.ailing == t.asked.ailing {
		return nil
	}
	f := fault.New(fault.Refused, "point "+t.site.Platform.Address+" at "+t.to.Name, "", "retry and approve what is asked then; or abort",
		fmt.Errorf("since the question the Machines of %s have changed: %s", t.to.Name, t.ailing))
	return temporal.NewNonRetryableApplicationError(clip(f.Error(), maxGateText), string(fault.Refused), nil)
}
