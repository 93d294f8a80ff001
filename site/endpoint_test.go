package site

func selfBuilt(more func(*Site)) func(*Site) {
	return func(s *Site) {
		s.Clusters[0].Endpoint.SelfBuilt = true
		s.Clusters[0].Endpoint.VRID = DefaultVRID
		more(s)
	}
}

var endpointCases = []ruleCase{
	{rule: "NET-02", name: "VIP of a worker", severity: SeverityError, path: "clusters[0].endpoint.vip", says: "west-w2",
		bad: func(s *Site) { s.Clusters[0].Endpoint.VIP = "192.0.2.22" }},
	{rule: "NET-02", name: "VIP of a control plane", severity: SeverityError, path: "clusters[0].endpoint.vip", says: "west-m1",
		bad: func(s *Site) { s.Clusters[0].Endpoint.VIP = "192.0.2.11" }, good: single(func(s *Site) { s.Clusters[0].Endpoint.VIP = "192.0.2.11" })},
	{rule: "NET-02", name: "self-built VIP of a single node", severity: SeverityError, path: "clusters[0].endpoint.vip", says: "west-m1",
		bad: single(selfBuilt(func(s *Site) { s.Clusters[0].Endpoint.VIP = "192.0.2.11" })), good: single(selfBuilt(asIs))},
	{rule: "NET-02", name: "VIP with a port", severity: SeverityError, path: "clusters[0].endpoint.vip", says: "without port",
		bad: func(s *Site) { s.Clusters[0].Endpoint.VIP = "192.0.2.10:6443" }},
	{rule: "NET-03", name: "external IP of a node", severity: SeverityError, path: "clusters[0].externalIP", says: "west-m3",
		bad: func(s *Site) { s.Clusters[0].ExternalIP = "192.0.2.13" }, good: func(s *Site) { s.Clusters[0].ExternalIP = "203.0.113.10" }},
	{rule: "NET-03", name: "no address", severity: SeverityError, path: "clusters[0].externalIP", says: "unicast",
		bad: func(s *Site) { s.Clusters[0].ExternalIP = "224.0.0.1" }, good: func(s *Site) { s.Clusters[0].ExternalIP = "2001:db8::5" }},
	{rule: "PAR-03", name: "URL for a domain", severity: SeverityError, path: "clusters[0].endpoint.domain", says: "without scheme",
		bad: func(s *Site) { s.Clusters[0].Endpoint.Domain = "https://west.example.com" }, good: func(s *Site) { s.Clusters[0].Endpoint.Domain = "west.example.com" }},
	{rule: "PAR-03", name: "address for a domain", severity: SeverityError, path: "clusters[0].endpoint.domain", says: "vip",
		bad: func(s *Site) { s.Clusters[0].Endpoint.Domain = "192.0.2.10" }},
	{rule: "PAR-05", name: "VRID", severity: SeverityError, path: "clusters[0].endpoint.vrid", says: "256",
		bad: selfBuilt(func(s *Site) { s.Clusters[0].Endpoint.VRID = 256 }), good: selfBuilt(func(s *Site) { s.Clusters[0].Endpoint.VRID = 255 })},
	{rule: "PAR-05", name: "VRID without self-built VIP", severity: SeverityWarning, path: "clusters[0].endpoint.vrid", says: "selfBuilt",
		bad: func(s *Site) { s.Clusters[0].Endpoint.VRID = 3 }, good: selfBuilt(asIs)},
	{rule: "PAR-05", name: "domain", severity: SeverityError, path: "clusters[0].endpoint.domain", says: "load balancer",
		bad: selfBuilt(func(s *Site) { s.Clusters[0].Endpoint.Domain = "west.example.com" }), good: selfBuilt(asIs)},
	{rule: "PAR-05", name: "VIP in another segment", severity: SeverityError, path: "clusters[0].endpoint.vip", says: "VRRP",
		bad: selfBuilt(func(s *Site) { s.Clusters[0].Endpoint.VIP = "198.51.100.10" }), good: selfBuilt(asIs)},
	{rule: "PAR-05", name: "a control plane in another segment", severity: SeverityError, path: "clusters[0].endpoint.vip", says: "all control planes",
		bad: selfBuilt(func(s *Site) { s.Clusters[0].Network.HostCIDRs = []string{"192.0.2.8/30", "192.0.2.12/30"} }), good: selfBuilt(asIs)},
	{rule: "PAR-05", name: "segments unknown", severity: SeverityWarning, path: "clusters[0].endpoint.selfBuilt", says: "hostCIDRs",
		bad: selfBuilt(func(s *Site) { s.Clusters[0].Network.HostCIDRs = nil }), good: selfBuilt(asIs)},
	{rule: "PAR-06", name: "self-built VIP of a single node", severity: SeverityWarning, path: "clusters[0].endpoint.selfBuilt", says: "own address",
		bad: single(selfBuilt(asIs)), good: single(asIs)},
	{rule: "PAR-06", name: "never highly available", severity: SeverityWarning, path: "clusters[0].endpoint.vip", says: "never",
		bad:  single(func(s *Site) { s.Scenario, s.Clusters[0].Endpoint.VIP = MultiCluster, "192.0.2.11" }),
		good: single(func(s *Site) { s.Clusters[0].Endpoint.VIP = "192.0.2.11" })},
}

var addressCases = []ruleCase{
	{rule: "PAR-07", name: "URL", severity: SeverityError, path: "platform.address", says: "without scheme",
		bad: func(s *Site) { s.Platform.Address = "https://acp.example.com" }},
	{rule: "PAR-07", name: "mistyped address", severity: SeverityError, path: "platform.address", says: "192.0.2.256",
		bad: func(s *Site) { s.Platform.Address = "192.0.2.256" }},
	{rule: "PAR-07", name: "somebody else's address", severity: SeverityWarning, path: "platform.address", says: "neither the VIP",
		bad: func(s *Site) { s.Platform.Address = "192.0.2.99" }, good: func(s *Site) { s.Platform.Address = "192.0.2.10" }},
	{rule: "PAR-10", name: "address with port", severity: SeverityError, path: "platform.otherAddresses[1]", says: "neither",
		bad:  func(s *Site) { s.Platform.OtherAddresses = []string{"203.0.113.4", "203.0.113.4:8443"} },
		good: func(s *Site) { s.Platform.OtherAddresses = []string{"203.0.113.4", "acp.internal"} }},
	{rule: "PAR-10", name: "twice", severity: SeverityWarning, path: "platform.otherAddresses[1]", says: "twice",
		bad: func(s *Site) { s.Platform.OtherAddresses = []string{"203.0.113.4", "203.0.113.4"} }},
	{rule: "PAR-10", name: "the platform address again", severity: SeverityWarning, path: "clusters[0].otherAddresses[0]", says: "itself",
		bad: func(s *Site) { s.Clusters[0].Other = []string{"acp.example.com"} }, good: func(s *Site) { s.Clusters[0].Other = []string{"192.0.2.10"} }},
}
