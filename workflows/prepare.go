package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// nodesPerActivity bounds one activity's fan-out: at 50 nodes a batch takes
// seconds and its result stays far below the payload limit.
const nodesPerActivity = 50

// rollCalls is how often unreachable nodes are tried before a person is asked.
const rollCalls = 3

// maxGateText bounds what a gate shows of many nodes' troubles, in bytes; the
// findings themselves are in the step's evidence.
const maxGateText = 16 << 10

// install is what the steps of one run share: the site, and what earlier steps
// found. Its methods build steps; building does no I/O.
type install struct {
	site    *site.Site
	cluster *site.Cluster
	node    activities.Node // the installer node, first control plane (EXE-02)
	out     *Progress

	facts   []activities.NodeFacts     // by checkNodes
	archive activities.InspectResult   // by inspectPackage
	posted  activities.ConfigureResult // by configure
	ended   time.Time                  // when the installer reported success
}

func newInstall(s *site.Site, c *site.Cluster, out *Progress) *install {
	return &install{site: s, cluster: c, node: activities.NodeOf(c, c.InstallerNode()), out: out}
}

func (i *install) scope() activities.Scope {
	return activities.Scope{Site: *i.site, Cluster: i.cluster.Name}
}

func (i *install) reachNodes() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "prepare.01-reach", Title: fmt.Sprintf("Reach every node (%d) over SSH, host keys verified, sudo without password", len(i.cluster.Nodes)),
			Source: []string{"GEN-02", "CHK-08"}, Effect: Read,
			Calls: []string{"ssh USER@NODE sudo -n true   # every node"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			reports, err := i.everyNode(ctx, "Reach", func(ctx workflow.Context, nodes []activities.Node) workflow.Future {
				var a *activities.Nodes
				return workflow.ExecuteActivity(ctx, a.ReachNodes, activities.ReachInput{Nodes: nodes})
			})
			return activities.Evidence{Summary: fmt.Sprintf("%d nodes reached", len(reports))}, err
		},
	}
}

func (i *install) checkNodes() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "prepare.02-check-nodes", Title: "Check every node against the document",
			Source: []string{"GEN-03", "GEN-04", "PRE-01", "PRE-04"}, Effect: Read,
			Calls: []string{"ssh USER@NODE sudo -n bash -s < collect.sh   # every node, one exec"},
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			reports, err := i.everyNode(ctx, "Check", func(ctx workflow.Context, nodes []activities.Node) workflow.Future {
				var a *activities.Nodes
				return workflow.ExecuteActivity(ctx, a.CheckNodes, activities.CheckInput{Scope: i.scope(), Nodes: names(nodes)})
			})
			if err != nil {
				return activities.Evidence{}, err
			}
			var findings []checks.Finding
			i.facts = i.facts[:0]
			for _, r := range reports {
				findings = append(findings, r.Findings...)
				i.facts = append(i.facts, r.Facts)
			}
			return judged(findings)
		},
	}
}

func (i *install) checkTogether() Step {
	return Step{
		StepInfo: StepInfo{
			ID: "prepare.03-check-together", Title: "Check the nodes against one another: names, time zones, clocks",
			Source: []string{"CHK-27", "CHK-28"}, Effect: Read,
		},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Nodes
			var findings []checks.Finding
			in := activities.TogetherInput{Scope: i.scope(), Facts: i.facts}
			err := workflow.ExecuteActivity(quickRead(ctx, "Compare the nodes"), a.CompareNodes, in).Get(ctx, &findings)
			if err != nil {
				return activities.Evidence{}, err
			}
			return judged(findings)
		},
	}
}

// everyNode runs a batch activity over all nodes and tries those that could not
// be reached again. One dead node hides nothing about the others: the error
// names every node that failed.
func (i *install) everyNode(ctx workflow.Context, verb string, start func(workflow.Context, []activities.Node) workflow.Future) ([]activities.NodeReport, error) {
	todo := activities.NodesOf(i.cluster)
	var good []activities.NodeReport
	for call := 1; ; call++ {
		var futures []workflow.Future
		for batch := range slices.Chunk(todo, nodesPerActivity) {
			futures = append(futures, start(nodeRead(ctx, fmt.Sprintf("%s %s", verb, strings.Join(names(batch), ", "))), batch))
		}
		var failed []activities.NodeReport
		for _, f := range futures {
			var result activities.NodeReports
			if err := f.Get(ctx, &result); err != nil {
				return nil, err
			}
			for _, report := range result.Nodes {
				if report.Fault == nil {
					good = append(good, report)
				} else {
					failed = append(failed, report)
				}
			}
		}
		todo = retryable(todo, failed)
		if len(failed) == 0 || len(todo) < len(failed) || call == rollCalls {
			return good, nodeFaults(failed)
		}
		if err := workflow.Sleep(ctx, 3*time.Second); err != nil {
			return nil, err
		}
	}
}

// retryable picks the nodes whose fault may pass by itself.
func retryable(nodes []activities.Node, failed []activities.NodeReport) []activities.Node {
	var out []activities.Node
	for _, n := range nodes {
		if slices.ContainsFunc(failed, func(r activities.NodeReport) bool { return r.Node == n.Name && !r.Fault.Class.Permanent() }) {
			out = append(out, n)
		}
	}
	return out
}

func nodeFaults(failed []activities.NodeReport) error {
	if len(failed) == 0 {
		return nil
	}
	var errs []error
	for _, r := range failed {
		errs = append(errs, fmt.Errorf("%s: %s", r.Node, r.Fault.Message))
	}
	return temporal.NewNonRetryableApplicationError(clip(errors.Join(errs...).Error(), maxGateText), string(failed[0].Fault.Class), nil)
}

// judged makes the evidence of a check step; a blocking finding is its error.
func judged(findings []checks.Finding) (activities.Evidence, error) {
	count := map[checks.Outcome]int{}
	var blocking []string
	for _, f := range findings {
		count[f.Outcome]++
		if f.Blocking() {
			blocking = append(blocking, fmt.Sprintf("%s %s on %s: %s; wanted: %s. Fix: %s", f.Rule, f.Outcome, f.Node, f.Seen+f.Reason, f.Want, f.Fix))
		}
	}
	evidence := activities.Evidence{
		Summary: fmt.Sprintf("%d passed, %d warnings, %d waived, %d skipped, %d failed, %d could not be told",
			count[checks.Pass], count[checks.Warn], count[checks.Waived], count[checks.Skipped], count[checks.Fail], count[checks.Error]),
		Findings: findings,
	}
	if len(blocking) == 0 {
		return evidence, nil
	}
	return evidence, temporal.NewNonRetryableApplicationError(
		clip(fmt.Sprintf("%d of %d checks block the install:\n%s", len(blocking), len(findings), strings.Join(blocking, "\n")), maxGateText)+
			"\nA waiver or another change of the site document needs a new start: abort, then start again; this run keeps the document it began with", string(fault.Gate), nil)
}

func names(nodes []activities.Node) []string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = n.Name
	}
	return out
}
