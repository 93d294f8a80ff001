package activities

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/fix"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/repair"
	"github.com/acpflow/acpflow/internal/ssh"
)

// guardTime is how long a node waits for the second session before it takes a
// fix back that could have cut SSH.
const guardTime = 60 * time.Second

// ApprovedNode is what may be done on one node.
type ApprovedNode struct {
	Node    string   `json:"node"`
	Changes []string `json:"changes"` // digests, from PlannedFix
}

// ApplyInput is the plan that was shown, without its texts.
type ApplyInput struct {
	Scope
	Run      string           `json:"run"`
	Nodes    []ApprovedNode   `json:"nodes"`
	Together []checks.Finding `json:"together,omitempty"`
	Zone     string           `json:"zone,omitempty"`
}

// Approve picks out of a plan what ApplyRepairs needs to do exactly that.
func (p RepairPlan) Approve(scope Scope, run string) ApplyInput {
	in := ApplyInput{Scope: scope, Run: run, Together: p.Together, Zone: p.Zone}
	for _, n := range p.Nodes {
		approved := ApprovedNode{Node: n.Node}
		for _, f := range n.Fixes {
			approved.Changes = append(approved.Changes, f.Changes...)
		}
		if len(n.Fixes) > 0 {
			in.Nodes = append(in.Nodes, approved)
		}
	}
	return in
}

// RepairResult is what became of one change.
type RepairResult struct {
	Fix     string        `json:"fix"`
	What    string        `json:"what"` // path or command
	Status  repair.Status `json:"status"`
	Message string        `json:"message,omitempty"`
}

// NodeRepair is what was done on one node.
type NodeRepair struct {
	Node    string         `json:"node"`
	Fault   *NodeFault     `json:"fault,omitempty"`
	Results []RepairResult `json:"results,omitempty"`
	Boot    string         `json:"boot,omitempty"` // id of the boot the node runs
	Due     bool           `json:"due,omitempty"`  // a reboot is due
}

// RepairReport is what was done on all nodes.
type RepairReport struct {
	Nodes []NodeRepair `json:"nodes"`
}

// ApplyRepairs plans again from what the nodes say now and does what the shown
// plan holds, nothing else: a change that is not in it is refused. May be
// repeated. It fails only when it was cancelled; troubles are in the report.
func (r *Repairs) ApplyRepairs(ctx context.Context, in ApplyInput) (RepairReport, error) {
	cluster, err := in.cluster()
	if err != nil {
		return RepairReport{}, err
	}
	var nodes []Node
	for _, n := range NodesOf(cluster) {
		if slices.ContainsFunc(in.Nodes, func(a ApprovedNode) bool { return a.Node == n.Name }) {
			nodes = append(nodes, n)
		}
	}
	out := RepairReport{Nodes: make([]NodeRepair, len(nodes))}
	r.onAll(nodes, func(i int, node Node) {
		out.Nodes[i] = reportOf(node)(r.apply(ctx, in, node))
	})
	return out, ctx.Err()
}

// reportOf names the node and keeps its fault.
func reportOf(node Node) func(repair.Report, error) NodeRepair {
	return func(report repair.Report, err error) NodeRepair {
		out := NodeRepair{Node: node.Name, Boot: report.Boot, Due: report.RebootDue}
		for _, r := range report.Results {
			out.Results = append(out.Results, RepairResult{r.Fix, clip(tidy(r.What), 300), r.Status, clip(tidy(r.Message), 1000)})
		}
		if err != nil {
			out.Fault = &NodeFault{Class: fault.ClassOf(err), Message: message(err)}
		}
		return out
	}
}

func (r *Repairs) apply(ctx context.Context, in ApplyInput, node Node) (repair.Report, error) {
	conn, err := r.Hosts.connect(ctx, node)
	if err != nil {
		return repair.Report{}, err
	}
	out, err := repair.Node{Client: conn}.Apply(ctx, in.Run, nil, nil) // ends what is half done
	if err != nil {
		return out, err
	}
	s := r.look(ctx, node)
	if s.err != nil {
		return out, s.err
	}
	findings, _ := checks.JudgeNode(in.Site, in.Cluster, s.record, s.record.Received)
	plan, err := build(in.Scope, s, findings, in.Together, in.Zone)
	if err != nil {
		return out, err
	}
	if plan.Platform != "" {
		out.Results = append(out.Results, repair.Result{What: "the whole node", Status: repair.Refused, Message: plan.Platform})
		return out, nil
	}
	i := slices.IndexFunc(in.Nodes, func(a ApprovedNode) bool { return a.Node == node.Name })
	var plain []fix.Fix
	flush := func() error {
		if len(plain) == 0 {
			return nil
		}
		conn, err := r.Hosts.connect(ctx, node)
		if err != nil {
			return err
		}
		report, err := repair.Node{Client: conn}.Apply(ctx, in.Run, plain, nil)
		plain = nil
		out = join(out, report)
		return err
	}
	for _, f := range plan.Fixes {
		if !approved(f, in.Nodes[i].Changes) {
			out.Results = append(out.Results, repair.Result{Fix: f.ID, What: f.Title, Status: repair.Refused,
				Message: "it is not in the plan that was shown: the node has changed since. Look at it, then plan again"})
			continue
		}
		if !f.Guard {
			plain = append(plain, f)
			continue
		}
		if err := flush(); err != nil {
			return out, err
		}
		report, err := r.applyGuarded(ctx, in.Run, node, f)
		if out = join(out, report); err != nil {
			return out, err
		}
	}
	return out, flush()
}

func approved(f fix.Fix, digests []string) bool {
	for _, c := range f.Changes {
		if !slices.Contains(digests, c.Digest()) {
			return false
		}
	}
	return true
}

func join(a, b repair.Report) repair.Report {
	b.Results = append(a.Results, b.Results...)
	if b.Boot == "" {
		b.Boot, b.RebootDue = a.Boot, a.RebootDue
	}
	return b
}

// applyGuarded does a fix that could cut SSH. Only a session that did not exist
// before proves that it has not; without one the node takes the fix back.
func (r *Repairs) applyGuarded(ctx context.Context, run string, node Node, f fix.Fix) (repair.Report, error) {
	conn, err := r.Hosts.connect(ctx, node)
	if err != nil {
		return repair.Report{}, err
	}
	guard := repair.Guard{Token: token(), Seconds: int(guardTime / time.Second)}
	armed := time.Now()
	report, err := repair.Node{Client: conn}.Apply(ctx, run, []fix.Fix{f}, &guard)
	if err != nil || !slices.ContainsFunc(report.Results, func(r repair.Result) bool { return r.Status == repair.Done }) || len(report.Bad()) > 0 {
		return report, err
	}
	cut := r.confirm(ctx, node, guard.Token, armed.Add(guardTime))
	if cut == nil {
		return report, nil
	}
	if ctx.Err() != nil {
		return report, ctx.Err() // the node takes it back
	}
	for i := range report.Results {
		report.Results[i].Status = repair.Failed
		report.Results[i].Message = fmt.Sprintf("rolled back by the node itself: with it no new SSH session came through (%s)", message(cut))
	}
	return report, r.returned(ctx, node, armed.Add(guardTime))
}

// confirm gets in anew and tells the node so, before its time is over.
func (r *Repairs) confirm(ctx context.Context, node Node, token string, end time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	for {
		ok, err := r.confirmOnce(ctx, node, token)
		if err == nil && !ok {
			return errors.New("the confirmation came too late")
		}
		if err == nil {
			return nil
		}
		report(ctx, Progress{Text: "a second session to " + node.Name + ": " + message(err)})
		if wait := pause(ctx, time.Second); wait != nil {
			return err
		}
	}
}

func (r *Repairs) confirmOnce(ctx context.Context, node Node, token string) (bool, error) {
	conn, err := fresh(ctx, node)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }() // what it was for is done
	return repair.Node{Client: conn}.Confirm(ctx, token)
}

// fresh opens a connection of its own, which shows what a newcomer sees.
func fresh(ctx context.Context, node Node) (*ssh.Client, error) {
	target, err := targetOf(node)
	if err != nil {
		return nil, err
	}
	return ssh.Dial(ctx, target)
}

// returned waits until the node has taken the fix back and lets us in again.
func (r *Repairs) returned(ctx context.Context, node Node, rollback time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, rollback.Add(2*guardTime))
	defer cancel()
	for {
		conn, err := fresh(ctx, node)
		if err == nil {
			_, err = repair.Node{Client: conn}.Apply(ctx, "", nil, nil) // takes back what is still armed
			_ = conn.Close()
			if err == nil {
				return nil
			}
		}
		if wait := pause(ctx, time.Second); wait != nil {
			return err
		}
	}
}

func token() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
