package workflows

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// maxFindings bounds what a step's evidence keeps of its findings; all of them
// can be made again from the record of the check.
const maxFindings = 200

// prepare holds what the steps of PREPARE share: the site, and what was found.
// Its methods build steps; building does no I/O.
type prepare struct {
	site    *site.Site
	cluster *site.Cluster
	out     *Progress
	advise  bool // findings are the result of the run, not a reason to stop

	reports []activities.NodeReport  // by checkNodes
	facts   []activities.NodeFacts   // of the nodes that could be read
	archive activities.InspectResult // by inspectPackage
	view    *checks.PackageView      // by inspectPackage or viewPackage
}

func newPrepare(s *site.Site, c *site.Cluster, out *Progress) *prepare {
	return &prepare{site: s, cluster: c, out: out}
}

func (p *prepare) scope() activities.Scope {
	return activities.Scope{Site: *p.site, Cluster: p.cluster.Name}
}

func (p *prepare) reachNodes() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "prepare.01-reach", Title: fmt.Sprintf("Reach every node (%d) over SSH, host keys verified, sudo without password", len(p.cluster.Nodes)),
			Source: []string{"GEN-02", "CHK-08"}, Effect: Read,
			Calls: []string{"ssh USER@NODE sudo -n true   # every node"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			reports, err := everyNode(ctx, p.cluster, "Reach", func(ctx workflow.Context, nodes []activities.Node) workflow.Future {
				var a *activities.Nodes
				return workflow.ExecuteActivity(ctx, a.ReachNodes, activities.ReachInput{Nodes: nodes})
			})
			if err == nil {
				err = nodeFaults(reports)
			}
			return activities.Evidence{Summary: fmt.Sprintf("%d nodes reached", len(reports))}, err
		},
	}
}

func (p *prepare) checkNodes(id string) Step {
	return Step{
		StepInfo: StepInfo{
			ID: id, Title: fmt.Sprintf("Check every node (%d) against the document: SSH with verified host keys, root rights, one collector", len(p.cluster.Nodes)),
			Source: []string{"GEN-02", "GEN-03", "GEN-04", "PRE-01", "PRE-04"}, Effect: Read,
			Calls: []string{"ssh USER@NODE sudo -n bash -s < collect.sh   # every node, one exec"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			reports, err := everyNode(ctx, p.cluster, "Check", func(ctx workflow.Context, nodes []activities.Node) workflow.Future {
				var a *activities.Nodes
				return workflow.ExecuteActivity(ctx, a.CheckNodes, activities.CheckInput{Scope: p.scope(), Nodes: names(nodes)})
			})
			if err != nil {
				return activities.Evidence{}, err
			}
			return p.judgeNodes(reports)
		},
	}
}

// judgeNodes keeps what the reports say. Nodes that could not be read stop the
// run before any finding does: nothing is known of them.
func (p *prepare) judgeNodes(reports []activities.NodeReport) (activities.Evidence, error) {
	p.reports, p.facts = reports, nil
	var tally checks.Tally
	var notable []checks.Finding
	for _, r := range reports {
		tally = tally.Add(r.Tally)
		notable = append(notable, r.Notable...)
		if r.Fault == nil {
			p.facts = append(p.facts, r.Facts)
		}
	}
	evidence := findingsEvidence(tally, notable)
	p.out.Checks = &Verdict{Nodes: tally, Blocking: tally.Blocking()}
	unread := nodeFaults(reports)
	if p.advise {
		if unread != nil {
			evidence.Tail = clip(unread.Error(), maxGateText)
		}
		return evidence, nil
	}
	if unread != nil {
		return evidence, unread
	}
	return evidence, blocking(tally, notable)
}

// viewPackage reads the package for a verdict; what is wrong with it is a finding.
func (p *prepare) viewPackage() Step {
	step := p.inspect("prepare.02-inspect-package", "Read the Core Package: checksum, contents, architecture", false)
	step.Do = func(ctx workflow.Context) (activities.Evidence, error) {
		var a *activities.CorePackage
		p.view = &checks.PackageView{}
		in := activities.InspectInput{Package: p.site.Package}
		err := workflow.ExecuteActivity(transfer(ctx, "Read "+path.Base(p.site.Package.Path)), a.ViewPackage, in).Get(ctx, p.view)
		if err == nil && p.view.Error != "" {
			return activities.Evidence{Summary: "not fit: " + p.view.Error}, nil
		}
		return activities.Evidence{Summary: fmt.Sprintf("sha256 %.12s, %s", p.view.SHA256, strings.Join(p.view.Architectures, " and "))}, err
	}
	return step
}

func (p *prepare) inspectPackage() Step {
	return p.inspect("prepare.02-inspect-package", "Verify the Core Package: checksum, contents, architecture of all nodes", false)
}

func (p *prepare) inspectHybrid() Step {
	return p.inspect("prepare.02-inspect-package", "Verify the Core Package: checksum, contents, both architectures", true)
}

func (p *prepare) inspect(id, title string, hybrid bool) Step {
	return Step{
		StepInfo: StepInfo{ID: id, Title: title, Source: []string{"PKG-03", "PKG-04", "EXE-01"}, Effect: Read,
			Calls: []string{"read " + p.site.Package.Path + " on the worker"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.CorePackage
			in := activities.InspectInput{Package: p.site.Package, Hybrid: hybrid}
			for _, f := range p.facts {
				in.Machines = append(in.Machines, f.Machine)
			}
			slices.Sort(in.Machines)
			in.Machines = slices.Compact(in.Machines)
			err := workflow.ExecuteActivity(transfer(ctx, "Inspect "+path.Base(p.site.Package.Path)), a.InspectPackage, in).Get(ctx, &p.archive)
			p.view = &p.archive.View
			return p.archive.Evidence, err
		},
	}
}

func (p *prepare) checkTogether() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "prepare.03-check-together", Title: "Check the cluster as a whole: names, clocks, the network between the nodes, the load balancer",
			Source: []string{"CHK-26", "CHK-27", "CHK-28", "NET-07", "NET-08", "NET-09", "LB-01", "LB-02", "LB-03", "LB-04", "LB-05", "PKG-03"}, Effect: Read,
			Calls: []string{
				"ssh USER@NODE sudo -n probe agent   # every node at once: short-lived listeners on the platform's ports, gone at the end",
				"connect to " + p.cluster.Endpoint.VIP + " on every forwarded port   # from the worker",
			},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			in := activities.TogetherInput{Scope: p.scope(), Facts: p.facts, Package: p.view}
			if err := p.probe(ctx, &in); err != nil {
				return activities.Evidence{}, err
			}
			var a *activities.Nodes
			var result activities.TogetherResult
			err := workflow.ExecuteActivity(quickRead(ctx, "Judge the cluster as a whole"), a.CompareNodes, in).Get(ctx, &result)
			if err != nil {
				return activities.Evidence{}, err
			}
			v := p.out.Checks
			v.Together = result.Tally
			v.Blocking = v.Nodes.Add(v.Together).Blocking()
			evidence := findingsEvidence(result.Tally, result.Notable)
			if p.advise {
				return evidence, nil
			}
			return evidence, blocking(result.Tally, result.Notable)
		},
	}
}

// probe looks between the nodes and from outside, unless the request says not to.
func (p *prepare) probe(ctx workflow.Context, in *activities.TogetherInput) error {
	if p.out.Request.SkipProbes {
		in.Unprobed = "the request says skipProbes"
		return nil
	}
	var a *activities.Probes
	actx := probing(ctx, "Probe the network between the nodes")
	if err := workflow.ExecuteActivity(actx, a.ProbeNodes, activities.ProbeNodesInput{Scope: p.scope()}).Get(ctx, &in.Mesh); err != nil {
		return err
	}
	actx = probing(ctx, "Probe the load balancer at "+p.cluster.Endpoint.VIP)
	return workflow.ExecuteActivity(actx, a.ProbeBalancer, activities.ProbeBalancerInput{Scope: p.scope()}).Get(ctx, &in.Balancer)
}

// findingsEvidence makes the evidence of a check step.
func findingsEvidence(t checks.Tally, notable []checks.Finding) activities.Evidence {
	e := activities.Evidence{
		Summary: fmt.Sprintf("%d passed, %d warnings, %d waived, %d skipped, %d failed, %d could not be told",
			t.Pass, t.Warn, t.Waived, t.Skipped, t.Fail, t.Error),
		Findings: notable,
	}
	if over := len(notable) - maxFindings; over > 0 {
		slices.SortStableFunc(notable, func(a, b checks.Finding) int { return urgency(a) - urgency(b) })
		e.Findings = notable[:maxFindings]
		e.Summary += fmt.Sprintf(" (%d findings are only in the record)", over)
	}
	return e
}

func urgency(f checks.Finding) int {
	if f.Blocking() {
		return 0
	}
	return 1
}

// blocking is the error of a check step that found what stops an install.
func blocking(t checks.Tally, notable []checks.Finding) error {
	var lines []string
	for _, f := range notable {
		if f.Blocking() {
			lines = append(lines, fmt.Sprintf("%s %s on %s: %s; wanted: %s. Fix: %s", f.Rule, f.Outcome, orCluster(f.Node), f.Said(), f.Want, f.Fix))
		}
	}
	if !t.Blocking() {
		return nil
	}
	return temporal.NewNonRetryableApplicationError(
		clip(fmt.Sprintf("%d of %d checks block the install:\n%s", t.Fail+t.Error, t.Total(), strings.Join(lines, "\n")), maxGateText)+
			"\nA waiver or another change of the site document needs a new start: abort, then start again; this run keeps the document it began with", string(fault.Gate), nil)
}

func orCluster(node string) string {
	if node == "" {
		return "the cluster"
	}
	return node
}
