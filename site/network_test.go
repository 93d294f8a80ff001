package site

import (
	"net/netip"
	"testing"
	"testing/quick"

	"github.com/stretchr/testify/assert"
)

func network(change func(*Network)) func(*Site) {
	return func(s *Site) { change(&s.Clusters[0].Network) }
}

var networkCases = []ruleCase{
	{rule: "PAR-13", name: "services inside pods", severity: SeverityError, path: "clusters[0].network.serviceCIDRs[0]", says: "10.3.0.0/16",
		bad:  network(func(n *Network) { n.ServiceCIDRs = []string{"10.3.128.0/24"} }),
		good: network(func(n *Network) { n.ServiceCIDRs = []string{"10.2.255.0/24"} })},
	{rule: "PAR-13", name: "join around services", severity: SeverityError, path: "clusters[0].network.joinCIDRs[0]", says: "overlaps",
		bad: network(func(n *Network) { n.JoinCIDRs = []string{"10.4.0.0/14"} })},
	{rule: "PAR-13", name: "no range", severity: SeverityError, path: "clusters[0].network.podCIDRs[0]", says: "no address range",
		bad: network(func(n *Network) { n.PodCIDRs = []string{"10.3.0.0"} })},
	{rule: "PAR-13", name: "bits behind the length", severity: SeverityError, path: "clusters[0].network.podCIDRs[0]", says: "write 10.3.0.0/16",
		bad: network(func(n *Network) { n.PodCIDRs = []string{"10.3.0.1/16"} })},
	{rule: "PAR-13", name: "service range too large", severity: SeverityError, path: "clusters[0].network.serviceCIDRs[1]", says: "/108",
		bad:  network(func(n *Network) { n.ServiceCIDRs = []string{"10.4.0.0/16", "fd00:10:96::/107"} }),
		good: network(func(n *Network) { n.ServiceCIDRs = []string{"10.4.0.0/16", "fd00:10:96::/108"} })},
	{rule: "PAR-13", name: "too few pod addresses", severity: SeverityError, path: "clusters[0].network.podCIDRs[0]", says: "5 nodes with 110",
		bad:  network(func(n *Network) { n.PodCIDRs = []string{"10.3.0.0/23"} }),
		good: network(func(n *Network) { n.PodCIDRs = []string{"10.3.0.0/22"} })},
	{rule: "PAR-13", name: "negative pods", severity: SeverityError, path: "clusters[0].network.maxPodsPerNode", says: "-1",
		bad: network(func(n *Network) { n.MaxPods = -1 })},
	{rule: "PAR-14", name: "pods in the hosts' segment", severity: SeverityError, path: "clusters[0].network.podCIDRs[0]", says: "10.0.0.0/8",
		bad: network(func(n *Network) { n.HostCIDRs = append(n.HostCIDRs, "10.0.0.0/8") })},
	{rule: "PAR-14", name: "a node inside the services", severity: SeverityError, path: "clusters[0].network.serviceCIDRs[0]", says: "clusters[0].nodes[0].address",
		bad: func(s *Site) { s.Clusters[0].Network.HostCIDRs, s.Clusters[0].Nodes[0].Address = nil, "10.4.0.7" }},
	{rule: "PAR-14", name: "the VIP inside the join range", severity: SeverityError, path: "clusters[0].network.joinCIDRs[0]", says: "endpoint.vip",
		bad: func(s *Site) { s.Clusters[0].Endpoint.VIP = "100.64.0.1" }},
	{rule: "PAR-14", name: "a node outside the listed segments", severity: SeverityError, path: "clusters[0].nodes[4].address", says: "none of the segments",
		bad: func(s *Site) { s.Clusters[0].Nodes[4].Address = "198.51.100.4" },
		good: func(s *Site) {
			s.Clusters[0].Nodes[4].Address = "198.51.100.4"
			s.Clusters[0].Network.HostCIDRs = append(s.Clusters[0].Network.HostCIDRs, "198.51.100.0/24")
		}},
	{rule: "PAR-33", name: "a path for a device", severity: SeverityError, path: "clusters[0].network.device", says: "ip link",
		bad: network(func(n *Network) { n.Device = "/dev/eth0" }), good: network(func(n *Network) { n.Device = "bond0.100" })},
	{rule: "GEN-07", name: "unknown plugin", severity: SeverityError, path: "clusters[0].network.cni", says: "flannel",
		bad: network(func(n *Network) { n.CNI = "flannel" }), good: network(func(n *Network) { n.CNI = Calico })},
	{rule: "GEN-07", name: "Calico after 4.1", severity: SeverityError, path: "clusters[0].network.cni", says: "kube-ovn",
		bad:  func(s *Site) { s.Profile, s.Clusters[0].Network.CNI = "acp-4.2", Calico },
		good: func(s *Site) { s.Profile, s.Clusters[0].Network.CNI = "acp-4.1", Calico }},
	{rule: "GEN-07", name: "join range with Calico", severity: SeverityWarning, path: "clusters[0].network.joinCIDRs", says: "drop",
		bad: network(func(n *Network) { n.CNI = Calico }), good: network(func(n *Network) { n.CNI, n.JoinCIDRs = Calico, nil })},
}

// TestOverlapsProperty compares with the definition: two ranges overlap when
// the first address of one lies in the other.
func TestOverlapsProperty(t *testing.T) {
	check := func(a, b [4]byte, aBits, bBits uint8, six bool) bool {
		p, q := prefix(a, aBits, six), prefix(b, bBits, six)
		want := p.Contains(q.Addr()) || q.Contains(p.Addr())
		pairs := overlaps([]span{{p, "a"}, {q, "b"}})
		mirrored := overlaps([]span{{q, "b"}, {p, "a"}})
		return (len(pairs) == 1) == want && len(pairs) == len(mirrored)
	}
	assert.NoError(t, quick.Check(check, &quick.Config{MaxCount: 20000}))
}

// prefix builds ranges that are close together, so that many overlap.
func prefix(b [4]byte, bits uint8, six bool) netip.Prefix {
	if six {
		var a [16]byte
		copy(a[:], []byte{0xfd, 0, b[0] & 3, b[1] & 3, b[2]})
		return netip.PrefixFrom(netip.AddrFrom16(a), int(bits)%129).Masked()
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, b[1] & 3, b[2] & 7, b[3]}), int(bits)%33).Masked()
}

// TestOverlapsCountsAllPairs: n equal ranges make n(n-1)/2 pairs, and ranges of
// different protocols none.
func TestOverlapsCountsAllPairs(t *testing.T) {
	v4, v6 := span{netip.MustParsePrefix("0.0.0.0/0"), "4"}, span{netip.MustParsePrefix("::/0"), "6"}
	assert.Len(t, overlaps([]span{v4, v4, v4, v4}), 6)
	assert.Empty(t, overlaps([]span{v4, v6}))
	assert.Empty(t, overlaps(nil))
}
