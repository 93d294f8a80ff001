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

// parallelNodes bounds the connections that one batch opens at a time. The
// sshd of a bastion drops more than some ten unauthenticated ones (MaxStartups).
const (
	parallelNodes     = 50
	parallelByBastion = 8
)

// maxFacts is the most that one node may say, in bytes; a healthy one says some 30 KiB.
const maxFacts = 512 << 10

// Nodes reads the machines of a cluster, several at a time.
type Nodes struct{ Hosts *Hosts }

// NodeFault is why one node could not be read.
type NodeFault struct {
	Class   fault.Class `json:"class"`
	Message string      `json:"message"` // redacted
}

// NodeReport is what one node gave, or why it gave nothing.
type NodeReport struct {
	Node    string           `json:"node"`
	Fault   *NodeFault       `json:"fault,omitempty"`
	Tally   checks.Tally     `json:"tally,omitzero"`
	Notable []checks.Finding `json:"notable,omitempty"` // neither passed nor skipped; none when the node gave nothing
	Facts   NodeFacts        `json:"facts,omitzero"`
}

// NodeReports are in the order of the input.
type NodeReports struct {
	Nodes  []NodeReport `json:"nodes"`
	Record []byte       `json:"record,omitempty"` // checks.Record, packed: all that was read
}

// ReachInput names the nodes to reach.
type ReachInput struct {
	Nodes []Node `json:"nodes"`
}

// ReachNodes connects to every node with a verified host key and proves that
// commands run as root without a password (CHK-08). It fails only when it was
// cancelled; a node's failure is in its report.
func (n *Nodes) ReachNodes(ctx context.Context, in ReachInput) (NodeReports, error) {
	return n.each(ctx, in.Nodes, func(ctx context.Context, i int) (NodeReport, error) {
		conn, err := n.Hosts.connect(ctx, in.Nodes[i])
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

// CheckNodes runs the collector on every node, one exec each, and judges the
// facts. What was read comes along, so that it can be judged again. It fails
// only when it was cancelled; a node's failure is in its report.
func (n *Nodes) CheckNodes(ctx context.Context, in CheckInput) (NodeReports, error) {
	nodes, err := in.nodes()
	if err != nil {
		return NodeReports{}, err
	}
	records := make([]checks.NodeRecord, len(nodes))
	out, err := n.each(ctx, nodes, func(ctx context.Context, i int) (NodeReport, error) {
		record, fail := n.collect(ctx, nodes[i])
		records[i] = record
		report := NodeReport{Facts: NodeFacts{Node: record.Node}}
		findings, shared := checks.JudgeNode(in.Site, in.Cluster, record, record.Received)
		report.Tally = checks.Count(findings)
		if fail == nil && shared != nil {
			report.Notable = notable(findings)
			report.Facts.Shared = *shared
			facts, _ := record.Facts() // JudgeNode has read them
			report.Facts.Machine = facts.Machine
		}
		return report, fail
	})
	if err != nil {
		return out, err
	}
	out.Record, err = checks.Record{Judged: time.Now(), Nodes: records}.Pack()
	return out, err
}

// nodes finds the named machines.
func (in CheckInput) nodes() ([]Node, error) {
	cluster, err := in.cluster()
	if err != nil {
		return nil, err
	}
	byName := make(map[string]Node, len(cluster.Nodes))
	for _, n := range NodesOf(cluster) {
		byName[n.Name] = n
	}
	nodes := make([]Node, len(in.Nodes))
	for i, name := range in.Nodes {
		n, ok := byName[name]
		if !ok {
			return nil, fault.New(fault.BadInput, "find node "+name, "cluster "+in.Cluster, "", nil)
		}
		nodes[i] = n
	}
	return nodes, nil
}

// collect reads one node. The record tells why when there is an error.
func (n *Nodes) collect(ctx context.Context, node Node) (checks.NodeRecord, error) {
	record := checks.NodeRecord{Node: node.Name, Sent: time.Now()}
	conn, err := n.Hosts.connect(ctx, node)
	if err == nil {
		var out ssh.Result
		record.Sent = time.Now()
		out, err = conn.Run(ctx, ssh.Command{Script: checks.Collector(), Sudo: true})
		record.Output = out.Stdout
	}
	record.Received = time.Now()
	if err == nil && len(record.Output) > maxFacts {
		record.Output = ""
		err = fault.New(fault.Corrupt, "read facts", node.Name, "look at the node: nothing healthy says that much", fmt.Errorf("more than %d KiB came", maxFacts>>10))
	}
	if err == nil {
		if _, malformed := record.Facts(); malformed != nil {
			err = fault.New(fault.Protocol, "read facts", node.Name, "", malformed)
		}
	}
	if err != nil {
		record.Fault, record.NoSudo = message(err), fault.ClassOf(err) == fault.Sudo
	}
	return record, err
}

// notable leaves out what needs nobody's attention.
func notable(findings []checks.Finding) []checks.Finding {
	var out []checks.Finding
	for _, f := range findings {
		if f.Outcome != checks.Pass && f.Outcome != checks.Skipped {
			out = append(out, f)
		}
	}
	return out
}

// each runs f with the index of every node, some at a time, and reports one
// dead node beside the living ones.
func (n *Nodes) each(ctx context.Context, nodes []Node, f func(context.Context, int) (NodeReport, error)) (NodeReports, error) {
	reports := make([]NodeReport, len(nodes))
	var group errgroup.Group
	group.SetLimit(parallel(nodes))
	for i, node := range nodes {
		group.Go(func() error {
			r, err := f(ctx, i)
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

func parallel(nodes []Node) int {
	for _, n := range nodes {
		if n.SSH.Jump != nil {
			return parallelByBastion
		}
	}
	return parallelNodes
}

// TogetherInput carries what was found on all nodes, and between them.
type TogetherInput struct {
	Scope
	Facts    []NodeFacts          `json:"facts"`              // without the nodes that gave nothing
	Mesh     *checks.Mesh         `json:"mesh,omitempty"`     // nil: not probed
	Balancer *checks.BalancerView `json:"balancer,omitempty"` // nil: not probed
	Package  *checks.PackageView  `json:"package,omitempty"`  // nil: not inspected
	Unprobed string               `json:"unprobed,omitempty"` // why nothing was probed, where that was wanted
}

// TogetherResult is the verdict on the cluster as a whole.
type TogetherResult struct {
	Tally   checks.Tally     `json:"tally"`
	Notable []checks.Finding `json:"notable,omitempty"` // neither passed nor skipped
	Record  []byte           `json:"record"`            // checks.Record, packed: when it was judged, and why nothing was probed; the views stand in the results of their own activities
}

// CompareNodes judges the nodes as a whole: against one another, the network
// between them, the load balancer, the package. Pure.
func (n *Nodes) CompareNodes(_ context.Context, in TogetherInput) (TogetherResult, error) {
	judged := time.Now()
	shared := make(map[string]checks.Shared, len(in.Facts))
	for _, f := range in.Facts {
		shared[f.Node] = f.Shared
	}
	findings := checks.JudgeTogether(checks.TogetherInput{Site: in.Site, Cluster: in.Cluster, Nodes: shared,
		Mesh: in.Mesh, Balancer: in.Balancer, Package: in.Package, Unprobed: in.Unprobed, Now: judged})
	record, err := checks.Record{Judged: judged, Unprobed: in.Unprobed}.Pack()
	return TogetherResult{Tally: checks.Count(findings), Notable: notable(findings), Record: record}, err
}
