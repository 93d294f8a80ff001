package checks

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/site"
)

var rulesOfBalancer = []Rule{forwardHTTPS, forwardAPI, forwardRegistry, forwardHTTP, forwardEtcd, healthChecks}

const (
	headForwarding = "Network › LoadBalancer forwarding rules"
	wantForwarding = "the balancer forwards the port to every control plane, as plain TCP"
	fixForwarding  = "forward TCP from the load balancer's address to the same port of every control plane; no TLS or HTTP mode"
)

var forwardHTTPS = Rule{
	ID: "LB-01", Title: "The balancer forwards HTTPS", Source: headForwarding, Subject: Balancer, Category: Must,
	Want: wantForwarding, Fix: fixForwarding,
	across: func(f fleet) verdict { return judgeForward(f, f.site.Platform.HTTPSPort) },
}

var forwardAPI = Rule{
	ID: "LB-02", Title: "The balancer forwards the Kubernetes API, also for the nodes", Source: headForwarding, Subject: Balancer, Category: Must,
	Want: wantForwarding + "; every node reaches it there (NET-02)", Fix: fixForwarding,
	across: judgeForwardAPI,
}

var forwardRegistry = Rule{
	ID: "LB-03", Title: "The balancer forwards the image registry", Source: headForwarding, Subject: Balancer, Category: Conditional,
	Condition: "the platform serves its own images", Want: wantForwarding, Fix: fixForwarding,
	across: func(f fleet) verdict {
		if f.site.Registry.External != "" {
			return skipped("the images come from an external registry")
		}
		return judgeForward(f, portRegistry)
	},
}

var forwardHTTP = Rule{
	ID: "LB-04", Title: "The balancer forwards HTTP", Source: headForwarding, Subject: Balancer, Category: Conditional,
	Condition: "the platform has an HTTP port", Want: wantForwarding, Fix: fixForwarding,
	across: func(f fleet) verdict {
		if f.site.Platform.HTTPPort == 0 {
			return skipped("the platform has no HTTP port")
		}
		return judgeForward(f, f.site.Platform.HTTPPort)
	},
}

var forwardEtcd = Rule{
	ID: "LB-05", Title: "The balancer forwards etcd", Source: headForwarding, Subject: Balancer, Category: Conditional,
	Condition: "disaster recovery is planned", Want: wantForwarding, Fix: fixForwarding,
	across: func(f fleet) verdict {
		if !f.site.DR.Planned {
			return skipped("disaster recovery is not planned")
		}
		return judgeForward(f, portEtcd)
	},
}

// seesBalancer returns what was seen of the balancer, or the verdict when
// there is nothing to judge.
func (f fleet) seesBalancer() (*BalancerView, *verdict) {
	var v verdict
	switch {
	case len(ForwardedAddresses(f.cluster)) == 0 && f.cluster.Endpoint.SelfBuilt:
		v = skipped("the installer makes the VIP itself")
	case len(ForwardedAddresses(f.cluster)) == 0:
		v = skipped("the cluster address is a node's own")
	case f.balancer == nil && f.unprobed != "":
		v = skipped("not probed: " + clip(f.unprobed))
	case f.balancer == nil:
		v = unknown(errors.New("the load balancer was not probed"))
	default:
		return f.balancer, nil
	}
	return nil, &v
}

// forwarded finds what was seen of a port at an address of the balancer.
func (b *BalancerView) forwarded(address string, port int) (BalancerPort, bool) {
	i := slices.IndexFunc(b.Ports, func(p BalancerPort) bool {
		return p.Port == port && (p.Address == address || p.Address == "" && b.Address == address)
	})
	if i < 0 {
		return BalancerPort{}, false
	}
	return b.Ports[i], true
}

// judgeForward judges one port at every address of the balancer; a failure
// counts more than what could not be told.
func judgeForward(f fleet, port int) verdict {
	b, v := f.seesBalancer()
	if v != nil {
		return *v
	}
	var seen []string
	out := pass("")
	for _, address := range ForwardedAddresses(f.cluster) {
		v := judgeDoor(f, b, address, port)
		if v.outcome == Fail {
			return v
		}
		if v.outcome != Pass {
			out = v
		}
		seen = append(seen, v.seen)
	}
	if out.outcome == Pass {
		out.seen = strings.Join(seen, "; ")
	}
	return out
}

func judgeDoor(f fleet, b *BalancerView, address string, port int) verdict {
	name := fmt.Sprintf("port %d of %s", port, clip(address))
	p, ok := b.forwarded(address, port)
	if !ok {
		return unknown(errors.New(name + " was not tried"))
	}
	switch p.Layer {
	case "http":
		return fail("the balancer itself speaks HTTP on " + name)
	case "tls":
		return fail("the balancer itself ends TLS on " + name)
	}
	var missing, unsure []string
	for _, n := range f.cluster.Nodes {
		switch {
		case n.Role != site.ControlPlane || slices.Contains(p.Reached, n.Name):
		case slices.Contains(p.Unknown, n.Name):
			unsure = append(unsure, n.Name)
		default:
			missing = append(missing, n.Name)
		}
	}
	why := ""
	if p.Error != "" {
		why = ": " + clip(p.Error)
	}
	switch {
	case len(missing) > 0:
		return fail(fmt.Sprintf("%s does not lead to %s%s", name, several(missing), why)).withNodes(missing...)
	case len(unsure) > 0:
		return unknown(fmt.Errorf("whether %s leads to %s can't be told%s", name, several(unsure), why))
	case p.Layer != "tcp":
		return unknown(fmt.Errorf("whether %s is plain TCP can't be told%s", name, why))
	}
	return pass(fmt.Sprintf("%s leads to %s", name, several(p.Reached)))
}

func judgeForwardAPI(f fleet) verdict {
	v := judgeForward(f, portAPI)
	if v.outcome == Skipped || v.outcome == Fail || f.balancer == nil {
		return v
	}
	b := f.balancer
	vip := f.cluster.Endpoint.VIP
	switch {
	case !slices.Contains(ForwardedAddresses(f.cluster), vip): // only an external address is forwarded
		return v
	case len(b.Cut) > 0:
		var nodes []string
		for _, c := range b.Cut {
			name, _, _ := strings.Cut(c, ":")
			nodes = append(nodes, name)
		}
		return fail(fmt.Sprintf("%s:%d is out of reach of %s", clip(vip), portAPI, clip(several(b.Cut)))).withNodes(nodes...).
			withFix("let every node, control planes too, connect to the cluster address")
	case v.outcome == Pass && b.Near < len(f.cluster.Nodes):
		return unknown(fmt.Errorf("only %d of %d nodes tried the cluster address", b.Near, len(f.cluster.Nodes)))
	}
	return v
}

var healthChecks = Rule{
	ID: "LB-06", Title: "The balancer checks the health of the control planes", Source: headForwarding, Subject: Balancer, Category: Must,
	Want:   "advice: a control plane that stops listening gets no more connections",
	Fix:    "configure health checks on every forwarded port of the load balancer",
	across: judgeHealthChecks,
}

func judgeHealthChecks(f fleet) verdict {
	b, v := f.seesBalancer()
	if v != nil {
		return *v
	}
	var without, untold []string
	for _, address := range ForwardedAddresses(f.cluster) {
		for _, port := range ForwardedPorts(*f.site) {
			p, _ := b.forwarded(address, port)
			name := fmt.Sprintf("%s port %d", clip(address), port)
			switch p.Checked {
			case "yes":
			case "no":
				without = append(without, name)
			default:
				untold = append(untold, name)
			}
		}
	}
	switch {
	case len(without) > 0:
		return warn("connections still go to a control plane that does not listen: " + several(without))
	case len(untold) > 0:
		return warn("could not be tried: " + several(untold)).withFix("look at the other findings about the load balancer first")
	}
	return pass("a control plane that stops listening gets no connections")
}
