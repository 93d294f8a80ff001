package site

import "strings"

// The defaults of the document.
const (
	DefaultProfile   = "acp-4.1-seed"
	DefaultDirectory = "/root/cpaas-install" // GEN-06
	DefaultVRID      = 137
	DefaultMaxPods   = 110
	defaultHTTPSPort = 443
	defaultAdminUser = "admin"
	defaultSSHUser   = "root"
	defaultSSHPort   = 22
	defaultTTL       = 30
	defaultTSIG      = "hmac-sha256"
	defaultHAProxy   = "/etc/haproxy/haproxy.cfg"
)

// Default fills in what the document leaves out. It changes nothing that is
// set, so applying it twice is applying it once.
func Default(s *Site) {
	set(&s.Profile, DefaultProfile)
	set(&s.Scenario, MultiCluster)
	set(&s.Platform.HTTPSPort, defaultHTTPSPort)
	set(&s.Platform.AdminUser, defaultAdminUser)
	if s.Platform.Products == nil {
		s.Platform.Products = []string{"base", "acp"}
	}
	set(&s.Package.Directory, DefaultDirectory)
	defaultDNS(s)
	for i := range s.Clusters {
		defaultCluster(&s.Clusters[i])
	}
}

func defaultDNS(s *Site) {
	d := s.DR.DNS
	if d == nil {
		return
	}
	set(&d.TTL, defaultTTL)
	if _, zone, ok := strings.Cut(s.Platform.Address, "."); ok {
		set(&d.Zone, zone)
	}
	if r := d.RFC2136; r != nil {
		set(&r.Algorithm, defaultTSIG)
		if len(d.Authoritative) > 0 {
			set(&r.Server, d.Authoritative[0])
		}
	}
}

func defaultCluster(c *Cluster) {
	if c.Endpoint.SelfBuilt {
		set(&c.Endpoint.VRID, DefaultVRID)
	}
	defaultNetwork(&c.Network)
	set(&c.SSH.User, defaultSSHUser)
	set(&c.SSH.Port, defaultSSHPort)
	if j := c.SSH.Jump; j != nil {
		set(&j.User, defaultSSHUser)
		set(&j.Port, defaultSSHPort)
	}
	if b := c.Balancer; b != nil && b.HAProxy != nil {
		set(&b.HAProxy.Config, defaultHAProxy)
		if l := b.HAProxy.SSH; l != nil {
			set(&l.User, defaultSSHUser)
			set(&l.Port, defaultSSHPort)
		}
	}
	if len(c.Monitoring.VictoriaMetrics) > 0 {
		set(&c.Monitoring.AgentReplicas, 1)
	}
}

func defaultNetwork(n *Network) {
	set(&n.CNI, KubeOVN)
	set(&n.IPFamily, IPv4)
	set(&n.MaxPods, DefaultMaxPods)
	ranges := func(to *[]string, v4, v6 string) {
		if *to != nil {
			return
		}
		switch n.IPFamily {
		case IPv4:
			*to = []string{v4}
		case IPv6:
			*to = []string{v6}
		case DualStack:
			*to = []string{v4, v6}
		}
	}
	ranges(&n.PodCIDRs, "10.3.0.0/16", "fd00:10:16::/64")
	ranges(&n.ServiceCIDRs, "10.4.0.0/16", "fd00:10:96::/112")
	if n.CNI == KubeOVN {
		ranges(&n.JoinCIDRs, "100.64.0.0/16", "fd00:100:64::/64")
	}
}

func set[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}
