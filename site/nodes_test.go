package site

import "fmt"

func firstNode(change func(*Node)) func(*Site) {
	return func(s *Site) { change(&s.Clusters[0].Nodes[0]) }
}

// keep leaves the first n nodes.
func keep(n int) func(*Site) {
	return func(s *Site) { s.Clusters[0].Nodes = s.Clusters[0].Nodes[:n]; s.Clusters[0].Monitoring = Monitoring{} }
}

func single(more func(*Site)) func(*Site) {
	return func(s *Site) {
		keep(1)(s)
		s.Scenario = SingleNode
		more(s)
	}
}

var nodeCases = []ruleCase{
	{rule: "PAR-30", name: "two control planes", severity: SeverityError, path: "clusters[0].nodes", says: "2 control planes",
		bad: keep(2), good: keep(1)},
	{rule: "PAR-30", name: "five control planes", severity: SeverityError, path: "clusters[0].nodes", says: "5 control planes",
		bad: func(s *Site) { s.Clusters[0].Nodes[3].Role, s.Clusters[0].Nodes[4].Role = ControlPlane, ControlPlane }},
	{rule: "PAR-30", name: "workers only", severity: SeverityError, path: "clusters[0].nodes", says: "0 control planes",
		bad: func(s *Site) { s.Clusters[0].Nodes = s.Clusters[0].Nodes[3:] }},
	{rule: "API-10", name: "one address twice", severity: SeverityError, path: "clusters[0].nodes[1].address", says: "clusters[0].nodes[0]",
		bad: func(s *Site) { s.Clusters[0].Nodes[1].Address = "192.0.2.11" }},
	{rule: "API-10", name: "one address on both sides", pair: true, severity: SeverityError, path: "clusters[1].nodes[0].address", says: "192.0.2.13",
		bad: func(s *Site) { s.Clusters[1].Nodes[0].Address = "192.0.2.13" }},
	{rule: "API-10", name: "one IPv6 address in two spellings", severity: SeverityError, path: "clusters[0].nodes[1].addressIPv6", says: "2001:db8::1",
		bad: func(s *Site) {
			s.Clusters[0].Nodes[0].AddressIPv6, s.Clusters[0].Nodes[1].AddressIPv6 = "2001:db8::1", "2001:db8:0::0001"
		}},
	{rule: "CHK-15", name: "a name for an address", severity: SeverityError, path: "clusters[0].nodes[0].address", says: "no IP address",
		bad: firstNode(func(n *Node) { n.Address = "west-m1" })},
	{rule: "CHK-15", name: "loopback", severity: SeverityError, path: "clusters[0].nodes[0].address", says: "127.0.1.1",
		bad: firstNode(func(n *Node) { n.Address = "127.0.1.1" })},
	{rule: "CHK-15", name: "link-local", severity: SeverityError, path: "clusters[0].nodes[0].addressIPv6", says: "link-local",
		bad: firstNode(func(n *Node) { n.AddressIPv6 = "fe80::1" }), good: firstNode(func(n *Node) { n.AddressIPv6 = "2001:db8::1" })},
	{rule: "CHK-15", name: "broadcast", severity: SeverityError, path: "clusters[0].nodes[0].address", says: "255.255.255.255",
		bad: firstNode(func(n *Node) { n.Address = "255.255.255.255" })},
	{rule: "NET-10", name: "Docker's range", severity: SeverityWarning, path: "clusters[0].nodes[0].address", says: "bip of Docker",
		bad: firstNode(func(n *Node) { n.Address = "172.32.4.1" }), good: firstNode(func(n *Node) { n.Address = "172.33.4.1" })},
	{rule: "NET-10", name: "nerdctl's range", severity: SeverityWarning, path: "clusters[0].nodes[0].address", says: "bip of nerdctl",
		bad:  func(s *Site) { s.Profile = "acp-4.2"; s.Clusters[0].Nodes[0].Address = "172.18.4.1" },
		good: func(s *Site) { s.Profile = "acp-4.2"; s.Clusters[0].Nodes[0].Address = "172.20.4.1" }},
	{rule: "PAR-15", name: "one name twice", severity: SeverityError, path: "clusters[0].nodes[1].name", says: "nodes[0]",
		bad: func(s *Site) { s.Clusters[0].Nodes[1].Name = "west-m1" }},
	{rule: "PAR-15", name: "37 letters", severity: SeverityError, path: "clusters[0].nodes[0].name", says: "36",
		bad: func(s *Site) {
			s.Clusters[0].HostnameNode, s.Clusters[0].Nodes[0].Name = true, fmt.Sprintf("%037d.example", 1)[8:]+"x"
		},
		good: func(s *Site) { s.Clusters[0].Nodes[0].Name = "west-m1-with-a-name-that-is-longer-than-36" }},
	{rule: "PAR-31", name: "applications on an exclusive control plane", severity: SeverityError, path: "clusters[0].nodes[0].deployable", says: "platformNodeIsolation",
		bad:  func(s *Site) { s.Clusters[0].Isolation, s.Clusters[0].Nodes[0].Deployable = true, new(true) },
		good: func(s *Site) { s.Clusters[0].Nodes[0].Deployable = new(true) }},
	{rule: "PAR-32", name: "applications on an exclusive worker", severity: SeverityError, path: "clusters[0].nodes[3].deployable", says: "platformNodeIsolation",
		bad:  func(s *Site) { s.Clusters[0].Isolation, s.Clusters[0].Nodes[3].Deployable = true, new(true) },
		good: func(s *Site) { s.Clusters[0].Isolation, s.Clusters[0].Nodes[3].Deployable = true, new(false) }},
	{rule: "PAR-32", name: "no applications on a common worker", severity: SeverityError, path: "clusters[0].nodes[3].deployable", says: "always",
		bad:  func(s *Site) { s.Clusters[0].Nodes[3].Deployable = new(false) },
		good: func(s *Site) { s.Clusters[0].Nodes[3].Deployable = new(true) }},
	{rule: "CAP-01", name: "a single node site with five", severity: SeverityWarning, path: "clusters[0].nodes", says: "here are 5",
		bad: func(s *Site) { s.Scenario = SingleNode }, good: single(func(*Site) {})},
	{rule: "CAP-04", name: "one control plane", severity: SeverityWarning, path: "clusters[0].nodes", says: "here are 1",
		bad: single(func(s *Site) { s.Scenario = SingleCluster }), good: func(s *Site) { s.Scenario = SingleCluster }},
	{rule: "CAP-08", name: "no workers", severity: SeverityWarning, path: "clusters[0].nodes", says: "3 and 0", bad: keep(3)},
}
