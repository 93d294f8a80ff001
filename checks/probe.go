package checks

import (
	"slices"

	"github.com/acpflow/acpflow/site"
)

// betweenLimits is what an edition demands of the network between nodes.
type betweenLimits struct {
	latency  float64 // milliseconds there and back, at most (NET-08)
	rate     float64 // Mbit/s, at least (NET-07)
	goodRate float64 // Mbit/s, recommended (NET-07)
	payload  float64 // the part of a line's rate that one TCP connection can carry
	ipip     bool    // Calico needs IP in IP (NET-09)
}

var (
	betweenSeed = betweenLimits{latency: 2, rate: 1000, goodRate: 10000, payload: 0.9, ipip: true}
	between41   = betweenLimits{latency: 10, rate: 1000, goodRate: 10000, payload: 0.9, ipip: true}
	between42   = betweenLimits{latency: 10, rate: 1000, goodRate: 10000, payload: 0.9}
)

// leastRate is the measured rate, in Mbit/s, below which a line is too slow.
func (l betweenLimits) leastRate() float64 { return l.rate * l.payload }

// The ports of the network plugins.
var (
	portsKubeOVN = []portRange{{6641, 6642}} // databases, on control planes
	portsCalico  = []portRange{{179, 179}}
	portsEtcd    = []portRange{{2379, 2380}}
)

// The ports that a load balancer forwards, besides the platform's own.
const (
	portAPI      = 6443
	portRegistry = 11443
	portEtcd     = 2379
	portGeneve   = 6081
)

// NodePorts is what the other nodes must reach on a node.
type NodePorts struct {
	TCP  []int // ascending
	UDP  []int
	IPIP bool // IP protocol 4
}

// PortsOf says what the others must reach on a node of the cluster (CHK-26,
// NET-09). Its error means an unknown profile.
func PortsOf(s site.Site, c *site.Cluster, n site.Node) (NodePorts, error) {
	e, err := editionOf(profileOf(s))
	if err != nil {
		return NodePorts{}, err
	}
	return portsOf(e, s, c, n), nil
}

func portsOf(e edition, s site.Site, c *site.Cluster, n site.Node) NodePorts {
	out := NodePorts{TCP: spread(portsEvery)}
	controlPlane := n.Role == site.ControlPlane
	if controlPlane {
		out.TCP = slices.Concat(out.TCP, spread(portsEtcd), ForwardedPorts(s))
	}
	switch c.Network.CNI {
	case site.Calico:
		out.TCP = append(out.TCP, spread(portsCalico)...)
		out.IPIP = e.between.ipip && c.Network.IPFamily != site.IPv6
	case site.KubeOVN:
		out.UDP = []int{portGeneve}
		if controlPlane {
			out.TCP = append(out.TCP, spread(portsKubeOVN)...)
		}
	}
	slices.Sort(out.TCP)
	out.TCP = slices.Compact(out.TCP)
	return out
}

// ForwardedPorts are the ports that the load balancer forwards to every
// control plane (LB-01…LB-05), in the order of these rules.
func ForwardedPorts(s site.Site) []int {
	out := []int{s.Platform.HTTPSPort, portAPI}
	if s.Registry.External == "" {
		out = append(out, portRegistry)
	}
	if s.Platform.HTTPPort != 0 {
		out = append(out, s.Platform.HTTPPort)
	}
	if s.DR.Planned {
		out = append(out, portEtcd)
	}
	return out
}

// ForwardedAddresses are the addresses of the cluster's load balancer; none
// when there is no balancer yet or no need for one.
func ForwardedAddresses(c *site.Cluster) []string {
	var out []string
	own := func(a string) bool {
		return slices.ContainsFunc(c.Nodes, func(n site.Node) bool { return n.Address == a || n.AddressIPv6 == a })
	}
	if vip := c.Endpoint.VIP; vip != "" && !c.Endpoint.SelfBuilt && !own(vip) {
		out = append(out, vip)
	}
	if c.ExternalIP != "" && c.ExternalIP != c.Endpoint.VIP && !own(c.ExternalIP) {
		out = append(out, c.ExternalIP)
	}
	return out
}

// Doubtful returns the measurements that a probe should repeat before anyone
// judges them: above rtt milliseconds, below rate Mbit/s.
func Doubtful(s site.Site) (rtt, rate float64, err error) {
	e, err := editionOf(profileOf(s))
	return e.between.latency, e.between.leastRate(), err
}

// spread lists every port of the ranges.
func spread(ranges []portRange) []int {
	var out []int
	for _, r := range ranges {
		for p := r.first; p <= r.last; p++ {
			out = append(out, p)
		}
	}
	return out
}
