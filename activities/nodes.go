package activities

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
)

// parallelNodes bounds the connections that one batch opens at a time; sshd
// of a bastion drops more than some ten unauthenticated ones (MaxStartups).
const parallelNodes = 10

// Nodes reads the machines of a cluster, several at a time.
type Nodes struct{ Hosts *Hosts }

// NodeFault is why one node could not be read.
type NodeFault struct {
	Class   fault.Class `json:"class"`
	Message string      `json:"message"` // redacted
}

// NodeReport is what one node gave, or why it gave nothing.
type NodeReport struct {
	Node     string           `json:"node"`
	Fault    *NodeFault       `json:"fault,omitempty"`
	Findings []checks.Finding `json:"findings,omitempty"`
	Facts    NodeFacts        `json:"facts,omitzero"`
}

// NodeReports are in the order of the input.
type NodeReports struct {
	Nodes []NodeReport `json:"nodes"`
}

// ReachInput names the nodes to reach.
type ReachInput struct {
	Nodes []Node `json:"nodes"`
}

// ReachNodes connects to every node with a verified host key and proves that
// commands run as root without a password (CHK-08). It fails only when it was
// cancelled; a node's failure is in its report.
func (n *Nodes) ReachNodes(ctx context.Context, in ReachInput) (NodeReports, error) {
	return n.each(ctx, in.Nodes, func(ctx context.Context, node Node) (NodeReport, error) {
		conn, err := n.Hosts.connect(ctx, node)
		if err != nil {
			return NodeReport{}, err
		}
		_, err = conn.Run(ctx, ssh.Command{Script: "true", Sudo: true})
		return NodeReport{}, err
	})
}

// CheckInput names the nodes to check, by name.
type CheckInput struct {
	Scope
	Nodes []string `json:"nodes"`
}

// NodeFacts are the few facts that rules across nodes and later steps need.
type NodeFacts struct {
	Node    string        `json:"node"`
	Machine string        `json:"machine"` // uname -m
	Shared  checks.Shared `json:"shared"`
}

// CheckNodes runs the collector on every node, one exec each, and judges the facts.
func (n *Nodes) CheckNodes(ctx context.Context, in CheckInput) (NodeReports, error) {
	cluster, err := in.cluster()
	if err != nil {
		return NodeReports{}, err
	}
	var nodes []Node
	for _, name := range in.Nodes {
		for _, doc := range cluster.Nodes {
			if doc.Name == name {
				nodes = append(nodes, NodeOf(cluster, doc))
			}
		}
	}
	if len(nodes) != len(in.Nodes) {
		return NodeReports{}, fault.New(fault.BadInput, "find nodes", "cluster "+in.Cluster, "", fmt.Errorf("%d of %d names exist", len(nodes), len(in.Nodes)))
	}
	return n.each(ctx, nodes, func(ctx context.Context, node Node) (NodeReport, error) {
		return n.check(ctx, in.Scope, node)
	})
}

func (n *Nodes) check(ctx context.Context, scope Scope, node Node) (NodeReport, error) {
	conn, err := n.Hosts.connect(ctx, node)
	if err != nil {
		return NodeReport{}, err
	}
	sent := time.Now()
	out, err := conn.Run(ctx, ssh.Command{Script: checks.Collector(), Sudo: true})
	if err != nil {
		return NodeReport{}, err
	}
	facts, err := checks.ParseFacts([]byte(out.Stdout))
	if err != nil {
		return NodeReport{}, fault.New(fault.Protocol, "read facts", node.Name, "", err)
	}
	facts.Sent, facts.Received = sent, time.Now()
	input := checks.Input{Site: scope.Site, Cluster: scope.Cluster, Node: node.Name, Facts: facts, Now: time.Now()}
	return NodeReport{
		Findings: checks.Judge(input),
		Facts:    NodeFacts{Node: node.Name, Machine: facts.Machine, Shared: facts.Shared()},
	}, nil
}

// each runs f on all nodes, some at a time, and reports one dead node beside
// the living ones.
func (n *Nodes) each(ctx context.Context, nodes []Node, f func(context.Context, Node) (NodeReport, error)) (NodeReports, error) {
	reports := make([]NodeReport, len(nodes))
	var group errgroup.Group
	group.SetLimit(parallelNodes)
	for i, node := range nodes {
		group.Go(func() error {
			r, err := f(ctx, node)
			r.Node = node.Name
			if err != nil {
				r.Fault = &NodeFault{Class: fault.ClassOf(err), Message: message(err)}
			}
			reports[i] = r
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return NodeReports{Nodes: reports}, ctx.Err()
}

// TogetherInput carries what Check found on all nodes.
type TogetherInput struct {
	Scope
	Facts []NodeFacts `json:"facts"`
}

// CompareNodes judges the nodes against one another (CHK-27, CHK-28). Pure.
func (n *Nodes) CompareNodes(_ context.Context, in TogetherInput) ([]checks.Finding, error) {
	shared := make(map[string]checks.Shared, len(in.Facts))
	for _, f := range in.Facts {
		shared[f.Node] = f.Shared
	}
	return checks.JudgeTogether(checks.TogetherInput{Site: in.Site, Cluster: in.Cluster, Nodes: shared, Now: time.Now()}), nil
}
