package site

// dual turns the example into a correct dual-stack document.
func dual(more func(*Site)) func(*Site) {
	return func(s *Site) {
		c := &s.Clusters[0]
		c.Network = Network{IPFamily: DualStack, HostCIDRs: []string{"192.0.2.0/24", "2001:db8::/64"}}
		for i := range c.Nodes {
			c.Nodes[i].AddressIPv6 = "2001:db8::" + string(rune('1'+i))
		}
		Default(s)
		more(s)
	}
}

func asIs(*Site) {}

var familyCases = []ruleCase{
	{rule: "PAR-02", name: "IPv4 range with dual-stack only", severity: SeverityError, path: "clusters[0].network.podCIDRs", says: "1 IPv4 and 1 IPv6",
		bad: dual(func(s *Site) { s.Clusters[0].Network.PodCIDRs = []string{"10.3.0.0/16"} }), good: dual(asIs)},
	{rule: "PAR-02", name: "two IPv4 ranges", severity: SeverityError, path: "clusters[0].network.serviceCIDRs", says: "here are 2 and 0",
		bad: network(func(n *Network) { n.ServiceCIDRs = []string{"10.4.0.0/16", "10.5.0.0/16"} })},
	{rule: "PAR-02", name: "no range at all", severity: SeverityError, path: "clusters[0].network.joinCIDRs", says: "here are 0 and 0",
		bad: network(func(n *Network) { n.JoinCIDRs = []string{} }), good: network(func(n *Network) { n.CNI, n.JoinCIDRs = Calico, nil })},
	{rule: "PAR-02", name: "dual-stack without the second address", severity: SeverityError, path: "clusters[0].nodes[4]", says: "addressIPv6",
		bad: dual(func(s *Site) { s.Clusters[0].Nodes[4].AddressIPv6 = "" }), good: dual(asIs)},
	{rule: "PAR-02", name: "dual-stack with a second IPv4 address", severity: SeverityError, path: "clusters[0].nodes[4].addressIPv6", says: "198.51.100.4",
		bad: dual(func(s *Site) { s.Clusters[0].Nodes[4].AddressIPv6 = "198.51.100.4" }), good: dual(asIs)},
	{rule: "PAR-02", name: "second address with one protocol", severity: SeverityError, path: "clusters[0].nodes[0].addressIPv6", says: "dual-stack",
		bad: firstNode(func(n *Node) { n.AddressIPv6 = "2001:db8::1" })},
	{rule: "PAR-02", name: "IPv6 VIP with ipv4", severity: SeverityError, path: "clusters[0].endpoint.vip", says: "2001:db8::10",
		bad: func(s *Site) { s.Clusters[0].Endpoint.VIP = "2001:db8::10" }},
	{rule: "PAR-02", name: "IPv4 node with ipv6", severity: SeverityError, path: "clusters[0].nodes[0].address", says: "IPv6 address",
		bad: network(func(n *Network) { n.IPFamily = IPv6 })},
	{rule: "PAR-02", name: "single-stack IPv6 by the interface", severity: SeverityWarning, path: "clusters[0].network.ipFamily", says: "web page",
		bad: network(func(n *Network) { n.IPFamily = IPv6 }), good: dual(asIs)},
	{rule: "PAR-09", name: "IPv6 access to an address", severity: SeverityError, path: "platform.address", says: "AAAA",
		bad:  func(s *Site) { s.Platform.IPv6Access, s.Platform.Address = true, "192.0.2.10" },
		good: func(s *Site) { s.Platform.IPv6Access = true }},
	{rule: "PAR-09", name: "IPv6 platform at an address", severity: SeverityError, path: "platform.address", says: "must be a domain",
		bad: func(s *Site) { s.Clusters[0].Network.IPFamily, s.Platform.Address = IPv6, "2001:db8::10" }, good: network(func(n *Network) { n.IPFamily = IPv6 })},
	{rule: "PAR-09", name: "dual-stack at an address", severity: SeverityWarning, path: "platform.address", says: "one protocol only",
		bad: dual(func(s *Site) { s.Platform.Address = "192.0.2.10" }), good: dual(asIs)},
}
