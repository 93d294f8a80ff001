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
	return Step{
		StepInfo: StepInfo{
			ID: "check.05-repair", Title: fmt.Sprintf("Recreate the synchronizer's Pod where keys are missed, %d times at most until a check is good; never for surplus or different keys", c.site.DR.Sync.MaxRepairs()),
			Source: []string{"DR-33"}, Effect: Write,
			Calls: []string{"kubectl -n cpaas-system delete po -l app=etcd-sync   # the one that copies, by its UID; then both checks again"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if err := c.doRepair(ctx); err != nil {
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

// nothingToRepair tells why not; "" = acpflow's own settled proof says that keys
// are missed and that nothing else is wrong. What the vendor's check says is of
// one moment: it may forbid a repair, never ask for one.
func (c *syncCheck) nothingToRepair() string {
	v, p := pair.Vendor{}, pair.Proof{}
	if c.facts.Vendor.Value != nil {
		v = *c.facts.Vendor.Value
	}
	if c.facts.Proof.Value != nil {
		p = *c.facts.Proof.Value
	}
	surplus := max(v.Surplus, p.Surplus)
	why := c.noSynchronizer()
	switch {
	case p.Missed == 0 && v.Missed == 0:
		return "no key is known to be missed"
	case why != "":
		return why
	case c.facts.Proof.Value == nil:
		c.note = fmt.Sprintf("the vendor's check names %d missed keys, but nothing is repaired without acpflow's own proof", v.Missed)
	case p.Missed == 0:
		c.note = fmt.Sprintf("the vendor's check names %d missed keys, but acpflow's own proof finds none: nothing is repaired", v.Missed)
	case surplus+p.Different > 0:
		c.note = fmt.Sprintf("%d keys are missed, but %d are surplus and %d different: nothing is repaired, a person must look", p.Missed, surplus, p.Different)
	default:
		c.note = c.mayNotRepair()
	}
	return c.note
}

// mayNotRepair tells why nothing is done about keys that are missed.
func (c *syncCheck) mayNotRepair() string {
	done, err := c.facts.Repairs()
	switch most := c.site.DR.Sync.MaxRepairs(); {
	case c.noPair() != "":
		return "keys are missed, but nothing is repaired: " + c.noPair()
	case c.facts.Doubt() != "": // what looks missed may have been deleted on the side in service
		return "keys are missed, but nothing is repaired while the roles are in doubt: " + c.facts.Doubt()
	case most == 0:
		return "keys are missed, but dr.sync.repairs is 0"
	case err != nil:
		return "keys are missed, but nothing is repaired while nobody knows how often it was tried: " + err.Error()
	case done >= most:
		return fmt.Sprintf("keys are missed, but the ledger (configmap %s) counts %d repairs since the last good check, and dr.sync.repairs is %d: nothing more is repaired, a person must look",
			activities.LedgerConfigMap, done, most)
	}
	return ""
}

// repairsLeft is how often the Pod may still be recreated before a check is good.
func (c *syncCheck) repairsLeft() int {
	done, err := c.facts.Repairs()
	if err != nil {
		return 0
	}
	return c.site.DR.Sync.MaxRepairs() - done - c.repairs
}

// missed is what acpflow's own proof says; the vendor's word is of one moment.
func (c *syncCheck) missed() int {
	if p := c.facts.Proof.Value; p != nil {
		return p.Missed
	}
	return 0
}

// doRepair takes the site's lease for as long as it repairs. Another run that
// holds it may be changing the very thing: then nothing is repaired.
func (c *syncCheck) doRepair(ctx workflow.Context) error {
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
	for c.repairsLeft() > 0 && c.note == "" && !lost && c.nothingToRepair() == "" {
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

// countRepair writes the next repair into the standby's ledger before it is done:
// a check that is ended in the middle counts as well.
func (c *syncCheck) countRepair(ctx workflow.Context, standby string) error {
	c.repairs++
	in := activities.LedgerInput{Scope: c.scope(standby), Past: pair.Past{At: workflow.Now(ctx).UTC(), Run: workflow.GetInfo(ctx).WorkflowExecution.RunID,
		Outcome: "repairing", Summary: fmt.Sprintf("repair %d of this check", c.repairs), Repairs: c.repairs}}
	var a *activities.Sides
	err := workflow.ExecuteActivity(watching(ctx, "Count the repair"), a.RecordCheck, in).Get(ctx, nil)
	if err != nil {
		c.repairs--
	}
	return err
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
	in := activities.SyncPodInput{Scope: c.scope(roles.Standby), Way: way, Settle: min(repairWithin, c.site.Policy.Stall())}
	var before activities.SyncPod
	if err = workflow.ExecuteActivity(recreating(ctx, "Find the synchronizer's Pod"), a.WaitFirstSync, in).Get(ctx, &before); err != nil {
		c.note = strings.TrimSuffix("not repaired: "+plainText(err), ".")
		return
	}
	if err = c.countRepair(ctx, roles.Standby); err != nil {
		c.note = strings.TrimSuffix("not repaired, because the ledger can't count it: "+plainText(err), ".")
		return
	}
	recreate := activities.RecreateInput{SyncPodInput: in, Pod: before.Pod, Seen: before.Seen}
	if err = workflow.ExecuteActivity(recreating(ctx, "Recreate Pod "+before.Pod.Name), a.RecreateSyncPod, recreate).Get(ctx, nil); err != nil {
		c.note = strings.TrimSuffix("the repair failed: "+plainText(err), ".")
		return
	}
	if err := c.compare(ctx, nil); err != nil { // what was seen before stands no longer
		c.note = "after the repair nothing could be compared: " + plainText(err)
		c.facts.Vendor, c.facts.Proof = pair.Unknown[pair.Vendor](c.note), pair.Unknown[pair.Proof](c.note)
	}
}
