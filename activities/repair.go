package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/fix"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/repair"
	"github.com/acpflow/acpflow/site"
)

// Bounds of what a plan puts into history, in bytes.
const (
	maxDiff  = 8 << 10   // of one fix
	maxDiffs = 128 << 10 // of all fixes: they also stand in the run's status
)

// Repairs mends what the checks found on the nodes, and takes it back.
type Repairs struct{ Hosts *Hosts }

// RepairInput names the nodes: all of the cluster but those to leave alone.
type RepairInput struct {
	Scope
	Run  string   `json:"run,omitempty"`  // workflow run id; of an undo: only what that run did
	Omit []string `json:"omit,omitempty"` // nodes to leave alone; an undo takes all nodes
}

// cluster is the cluster of the input without the nodes to leave alone.
func (in *RepairInput) cluster() (*site.Cluster, error) {
	all, err := in.Scope.cluster()
	if err != nil || len(in.Omit) == 0 {
		return all, err
	}
	some := *all
	some.Nodes = slices.DeleteFunc(slices.Clone(all.Nodes), func(n site.Node) bool { return slices.Contains(in.Omit, n.Name) })
	return &some, nil
}

// PlannedFix is one fix as it is shown before it is done.
type PlannedFix struct {
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Rules     []string `json:"rules"`
	Diff      string   `json:"diff"` // of files, and the commands; secrets masked
	Reboot    bool     `json:"reboot,omitempty"`
	Guarded   bool     `json:"guarded,omitempty"`   // rolled back by the node unless a second session gets in
	Temporary string   `json:"temporary,omitempty"` // until when it holds
	Note      string   `json:"note,omitempty"`
	Changes   []string `json:"changes,omitempty"` // digests: nothing else will be done
}

// NodePlan is what is to be done on one node, or why nothing is known of it.
type NodePlan struct {
	Node  string           `json:"node"`
	Fault *NodeFault       `json:"fault,omitempty"`
	Fixes []PlannedFix     `json:"fixes,omitempty"`
	Left  []checks.Finding `json:"left,omitempty"` // for a person; Reason says why
	Boot  string           `json:"boot,omitempty"` // id of the boot the node runs
	Due   bool             `json:"due,omitempty"`  // an earlier repair waits for a reboot

	Platform string `json:"platform,omitempty"` // why nothing is done here: Kubernetes is, or may be, on it
}

// RepairPlan is what is to be done on all nodes.
type RepairPlan struct {
	Nodes    []NodePlan       `json:"nodes"`
	Tally    checks.Tally     `json:"tally"`              // of the check it rests on
	Together []checks.Finding `json:"together,omitempty"` // about the cluster, that fixes of nodes mend
	Zone     string           `json:"zone,omitempty"`     // time zone that all nodes shall have
	Record   []byte           `json:"record"`             // checks.Record, packed
}

// Fixes counts the fixes of all nodes.
func (p RepairPlan) Fixes() int {
	n := 0
	for _, node := range p.Nodes {
		n += len(node.Fixes)
	}
	return n
}

// sight is all that is known of a node before it is repaired.
type sight struct {
	node   Node
	record checks.NodeRecord
	survey fix.Survey
	report repair.Report
	err    error
}

// PlanRepairs checks all nodes and plans what mends them. It changes nothing. A
// node that can't be read has a fault, and hides nothing about the others.
func (r *Repairs) PlanRepairs(ctx context.Context, in RepairInput) (RepairPlan, error) {
	cluster, err := in.cluster()
	if err != nil {
		return RepairPlan{}, err
	}
	sights := make([]sight, len(cluster.Nodes))
	r.onAll(NodesOf(cluster), func(i int, node Node) { sights[i] = r.look(ctx, node) })
	if err := ctx.Err(); err != nil {
		return RepairPlan{}, err
	}
	record := checks.Record{Judged: time.Now(), Unprobed: "repairs mend nodes, not what is between them"}
	for _, s := range sights {
		record.Nodes = append(record.Nodes, s.record)
	}
	report := checks.JudgeRecord(in.Site, in.Cluster, record)
	plan := RepairPlan{Tally: report.Tally, Zone: commonZone(sights)}
	for _, f := range report.Findings {
		if f.Node == "" && f.Rule == "CHK-28" && f.Outcome != checks.Pass && f.Outcome != checks.Waived {
			plan.Together = append(plan.Together, f)
		}
	}
	for _, s := range sights {
		plan.Nodes = append(plan.Nodes, planNode(in.Scope, s, report.Findings, plan.Together, plan.Zone))
	}
	plan.bound()
	plan.Record, err = record.Pack()
	return plan, err
}

// look reads one node with the collector and the surveyor.
func (r *Repairs) look(ctx context.Context, node Node) sight {
	s := sight{node: node}
	s.record, s.err = (&Nodes{Hosts: r.Hosts}).collect(ctx, node)
	if s.err != nil {
		return s
	}
	conn, err := r.Hosts.connect(ctx, node)
	if err != nil {
		s.err = err
		return s
	}
	n := repair.Node{Client: conn}
	if s.report, s.err = n.List(ctx); s.err == nil {
		s.survey, s.err = n.Survey(ctx)
	}
	return s
}

// commonZone is the time zone of most nodes, of the first ones when it is a tie.
func commonZone(sights []sight) string {
	count := map[string]int{}
	best := ""
	for _, s := range sights {
		if zone := s.survey.Zone(); s.err == nil && zone != "" {
			count[zone]++
		}
	}
	for _, s := range sights {
		if zone := s.survey.Zone(); s.err == nil && count[zone] > count[best] {
			best = zone
		}
	}
	return best
}

// build plans one node's fixes.
func build(scope Scope, s sight, findings, together []checks.Finding, zone string) (fix.Plan, error) {
	in := fix.Input{Site: scope.Site, Cluster: scope.Cluster, Node: s.node.Name, Survey: s.survey, Zone: zone}
	in.Facts, _ = s.record.Facts() // read before, or there is a fault
	for _, f := range findings {
		if f.Node == s.node.Name {
			in.Findings = append(in.Findings, f)
		}
	}
	in.Findings = append(in.Findings, together...)
	return fix.Build(in)
}

func planNode(scope Scope, s sight, findings, together []checks.Finding, zone string) NodePlan {
	out := NodePlan{Node: s.node.Name, Boot: s.report.Boot, Due: s.report.RebootDue}
	plan, err := fix.Plan{}, s.err
	if err == nil {
		plan, err = build(scope, s, findings, together, zone)
	}
	if err != nil {
		out.Fault = &NodeFault{Class: fault.ClassOf(err), Message: message(err)}
		return out
	}
	out.Platform = plan.Platform
	if n := halfDone(s.report); n > 0 && plan.Platform == "" {
		out.Fixes = append(out.Fixes, PlannedFix{ID: "recover", Title: fmt.Sprintf("End the %d changes that a killed repair left half done", n)})
	}
	for _, f := range plan.Fixes {
		planned := PlannedFix{
			ID: f.ID, Title: f.Title, Rules: f.Rules, Diff: tidy(f.Describe(s.survey)),
			Reboot: f.Reboot, Guarded: f.Guard, Temporary: f.Temporary, Note: f.Note,
		}
		for _, c := range f.Changes {
			planned.Changes = append(planned.Changes, c.Digest())
		}
		out.Fixes = append(out.Fixes, planned)
	}
	for _, l := range plan.Left {
		out.Left = append(out.Left, checks.Finding{
			Rule: l.Rule, Node: s.node.Name, Outcome: checks.Fail, Seen: l.Seen, Fix: l.Fix, Reason: l.Reason,
		})
	}
	return out
}

func halfDone(r repair.Report) int {
	n := 0
	for _, result := range r.Results {
		if result.Status == repair.Begun {
			n++
		}
	}
	return n
}

// tidy makes a node's text fit for history and terminals.
func tidy(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return '?'
		}
		return r
	}, message(errors.New(s)))
	return clip(s, maxDiff)
}

// bound leaves out diffs that would make the plan too large for history.
func (p *RepairPlan) bound() {
	size := 0
	for i := range p.Nodes {
		for j := range p.Nodes[i].Fixes {
			f := &p.Nodes[i].Fixes[j]
			if size += len(f.Diff); size > maxDiffs {
				f.Diff = fmt.Sprintf("(%d bytes, left out: plan this node alone to see them)", len(f.Diff))
			}
		}
	}
}

// onAll runs do for all nodes, some at a time.
func (r *Repairs) onAll(nodes []Node, do func(i int, node Node)) {
	var group errgroup.Group
	group.SetLimit(parallel(nodes))
	for i, node := range nodes {
		group.Go(func() error { do(i, node); return nil })
	}
	_ = group.Wait() // no function returns an error
}
