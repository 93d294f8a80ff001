package activities

import (
	"context"
	"net"
	"time"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/probe"
	"github.com/acpflow/acpflow/site"
)

// ProbeBalancerInput names the cluster whose load balancer is probed.
type ProbeBalancerInput struct{ Scope }

// watchTime is the most that one address of a balancer takes, with
// probe.UsualPatience and connections that hang to the last.
const watchTime = 2 * time.Minute

// ProbeBalancer looks at the addresses of the load balancer from outside: which
// control planes are behind each port, whether bytes pass unchanged, and
// whether the nodes reach the API there (LB-01…LB-06, NET-02). Outside is the
// jump host when there is one, else the worker; where those get no answer at
// all, a node tries. It fails when it was cancelled, or when the worker was
// built without agents.
func (p *Probes) ProbeBalancer(ctx context.Context, in ProbeBalancerInput) (checks.BalancerView, error) {
	cluster, err := in.cluster()
	if err != nil {
		return checks.BalancerView{}, err
	}
	view := checks.BalancerView{Measured: time.Now().UTC(), Address: cluster.Endpoint.VIP}
	addresses := checks.ForwardedAddresses(cluster)
	if len(addresses) == 0 { // nothing forwards, or not yet
		return view, nil
	}
	life := probe.Life(len(cluster.Nodes)) + time.Duration(len(addresses))*watchTime
	fleet, end, err := p.gather(ctx, in.Scope, life, func(n site.Node) (checks.NodePorts, error) {
		if n.Role != site.ControlPlane {
			return checks.NodePorts{}, nil
		}
		return checks.NodePorts{TCP: checks.ForwardedPorts(in.Site)}, nil
	})
	if err != nil {
		return checks.BalancerView{}, err
	}
	defer end()
	sources, err := p.outside(ctx, cluster, fleet)
	if err != nil {
		return checks.BalancerView{}, err
	}
	patience := p.Patience
	if patience == (probe.Patience{}) {
		patience = probe.UsualPatience
	}
	for _, address := range addresses {
		say := func(text string) { report(ctx, Progress{Text: text}) }
		seen, err := fleet.Balancer(ctx, address, sources, patience, say)
		if err != nil {
			return checks.BalancerView{}, err
		}
		if address == cluster.Endpoint.VIP {
			view.From, view.Cut, view.Near = seen.From, seen.Cut, seen.Near
		} else {
			for i := range seen.Ports {
				seen.Ports[i].Address = address
			}
		}
		view.Ports = append(view.Ports, seen.Ports...)
	}
	return view, nil
}

// outside is where users and workload clusters may be: not on a node.
func (p *Probes) outside(ctx context.Context, cluster *site.Cluster, fleet *probe.Fleet) ([]probe.Source, error) {
	worker := fleet.Outside("the worker", (&net.Dialer{}).DialContext)
	if cluster.SSH.Jump == nil {
		return []probe.Source{worker}, nil
	}
	target, err := jumpOf(cluster.SSH)
	if err != nil {
		return nil, err
	}
	jump, err := p.Hosts.Pool.Get(ctx, *target)
	if err != nil { // then no node was reached either, and every port says so
		return []probe.Source{worker}, nil //nolint:nilerr // the worker tries by itself
	}
	return []probe.Source{fleet.Outside("the jump host", jump.DialContext), worker}, nil
}
