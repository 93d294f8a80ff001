package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// FixBook mends what the checks find on the nodes: init.sh of the package first,
// then acpflow's own repairs (PRE-02, PRE-03). A dry run ends with the plan.
var FixBook = Runbook{
	Name:    FixName,
	Verb:    "fix",
	Changes: true,
	Steps: func(s *site.Site, c *site.Cluster, out *Progress) []Step {
		f := &fixing{prepare: newPrepare(s, c, out)}
		return []Step{
			f.plan("fix.01-plan", "Check every node and plan what mends it"),
			f.initScript(),
			f.plan("fix.03-plan-again", "Check again, and plan what is left to mend"),
			f.apply("fix.04-apply", "Mend the nodes", "The fixes of the plan, each with a backup in the node's ledger", false),
			f.removePackages(),
			f.apply("fix.06-apply-rest", "Mend what the removed packages were in the way of", "The fixes of a new plan", true),
			f.reboot(),
			f.verdict(),
		}
	},
}

// Fix is the workflow of FixBook. Its input is one Request.
func Fix(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, FixBook, input)
}

// UndoFixBook takes back whatever the ledgers of the nodes hold.
var UndoFixBook = Runbook{
	Name:    UndoFixName,
	Verb:    "undo-fix",
	Changes: true,
	Steps: func(s *site.Site, c *site.Cluster, out *Progress) []Step {
		f := &fixing{prepare: newPrepare(s, c, out)}
		return []Step{f.list(), f.undoAll()}
	},
}

// UndoFix is the workflow of UndoFixBook. Its input is one Request.
func UndoFix(ctx workflow.Context, input converter.RawValue) (*Progress, error) {
	return execute(ctx, UndoFixBook, input)
}

// maxListed bounds a list in the evidence of a step, in bytes.
const maxListed = 4 << 10

// fixing is what the steps of a repair share.
type fixing struct {
	*prepare
	planned  activities.RepairPlan
	removals activities.RemovalPlan
	removed  bool
	boots    map[string]string // node → boot that a repair wants ended
	reasons  map[string]string // node → why it is to boot
	unread   []string          // by the last plan step
	gone     []string          // unread, and left out because a person skipped the plan step
}

var repairs *activities.Repairs

func (f *fixing) input(ctx workflow.Context) activities.RepairInput {
	return activities.RepairInput{Scope: f.scope(), Run: runID(ctx), Omit: f.gone}
}

// acting is the input of what changes nodes: only those that the plan knows and
// that have no Kubernetes. That the plan step is over means that a person has
// let the unread nodes go.
func (f *fixing) acting(ctx workflow.Context) (in activities.RepairInput, nodes int) {
	f.gone, f.unread = append(f.gone, f.unread...), nil
	in = f.input(ctx)
	in.Omit = slices.Clone(f.gone)
	for _, n := range f.cluster.Nodes {
		free := slices.ContainsFunc(f.planned.Nodes, func(p activities.NodePlan) bool {
			return p.Node == n.Name && p.Fault == nil && p.Platform == ""
		})
		if free && !slices.Contains(f.gone, n.Name) {
			nodes++
		} else if !slices.Contains(in.Omit, n.Name) {
			in.Omit = append(in.Omit, n.Name)
		}
	}
	return in, nodes
}

func (f *fixing) plan(id, title string) Step {
	return Step{
		StepInfo: StepInfo{ID: id, Title: title, Source: []string{"GEN-03", "PRE-03", "PRE-04"}, Effect: Read, Skippable: true,
			Calls: []string{"ssh USER@NODE sudo -n bash -s < collect.sh; ssh USER@NODE sudo -n bash -s < survey.sh   # every node"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if err := f.replan(ctx); err != nil {
				return activities.Evidence{}, err
			}
			evidence, err := f.planEvidence(), f.unplanned()
			f.unread = nil
			for _, n := range f.planned.Nodes {
				if n.Fault != nil {
					f.unread = append(f.unread, n.Node)
				}
			}
			if err != nil && f.out.Request.DryRun { // shows what it has
				f.out.Checks = &Verdict{Nodes: f.planned.Tally, Blocking: true}
				evidence.Summary += "; not read: " + clip(plainText(err), maxListed)
				return evidence, nil
			}
			return evidence, err
		},
	}
}

// replan looks at the nodes as they are now.
func (f *fixing) replan(ctx workflow.Context) error {
	f.planned = activities.RepairPlan{}
	actx := nodeRead(ctx, fmt.Sprintf("Plan the repair of %d nodes", len(f.cluster.Nodes)))
	return workflow.ExecuteActivity(actx, repairs.PlanRepairs, f.input(ctx)).Get(ctx, &f.planned)
}

// planEvidence shows every fix with its diff, and what is left to a person.
func (f *fixing) planEvidence() activities.Evidence {
	e := activities.Evidence{Facts: map[string]string{}}
	var titles, live []string
	for _, n := range f.planned.Nodes {
		for _, x := range n.Fixes {
			title := fmt.Sprintf("%s (%s)%s", x.Title, strings.Join(x.Rules, ", "), caveats(x))
			titles = append(titles, n.Node+": "+title)
			e.Facts[n.Node+" "+x.ID] = title + "\n" + x.Diff
		}
		e.Findings = append(e.Findings, n.Left...)
		if n.Platform != "" {
			live = append(live, n.Node)
		}
	}
	e.Summary = fmt.Sprintf("%d fixes planned on %d nodes, %d findings are left to a person", f.planned.Fixes(), len(f.planned.Nodes), len(e.Findings))
	if len(live) > 0 {
		e.Summary += "; nothing is done on nodes that have, or may have, Kubernetes: " + strings.Join(live, ", ")
	}
	if len(f.gone) > 0 {
		e.Summary += "; left out, because they could not be read: " + strings.Join(f.gone, ", ")
	}
	e.Findings = e.Findings[:min(len(e.Findings), maxFindings)]
	e.Tail = clip(strings.Join(titles, "\n"), maxListed)
	return e
}

func caveats(x activities.PlannedFix) string {
	var out string
	if x.Guarded {
		out += "; rolled back by the node unless a second SSH session gets in"
	}
	if x.Reboot {
		out += "; counts after a reboot"
	}
	if x.Temporary != "" {
		out += "; holds " + x.Temporary
	}
	if x.Note != "" {
		out += "; " + x.Note
	}
	return out
}

// unplanned is the error that names the nodes of which nothing is known, but
// for those that a person has let go.
func (f *fixing) unplanned() error {
	var reports []activities.NodeReport
	for _, n := range f.planned.Nodes {
		if !slices.Contains(f.gone, n.Node) {
			reports = append(reports, activities.NodeReport{Node: n.Node, Fault: n.Fault})
		}
	}
	return nodeFaults(reports)
}

func (f *fixing) initScript() Step {
	return Step{
		StepInfo: StepInfo{ID: "fix.02-init", Title: "Run init.sh of the Core Package on every node", Source: []string{"PRE-02", "PRE-03", "PKG-04"}, Effect: Write, Skippable: true,
			Calls: []string{"read res/init.sh out of " + f.site.Package.Path + ", checksum verified", "ssh USER@NODE sudo -n bash init.sh   # every node, once per version of the script"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			in, nodes := f.acting(ctx)
			if nodes == 0 {
				return activities.Evidence{Summary: "there is no node on which it may run"}, nil
			}
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(remoteJob(ctx, "init.sh on every node"), repairs.RunInitScript, in).Get(ctx, &evidence)
			return evidence, err
		},
		Undo: f.undo,
	}
}

// apply does what the last plan holds. The rest, after the removal of packages,
// is planned anew; without a removal there is none.
func (f *fixing) apply(id, title, call string, rest bool) Step {
	return Step{
		StepInfo: StepInfo{ID: id, Title: title, Source: []string{"PRE-01", "PRE-03", "PRE-04"}, Effect: Write, Skippable: true, Calls: []string{call}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if rest && !f.removed {
				return activities.Evidence{Summary: "no packages were removed, so nothing more is to be done"}, nil
			}
			f.acting(ctx) // settles which nodes are left out
			if rest || f.unplanned() != nil {
				if err := f.replan(ctx); err != nil {
					return activities.Evidence{}, err
				}
			}
			if err := f.unplanned(); err != nil { // known when it was planned, gone since
				return activities.Evidence{}, err
			}
			return f.applyPlan(ctx)
		},
		Undo: f.undo,
	}
}

func (f *fixing) applyPlan(ctx workflow.Context) (activities.Evidence, error) {
	var report activities.RepairReport
	in := f.planned.Approve(f.scope(), runID(ctx))
	f.noteBoots(f.planned)
	if len(in.Nodes) > 0 {
		if err := workflow.ExecuteActivity(repairing(ctx, "Mend "+several(nodesOf(in))), repairs.ApplyRepairs, in).Get(ctx, &report); err != nil {
			return activities.Evidence{}, err
		}
	}
	evidence := activities.Evidence{
		Summary: fmt.Sprintf("%d changes done on %d nodes", report.Done(), len(report.Nodes)),
		Tail:    clip(resultLines(report), maxListed),
	}
	for _, n := range report.Nodes {
		if n.Due {
			f.boots[n.Node] = n.Boot
			f.noteReason(f.planned, n.Node)
		}
	}
	trouble := reportTrouble(report)
	if trouble != nil { // another try must not do what is no longer so
		if err := f.replan(ctx); err != nil {
			return evidence, err
		}
	}
	return evidence, trouble
}

// noteBoots remembers which nodes wait for a reboot by the plan: fixes that
// need nothing else, and earlier ones.
func (f *fixing) noteBoots(p activities.RepairPlan) {
	if f.boots == nil {
		f.boots, f.reasons = map[string]string{}, map[string]string{}
	}
	for _, n := range p.Nodes {
		bare := slices.ContainsFunc(n.Fixes, func(x activities.PlannedFix) bool { return x.Reboot && len(x.Changes) == 0 })
		if n.Boot != "" && n.Platform == "" && (n.Due || bare) {
			f.boots[n.Node] = n.Boot
			f.noteReason(p, n.Node)
		}
	}
}

// noteReason remembers which fixes count only after a node's reboot.
func (f *fixing) noteReason(p activities.RepairPlan, node string) {
	var why []string
	for _, n := range p.Nodes {
		for _, x := range n.Fixes {
			if n.Node == node && x.Reboot {
				why = append(why, fmt.Sprintf("%s (%s)", x.Title, strings.Join(x.Rules, ", ")))
			}
		}
	}
	switch {
	case len(why) > 0:
		f.reasons[node] = strings.Join(why, ", ")
	case f.reasons[node] == "":
		f.reasons[node] = "an earlier repair counts only after a reboot"
	}
}

// rebootsLeft names the nodes that still wait for a reboot, and tells whether
// nothing else is planned.
func (f *fixing) rebootsLeft() (waiting []string, only bool) {
	only = true
	for _, n := range f.planned.Nodes {
		if boot, due := f.boots[n.Node]; due && boot == n.Boot {
			waiting = append(waiting, n.Node)
		} else if len(n.Fixes) > 0 {
			only = false
			continue
		}
		for _, x := range n.Fixes {
			only = only && x.Reboot && len(x.Changes) == 0
		}
	}
	return waiting, only
}

func nodesOf(in activities.ApplyInput) []string {
	var out []string
	for _, n := range in.Nodes {
		out = append(out, n.Node)
	}
	return out
}

func resultLines(r activities.RepairReport) string {
	var lines []string
	for _, n := range r.Nodes {
		for _, x := range n.Results {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s: %s: %s %s %s", n.Node, x.Fix, x.What, x.Status, x.Message)))
		}
	}
	return strings.Join(lines, "\n")
}

// reportTrouble is the error of a report, in the words of a gate.
func reportTrouble(r activities.RepairReport) error {
	err := r.Trouble("repair")
	if err == nil {
		return nil
	}
	return temporal.NewNonRetryableApplicationError(clip(err.Error(), maxGateText), string(fault.ClassOf(err)), nil)
}

// undo takes back what this run has done, as far as nobody has touched it since.
func (f *fixing) undo(ctx workflow.Context) (activities.Evidence, error) {
	var evidence activities.Evidence
	err := workflow.ExecuteActivity(repairing(ctx, "Undo: take the repairs of this run back"), repairs.UndoRepairs, f.input(ctx)).Get(ctx, &evidence)
	return evidence, err
}

func (f *fixing) verdict() Step {
	return Step{
		StepInfo: StepInfo{ID: "fix.08-check", Title: "Check every node again", Source: []string{"PRE-03", "PRE-04"}, Effect: Read, Skippable: true,
			Calls: []string{"ssh USER@NODE sudo -n bash -s < collect.sh   # every node"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			if err := f.replan(ctx); err != nil {
				return activities.Evidence{}, err
			}
			evidence := f.planEvidence()
			evidence.Facts = nil
			f.out.Checks = &Verdict{Nodes: f.planned.Tally, Blocking: f.planned.Tally.Blocking()}
			if err := f.unplanned(); err != nil {
				return evidence, err
			}
			waiting, only := f.rebootsLeft()
			if f.planned.Fixes() > 0 && !only {
				return evidence, temporal.NewNonRetryableApplicationError(
					"the nodes are not mended: "+evidence.Tail+". Fix: see the step that mends why, abort, then start again", string(fault.Gate), nil)
			}
			done := fmt.Sprintf("everything is mended that acpflow can mend; %d findings are left to a person", leftTo(f.planned))
			if len(waiting) > 0 {
				done += "; a reboot is due on " + strings.Join(waiting, ", ")
			}
			if _, notes, ok := strings.Cut(evidence.Summary, "; "); ok { // what is left out
				done += "; " + notes
			}
			evidence.Summary = done
			return evidence, nil
		},
	}
}

func leftTo(p activities.RepairPlan) int {
	n := 0
	for _, node := range p.Nodes {
		for _, l := range node.Left {
			if l.Outcome == checks.Fail {
				n++
			}
		}
	}
	return n
}
