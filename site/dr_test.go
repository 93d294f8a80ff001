package site

var drCases = []ruleCase{
	{rule: "DR-09", name: "one VIP for both", pair: true, severity: SeverityError, path: "clusters[1].endpoint.vip", says: "clusters[0].endpoint.vip",
		bad: func(s *Site) { s.Clusters[1].Endpoint.VIP = "192.0.2.10" }},
	{rule: "DR-09", name: "VIP is a node of the other side", pair: true, severity: SeverityError, path: "clusters[1].endpoint.vip", says: "west-w1",
		bad: func(s *Site) { s.Clusters[1].Endpoint.VIP = "192.0.2.21" }},
	{rule: "DR-12", name: "other Kubernetes", pair: true, severity: SeverityWarning, path: "clusters[1].kubernetes.version", says: "v1.32.7",
		bad: func(s *Site) { s.Clusters[1].Kubernetes.Version = "v1.32.7" },
		good: func(s *Site) {
			s.Clusters[0].Kubernetes.Version, s.Clusters[1].Kubernetes.Version = "v1.32.7", "v1.32.7"
		}},
	{rule: "DR-12", name: "other services", pair: true, severity: SeverityWarning, path: "clusters[1].network.serviceCIDRs", says: "10.5.0.0/16",
		bad: func(s *Site) { s.Clusters[1].Network.ServiceCIDRs = []string{"10.5.0.0/16"} }},
	{rule: "DR-13", name: "self-built VIP", pair: true, severity: SeverityError, path: "clusters[0].endpoint.selfBuilt", says: "load balancer",
		bad: selfBuilt(asIs)},
	{rule: "DR-13", name: "self-built VIP of a future pair", severity: SeverityError, path: "clusters[0].endpoint.selfBuilt", says: "load balancer",
		bad: selfBuilt(func(s *Site) { s.DR.Planned = true }), good: selfBuilt(asIs)},
	{rule: "DR-14", name: "address", pair: true, severity: SeverityError, path: "platform.address", says: "domain",
		bad: func(s *Site) { s.Platform.Address = "192.0.2.10" }},
	{rule: "DR-14", name: "cluster address by name", pair: true, severity: SeverityError, path: "clusters[1].endpoint.domain", says: "VIP",
		bad: func(s *Site) { s.Clusters[1].Endpoint.Domain = "east.example.com" }},
	{rule: "DR-15", name: "self-signed", pair: true, severity: SeverityError, path: "platform", says: "own certificate",
		bad: func(s *Site) { s.Platform.Certificate = nil }},
	{rule: "DR-16", name: "no credentials", pair: true, severity: SeverityError, path: "registry", says: "registry.username",
		bad: func(s *Site) { s.Registry = Registry{} }, good: func(s *Site) { s.Registry = Registry{External: "registry.example.com"} }},
	{rule: "DR-17", name: "HTTP off", pair: true, severity: SeverityError, path: "platform.httpPort", says: "80",
		bad: func(s *Site) { s.Platform.HTTPPort = 0 }},
	{rule: "DR-17", name: "other HTTPS port", pair: true, severity: SeverityError, path: "platform.httpsPort", says: "8443",
		bad: func(s *Site) { s.Platform.HTTPSPort = 8443 }},
	{rule: "DR-18", name: "other side's VIP", pair: true, severity: SeverityError, path: "clusters[1].otherAddresses", says: "198.51.100.10",
		bad: func(s *Site) { s.Clusters[1].Other = []string{"192.0.2.10"} },
		good: func(s *Site) {
			s.Clusters[1].Other = nil
			s.Platform.OtherAddresses = []string{"198.51.100.10"}
		}},
	{rule: "DR-22", name: "a name of one side", pair: true, severity: SeverityError, path: "clusters[0].otherAddresses[1]", says: "platform.otherAddresses",
		bad: func(s *Site) { s.Clusters[0].Other = append(s.Clusters[0].Other, "acp.internal.example.com") },
		good: func(s *Site) {
			for i := range s.Clusters {
				s.Clusters[i].Other = append(s.Clusters[i].Other, "acp.internal.example.com")
			}
		}},
}
