package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
)

// removePackages removes what conflicts, after a person has seen what runs on it
// (DANGER-01).
func (f *fixing) removePackages() Step {
	return Step{
		StepInfo: StepInfo{ID: "fix.05-remove-packages", Title: "Remove packages that conflict with the platform", Effect: Destructive, Skippable: true, Approval: true,
			Source: []string{"CHK-24", "DANGER-01", "RM-00", "RM-01", "RM-02", "RM-03", "RM-04", "RM-05"},
			Calls:  []string{"rpm -e NAME…, apt-get purge NAME… or snap remove --purge NAME   # exact names only, after an approval"}},
		Ask: func(ctx workflow.Context) (string, error) {
			f.removals = activities.RemovalPlan{}
			in, nodes := f.acting(ctx)
			if nodes == 0 {
				return "", nil
			}
			err := workflow.ExecuteActivity(nodeRead(ctx, "Find packages that conflict, and what runs on them"), repairs.PlanRemovals, in).Get(ctx, &f.removals)
			return removalQuestion(f.removals), err
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if removalQuestion(f.removals) == "" {
				return activities.Evidence{Summary: "no package is to be removed" + blockedRemovals(f.removals)}, nil
			}
			var evidence activities.Evidence
			f.removed = true
			in := activities.RemoveInput{Scope: f.scope(), Run: runID(ctx), Nodes: f.removals.Nodes}
			err := workflow.ExecuteActivity(remoteJob(ctx, "Remove conflicting packages"), repairs.RemovePackages, in).Get(ctx, &evidence)
			evidence.Summary += blockedRemovals(f.removals)
			return evidence, err
		},
	}
}

// removalQuestion lists what would go and what runs; empty when nothing would.
func removalQuestion(p activities.RemovalPlan) string {
	var lines []string
	for _, n := range p.Nodes {
		if !n.Removable() {
			continue
		}
		var names []string
		for _, x := range n.Packages {
			name := x.Manager + " " + x.Name
			if x.Version != "" {
				name += " " + x.Version
			}
			if x.Why != "" {
				name += " (" + x.Why + ")"
			}
			names = append(names, name)
		}
		line := n.Node + ": " + strings.Join(names, ", ")
		if len(n.Along) > 0 {
			line += "; these need them and go too: " + strings.Join(n.Along, ", ")
		}
		if len(n.Runs) > 0 {
			line += "; this runs and will stop: " + strings.Join(n.Runs, ", ")
		} else {
			line += "; nothing of theirs was seen running"
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return ""
	}
	return clip("Remove these packages? What runs on them stops, and there is no undo: move the applications and back up their data before.\n"+
		strings.Join(lines, "\n")+blockedRemovals(p), maxGateText)
}

// blockedRemovals names the nodes where nothing can be removed.
func blockedRemovals(p activities.RemovalPlan) string {
	var out string
	for _, n := range p.Nodes {
		if n.Fault != nil {
			out += fmt.Sprintf("\n%s: not known: %s", n.Node, n.Fault.Message)
		} else if n.Blocked != "" {
			out += fmt.Sprintf("\n%s: left to a person, the package manager refuses: %s", n.Node, n.Blocked)
		}
	}
	return out
}

// reboot restarts the nodes that need it, one after the other.
func (f *fixing) reboot() Step {
	return Step{
		StepInfo: StepInfo{ID: "fix.07-reboot", Title: "Reboot the nodes that need it, one after the other", Source: []string{"CHK-01", "CHK-02", "CHK-06"}, Effect: Write, Skippable: true, Approval: true,
			Calls: []string{"ssh USER@NODE sudo -n systemctl reboot   # only where a fix counts after a reboot, once per node, after an approval"}},
		Ask: func(workflow.Context) (string, error) { return f.rebootQuestion(), nil },
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var done []string
			for _, n := range f.cluster.Nodes { // a map's order is no order
				boot, due := f.boots[n.Name]
				if !due {
					continue
				}
				in := activities.RebootInput{Node: activities.NodeOf(f.cluster, n), Boot: boot}
				if err := workflow.ExecuteActivity(untilReady(ctx, "Reboot "+n.Name), repairs.RebootNode, in).Get(ctx, nil); err != nil {
					return activities.Evidence{}, err
				}
				delete(f.boots, n.Name)
				done = append(done, n.Name)
			}
			if len(done) == 0 {
				return activities.Evidence{Summary: "no node needs a reboot"}, nil
			}
			return activities.Evidence{Summary: "rebooted: " + strings.Join(done, ", ")}, nil
		},
	}
}

// rebootQuestion names the nodes that would boot and why; empty when none would.
func (f *fixing) rebootQuestion() string {
	var lines []string
	for _, n := range f.cluster.Nodes {
		if _, due := f.boots[n.Name]; due {
			lines = append(lines, n.Name+": "+f.reasons[n.Name])
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return clip("Reboot these nodes, one after the other? All that runs on them stops.\n"+strings.Join(lines, "\n"), maxGateText)
}

// list shows what the ledgers of the nodes hold.
func (f *fixing) list() Step {
	return Step{
		StepInfo: StepInfo{ID: "fix.01-list", Title: "See what the nodes' ledgers hold", Source: []string{"PRE-01"}, Effect: Read,
			Calls: []string{"ssh USER@NODE sudo -n bash   # read /var/lib/acpflow/repair on every node"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var report activities.RepairReport
			err := workflow.ExecuteActivity(nodeRead(ctx, "List the repairs of every node"), repairs.ListRepairs, f.input(ctx)).Get(ctx, &report)
			if err != nil {
				return activities.Evidence{}, err
			}
			total := 0
			for _, n := range report.Nodes {
				total += len(n.Results)
			}
			return activities.Evidence{
				Summary: fmt.Sprintf("%d changes can be taken back", total), Tail: clip(resultLines(report), maxListed),
			}, reportTrouble(report)
		},
	}
}

// undoAll takes everything back, whichever run did it.
func (f *fixing) undoAll() Step {
	return Step{
		StepInfo: StepInfo{ID: "fix.02-undo", Title: "Take the repairs back, the last one first", Source: []string{"PRE-01"}, Effect: Write, Skippable: true,
			Calls: []string{"ssh USER@NODE sudo -n bash   # restore what the ledger keeps, unless somebody changed it since"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			in := activities.RepairInput{Scope: f.scope()}
			err := workflow.ExecuteActivity(repairing(ctx, "Take the repairs back"), repairs.UndoRepairs, in).Get(ctx, &evidence)
			return evidence, err
		},
	}
}
