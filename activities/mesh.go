package activities

import (
	"context"
	"time"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/probe"
	"github.com/acpflow/acpflow/site"
)

// Probes looks at a cluster's network from its nodes, with short-lived agents
// that listen on the platform's ports.
type Probes struct {
	Hosts    *Hosts
	Patience probe.Patience // with a load balancer; zero = probe.UsualPatience
}

// ProbeNodesInput names the cluster whose nodes are probed.
type ProbeNodesInput struct{ Scope }

// ProbeNodes measures what every node sees of every other one (CHK-26,
// NET-07…NET-09). A node that can't be probed is told in the result. It fails
// when it was cancelled, or when the worker was built without agents.
func (p *Probes) ProbeNodes(ctx context.Context, in ProbeNodesInput) (checks.Mesh, error) {
	cluster, err := in.cluster()
	if err != nil {
		return checks.Mesh{}, err
	}
	rtt, rate, err := checks.Doubtful(in.Site)
	if err != nil {
		return checks.Mesh{}, badProfile(err)
	}
	if len(cluster.Nodes) < 2 { // nobody to talk to
		return checks.Mesh{Pairs: []checks.Pair{}}, nil
	}
	fleet, end, err := p.gather(ctx, in.Scope, probe.Life(len(cluster.Nodes)), func(n site.Node) (checks.NodePorts, error) {
		return checks.PortsOf(in.Site, cluster, n)
	})
	if err != nil {
		return checks.Mesh{}, err
	}
	defer end()
	say := func(text string) { report(ctx, Progress{Text: text}) }
	return fleet.Mesh(ctx, probe.Doubt{RTT: rtt, Rate: rate}, say)
}

// gather puts an agent that lives no longer than life on every node of the
// cluster. The returned function takes them away.
func (p *Probes) gather(ctx context.Context, scope Scope, life time.Duration, ports func(site.Node) (checks.NodePorts, error)) (*probe.Fleet, func(), error) {
	if err := probe.Ready(); err != nil {
		return nil, nil, err
	}
	cluster, err := scope.cluster()
	if err != nil {
		return nil, nil, err
	}
	var members []probe.Member
	for i, node := range NodesOf(cluster) {
		doc := cluster.Nodes[i]
		m := probe.Member{Name: doc.Name, Addresses: []string{doc.Address}}
		if doc.AddressIPv6 != "" {
			m.Addresses = append(m.Addresses, doc.AddressIPv6)
		}
		if m.Ports, err = ports(doc); err != nil {
			return nil, nil, badProfile(err)
		}
		m.Launch = func(ctx context.Context) (probe.Launcher, error) {
			conn, err := p.Hosts.connect(ctx, node)
			if err != nil {
				return nil, err
			}
			return probe.OverSSH(conn, life), nil
		}
		members = append(members, m)
	}
	report(ctx, Progress{Text: "starting probe agents", Total: int64(len(members)), Unit: "nodes"})
	living, stop := context.WithTimeout(ctx, life)
	fleet := probe.Gather(living, members, parallel(NodesOf(cluster)))
	return fleet, func() { fleet.Close(); stop() }, nil
}

func badProfile(err error) error {
	return fault.New(fault.BadInput, "choose what to probe", "the site document", "choose a profile that this release knows", err)
}
