package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

// startsWithin is how long a synchronizer whose primary is away is given to come up.
const startsWithin = 2 * time.Minute

// removeTries is how often a synchronizer that was found alike a moment before, and
// not in the moment of its removal, is tried to be removed.
const removeTries = 3

// removeSynchronizer ends the copying (DR-42). Between the proof and this step
// days may pass at a gate, so everything is looked at once more: the Machines here,
// the rest inside the activity.
func (t *takeover) removeSynchronizer() Step {
	guard := "both checks again, and both etcds compared, in the very moment before"
	if !t.planned {
		guard = "in the very moment before: still nothing of " + t.from.Name + " answers, and every owner is on " + t.to.Name
	}
	return Step{
		StepInfo: StepInfo{
			ID: t.id("07-remove-synchronizer"), Title: "Uninstall the synchronizer of " + t.to.Name, Source: []string{"DR-41", "DR-42"}, Effect: Destructive,
			Calls: []string{"DELETE /apis/cluster.alauda.io/v1alpha1/moduleinfoes/NAME   # " + syncplugin.Name + " on " + t.to.Name + ", by its UID; " + guard,
				readPluginCall + "   # until nothing of it is left"},
		},
		Do:   t.doRemove,
		Undo: t.putBack,
		Hold: t.holdUndo,
	}
}

func (t *takeover) doRemove(ctx workflow.Context) (activities.Evidence, error) {
	if t.plugin == nil { // the first sight counts for the undo
		view, err := newSync(t.site, t.to, t.out).read(ctx, t.to)
		if err != nil {
			return activities.Evidence{}, err
		}
		t.plugin = &view
	}
	if err := t.allMachinesRun(ctx); err != nil {
		return activities.Evidence{}, err
	}
	in := activities.RemoveSyncInput{Scope: t.scope(t.to), Primary: t.from.Name, Settle: removedWithin, Unreachable: !t.planned}
	for try := 1; ; try++ {
		evidence, err := resultOf[activities.Evidence](proving(ctx, "Uninstall the synchronizer of "+t.to.Name), (*activities.Sync)(nil).RemovePlugin, in)
		if !t.planned && isType(err, string(fault.Gate)) {
			t.silent = nil // the old side may have answered the activity: prove anew that it is down
		}
		if !t.planned || !isType(err, string(fault.Gate)) || try == removeTries {
			return evidence, err
		}
		// What the plugin's check says is of one moment: keys on their way look missed.
		if evidence, err := t.untilAlike(ctx); err != nil {
			return evidence, err
		}
	}
}

// putBack installs the synchronizer again, of the version that was there, and
// proves that it copies. While the primary is away nothing can be proven.
func (t *takeover) putBack(ctx workflow.Context) (activities.Evidence, error) {
	if t.plugin == nil || !t.plugin.Present() {
		summary := "the synchronizer of " + t.to.Name + " is untouched"
		if t.plugin != nil {
			summary = fmt.Sprintf("there was no synchronizer on %[1]s before this run either: NOTHING is copied to it. To protect the pair again: %[2]s", t.to.Name, t.protect())
		}
		return activities.Evidence{Summary: summary, Host: t.to.Name}, nil
	}
	sync := newSync(t.site, t.to, &Progress{Request: t.out.Request})
	sync.pace = &t.pace // another try of an undo goes on where the last one ended
	now, err := sync.read(ctx, t.to)
	if err != nil {
		return activities.Evidence{}, err
	}
	if now.Installed && !now.Plugin.Deleting && now.Plugin.UID == t.plugin.Plugin.UID {
		return activities.Evidence{Summary: "the synchronizer was not removed, and stays as it was", Host: t.to.Name}, nil
	}
	if err := t.holdSynchronizer(ctx); err != nil {
		return activities.Evidence{}, err
	}
	if !t.planned {
		seen, err := resultOf[activities.Reachability](quickRead(ctx, "See whether "+t.from.Name+" is back"), pairSides.WhoAnswers, t.pair())
		if err != nil {
			return activities.Evidence{}, err
		}
		if len(seen.Answers) == 0 {
			return t.installAlone(ctx, now)
		}
	}
	steps := sync.steps()
	for i := range steps {
		if strings.HasSuffix(steps[i].ID, "-version") {
			steps[i] = t.sameVersion(sync, steps[i])
		}
	}
	evidence, err := inTurn(ctx, steps)
	if err == nil && !slices.ContainsFunc(steps, func(s Step) bool { return strings.HasSuffix(s.ID, "-consistent") }) {
		err = gateFault("prove that both sides are alike again", "", "the steps of enable-sync hold no proof")
	}
	evidence.Summary = fmt.Sprintf("the synchronizer %s is back on %s and both sides are proven to hold the same; %s", sync.plugin.Version, t.to.Name, evidence.Summary)
	return evidence, err
}

// sameVersion wants the version that was removed, where it is still published.
func (t *takeover) sameVersion(sync *syncing, step Step) Step {
	do := step.Do
	step.Do = func(ctx workflow.Context) (activities.Evidence, error) {
		evidence, err := do(ctx)
		if err == nil && !sync.plugin.Installed && slices.Contains(sync.plugin.Published, t.plugin.Version) {
			sync.plugin.Version, sync.plugin.Way = t.plugin.Version, t.plugin.Way
		}
		return evidence, err
	}
	return step
}

// installAlone installs it while there is nothing to copy from.
func (t *takeover) installAlone(ctx workflow.Context, now activities.PluginView) (activities.Evidence, error) {
	version, way := now.Version, now.Way
	if slices.Contains(now.Published, t.plugin.Version) {
		version, way = t.plugin.Version, t.plugin.Way
	}
	in := activities.InstallSyncInput{PairInput: t.pair(), Version: version, Way: way, Settle: startsWithin}
	evidence, err := resultOf[activities.Evidence](untilReady(ctx, "Undo: install the synchronizer on "+t.to.Name+" again"), (*activities.Sync)(nil).InstallPlugin, in)
	if err != nil && !isType(err, string(fault.Stalled)) && !isType(err, string(fault.Failed)) {
		return evidence, err
	}
	if err != nil { // without its primary it may not come up, but it must be there
		after, look := newSync(t.site, t.to, t.out).read(ctx, t.to)
		if look != nil || !after.Installed {
			return evidence, err
		}
	}
	evidence.Host = t.to.Name
	evidence.Summary = fmt.Sprintf("the synchronizer %s is installed on %s again. NOTHING is proven: %s is away, so nothing is copied. When it is back: acpflow check", version, t.to.Name, t.from.Name)
	return evidence, nil
}

// lookAgain sees at once what the uninstall did to the objects it had copied.
func (t *takeover) lookAgain() Step {
	return Step{
		StepInfo: StepInfo{
			ID: t.id("08-look-again"), Title: "At once: every owner is still there, every Machine runs, none has gone", Source: []string{"DR-41"}, Effect: Read,
			Skippable: !t.planned, // with a dead primary an abort brings no Machine back, and users wait
			Calls: []string{
				"etcd Range /registry on " + t.to.Name + "   # owner references that lead nowhere",
				"kubectl get machines.platform.tkestack.io   # on " + t.to.Name + ": the same ones, all Running, none being deleted",
			},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			before := t.machines[t.to.Name]
			var machines activities.MachinesView
			said, err := together(ctx,
				func(ctx workflow.Context) (_ string, err error) {
					machines, err = t.machinesRun(ctx, t.to, &before)
					if err == nil {
						t.seen = &machines
					}
					return machines.Summary, err
				},
				func(ctx workflow.Context) (string, error) {
					owners, err := t.ownersThere(ctx)
					return owners.Summary, err
				})
			return activities.Evidence{Summary: strings.Join(said, "; "), Host: t.to.Name, Facts: machines.Facts}, err
		},
	}
}
