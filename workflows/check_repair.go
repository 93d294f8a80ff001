package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

// repair recreates the synchronizer's Pod the documented way, so that what it
// missed is copied again. Nothing else is ever repaired: surplus and different
// keys are for people.
func (c *syncCheck) repair() Step {
	most := c.site.DR.Sync.MaxRepairs()
	return Step{
		StepInfo: StepInfo{
			ID: "check.05-repair", Title: fmt.Sprintf("Recreate the synchronizer's Pod where keys are missed, %d times at most; never for surplus or different keys", most),
			Source: []string{"DR-33"}, Effect: Write,
			Calls: []string{"kubectl -n cpaas-system delete po -l app=etcd-sync   # the one that copies, by its UID; then both checks again"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if err := c.doRepair(ctx, most); err != nil {
				return activities.Evidence{}, err
			}
			text := fmt.Sprintf("recreated %d times", c.repairs)
			if c.note != "" {
				text += "; " + c.note
			}
			return activities.Evidence{Summary: text}, nil
		},
	}
}

// nothingToRepair tells why not; "" = keys are missed and nothing else is wrong
// with them.
func (c *syncCheck) nothingToRepair() string {
	missed := c.missed()
	surplus, different := 0, 0
	if v := c.facts.Vendor.Value; v != nil {
		surplus = v.Surplus
	}
	if p := c.facts.Proof.Value; p != nil {
		surplus, different = max(surplus, p.Surplus), p.Different
	}
	switch why := c.noSynchronizer(); {
	case missed == 0:
		return "no key is known to be missed"
	case why != "":
		return why
	case surplus+different > 0:
		c.note = fmt.Sprintf("%d keys are missed, but %d are surplus and %d different: nothing is repaired, a person must look", missed, surplus, different)
	case c.noPair() != "":
		c.note = "keys are missed, but nothing is repaired: " + c.noPair()
	case c.facts.Doubt() != "": // what looks missed may have been deleted on the side in service
		c.note = "keys are missed, but nothing is repaired while the roles are in doubt: " + c.facts.Doubt()
	case c.site.DR.Sync.MaxRepairs() == 0:
		c.note = "keys are missed, but dr.sync.repairs is 0"
	}
	return c.note
}

// missed is the larger of what both checks say.
func (c *syncCheck) missed() int {
	n := 0
	if v := c.facts.Vendor.Value; v != nil && v.Unclear == "" {
		n = v.Missed
	}
	if p := c.facts.Proof.Value; p != nil {
		n = max(n, p.Missed)
	}
	return n
}

// doRepair takes the site's lease for as long as it repairs. Another run that
// holds it may be changing the very thing: then nothing is repaired.
func (c *syncCheck) doRepair(ctx workflow.Context, most int) error {
	held, err := acquireLease(ctx, c.out)
	if isType(err, ErrSiteBusy) {
		c.note = "not repaired: " + plainText(err)
		return nil
	}
	if err != nil {
		return err
	}
	repairing, stop := workflow.WithCancel(ctx)
	lost := false
	held.onLoss(ctx, func() { lost = true; stop() })
	for c.repairs < most && c.note == "" && !lost && c.nothingToRepair() == "" {
		c.repairOnce(repairing)
	}
	stop()
	dctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	held.release(dctx)
	switch {
	case lost:
		c.note = "the site's lease was ended from outside: nothing more is repaired"
	case ctx.Err() == nil && c.note == "" && c.missed() > 0:
		c.note = fmt.Sprintf("%d keys are still missed: nothing more is repaired, a person must look", c.missed())
	}
	return ctx.Err()
}

// repairOnce recreates the Pod and checks again.
func (c *syncCheck) repairOnce(ctx workflow.Context) {
	roles := c.facts.Roles()
	version := ""
	for _, s := range c.facts.Sides {
		if s.Cluster == roles.Standby && s.Plugin.Value != nil {
			version = s.Plugin.Value.Version
		}
	}
	way, err := syncplugin.WayOf(version)
	if err != nil {
		c.note = "not repaired: " + err.Error()
		return
	}
	var a *activities.Sync
	in := activities.SyncPodInput{Scope: c.scope(roles.Standby), Way: way, Settle: c.site.Policy.Stall()}
	var before activities.SyncPod
	err = workflow.ExecuteActivity(settling(ctx, c.site, "Find the synchronizer's Pod"), a.WaitFirstSync, in).Get(ctx, &before)
	if err == nil {
		c.repairs++
		recreate := activities.RecreateInput{SyncPodInput: in, Pod: before.Pod, Seen: before.Seen}
		err = workflow.ExecuteActivity(settling(ctx, c.site, "Recreate Pod "+before.Pod.Name), a.RecreateSyncPod, recreate).Get(ctx, nil)
	}
	if err != nil {
		c.note = strings.TrimSuffix("the repair failed: "+plainText(err), ".")
		return
	}
	if err := c.compare(ctx, nil); err != nil { // what was seen before stands no longer
		c.note = "after the repair nothing could be compared: " + plainText(err)
		c.facts.Vendor, c.facts.Proof = pair.Unknown[pair.Vendor](c.note), pair.Unknown[pair.Proof](c.note)
	}
}
