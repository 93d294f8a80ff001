package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
)

// proveEvery is the first pause between looks while both sides are not shown to be
// alike yet; each look reads both etcds. Who is told to be impatient looks sooner.
const proveEvery = 15 * time.Second

// consistent is the gate that nobody may skip: removing the synchronizer while
// the sides differ can delete Machine objects and the machines behind them.
func (t *takeover) consistent() Step {
	return Step{
		StepInfo: StepInfo{
			ID: t.id("06-consistent"), Title: "Both sides hold the same, every owner is there, every Machine runs", Source: []string{"DR-33", "DR-41"}, Effect: Read,
			Calls: []string{
				"curl -g http://CLUSTER-IP/check   # of Service etcd-sync-monitor, from a control plane of " + t.to.Name,
				"compare every key and value of both etcds, and every owner reference of " + t.to.Name + "   # reads only; nothing is repaired here",
				"kubectl get machines.platform.tkestack.io   # on both sides: all Running, none being deleted",
			},
		},
		Do: t.untilAlike,
	}
}

// untilAlike looks again and again, for as long as the site waits for anything.
func (t *takeover) untilAlike(ctx workflow.Context) (activities.Evidence, error) {
	began := workflow.Now(ctx)
	sync := newSync(t.site, t.to, &Progress{})
	for {
		evidence, why, err := t.alike(ctx, sync)
		if err != nil || why == "" {
			return evidence, err
		}
		waited, limit := workflow.Now(ctx).Sub(began), t.site.Policy.Stall()
		if waited >= limit {
			return activities.Evidence{}, gateFault("prove that both sides are alike",
				"acpflow check repairs missed keys; surplus and different ones agree with operations; let every Machine run; then retry. The synchronizer stays until then",
				"after %s they are not: %s", limit, clip(why, 4000))
		}
		if err := workflow.NewTimerWithOptions(ctx, t.pace.next(min(proveEvery, limit/2), waited, limit), workflow.TimerOptions{Summary: clip("Not yet: "+why, 180)}).Get(ctx, nil); err != nil {
			return activities.Evidence{}, err
		}
	}
}

// alike looks once; why tells what is wrong.
func (t *takeover) alike(ctx workflow.Context, sync *syncing) (evidence activities.Evidence, why string, err error) {
	views := map[string]activities.MachinesView{}
	var looks []func(workflow.Context) (string, error)
	for _, c := range t.alive() {
		looks = append(looks, func(ctx workflow.Context) (string, error) {
			view, err := t.lookAtMachines(ctx, c, nil)
			views[c.Name] = view
			return view.Summary, err
		})
	}
	texts, err := together(ctx, looks...)
	if err != nil {
		return evidence, "", err
	}
	for _, c := range t.alive() {
		if bad := badMachines(views[c.Name], c); bad != "" {
			return evidence, bad, nil
		}
	}
	found, err := sync.compare(ctx)
	switch {
	case err != nil:
		return evidence, "", err
	case !found.clean():
		return evidence, found.String(), nil
	}
	p := found.proof
	if p.Taken.IsZero() {
		p.Taken = workflow.Now(ctx)
	}
	t.equal = &equality{at: p.Taken, compared: p.Compared, digest: p.Digest, mark: p.Mark}
	t.rec.RPO = &RPO{Verified: true, EqualAt: &t.equal.at, Text: t.equal.String()}
	evidence = sync.alike(found, 0)
	evidence.Summary += "; " + strings.Join(texts, "; ")
	return evidence, "", nil
}

func (e *equality) String() string {
	return fmt.Sprintf("both sides held the same %d keys at %s (SHA-256 %.12s)", e.compared, e.at.UTC().Format("2006-01-02 15:04:05 UTC"), e.digest)
}

func (t *takeover) lookAtMachines(ctx workflow.Context, c *site.Cluster, before *activities.MachinesView) (activities.MachinesView, error) {
	in := activities.MachinesInput{Scope: t.scope(c), Before: before}
	return resultOf[activities.MachinesView](steadyRead(ctx, "Look at the Machines of "+c.Name), pairSides.CheckMachines, in)
}

// ownersThere demands that every owner on the new side is there: the garbage
// collector deletes the objects of those that are not.
func (t *takeover) ownersThere(ctx workflow.Context) (activities.Evidence, error) {
	owners, err := resultOf[activities.Owners](proving(ctx, "Look at the owners on "+t.to.Name), consistency.LookAtOwners, t.scope(t.to))
	if err != nil {
		return activities.Evidence{}, err
	}
	if owners.Count > 0 {
		return owners.Evidence, gateFault("look at the owners on "+t.to.Name, "without the synchronizer the garbage collector deletes the named objects: keep each by removing its metadata.ownerReferences with kubectl edit on "+t.to.Name+", or delete what nothing needs, then retry",
			"%s: %s", owners.Summary, owners.Tail)
	}
	return owners.Evidence, nil
}
