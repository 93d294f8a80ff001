package site

import (
	"net/netip"
	"slices"
)

// checkVIP judges the VIP alone and against the nodes. A single control plane
// may use its own address (PAR-06).
func checkVIP(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		at := child(path, "endpoint.vip")
		vip, ok := j.ip(at, c.Endpoint.VIP)
		if !ok {
			return
		}
		masters := c.controlPlanes()
		for i, n := range c.Nodes {
			own := len(masters) == 1 && n.Role == ControlPlane && !c.Endpoint.SelfBuilt
			if nodeHas(n, vip) && !own {
				j.fail(at, "use an address that no machine has", "%s is the address of nodes[%d] (%s)", vip, i, n.Name)
			}
		}
	})
}

func checkExternalIP(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		at := child(path, "externalIP")
		ip, ok := j.ip(at, c.ExternalIP)
		if !ok {
			return
		}
		for i, n := range c.Nodes {
			if nodeHas(n, ip) && len(c.controlPlanes()) == 3 {
				j.fail(at, "use an address of the load balancer", "%s is the address of nodes[%d] (%s)", ip, i, n.Name)
			}
		}
	})
}

// ip parses an address that a load balancer can have; it reports what is none.
func (j *judge) ip(path, s string) (netip.Addr, bool) {
	if s == "" {
		return netip.Addr{}, false
	}
	a, ok := parseIP(s)
	if !ok || !isUnicast(a) {
		j.fail(path, "write a unicast IP address, without port or prefix length", "%q is no address a machine can have", shorten(s))
		return a, false
	}
	return a, true
}

func nodeHas(n Node, a netip.Addr) bool {
	for _, s := range []string{n.Address, n.AddressIPv6} {
		if own, ok := parseIP(s); ok && own == a {
			return true
		}
	}
	return false
}

func checkEndpointDomain(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		if d := c.Endpoint.Domain; d != "" && !isDomain(d) {
			j.fail(child(path, "endpoint.domain"), "write a host name in lower case, without scheme and port; an address goes to vip", "%q is no domain name", shorten(d))
		}
	})
}

func checkPlatformAddress(j *judge) {
	s := j.site.Platform.Address
	ip, isIP := parseIP(s)
	switch {
	case s == "":
	case !isIP && !isDomain(s):
		j.fail("platform.address", "write a host name in lower case or an IP address, without scheme, port and path", "%q is neither a domain name nor an IP address", shorten(s))
	case isIP && !reachable(j.site, ip):
		j.warn("platform.address", "use the VIP, the external IP or a domain name", "%s is neither the VIP nor the external IP of a cluster", ip)
	}
}

// reachable reports whether an address is one of a cluster's own.
func reachable(s *Site, a netip.Addr) bool {
	for _, c := range s.Clusters {
		for _, own := range []string{c.Endpoint.VIP, c.ExternalIP} {
			if o, ok := parseIP(own); ok && o == a {
				return true
			}
		}
	}
	return false
}

// checkIPv6Access wants a name where users come over IPv6.
func checkIPv6Access(j *judge) {
	ip, isIP := parseIP(j.site.Platform.Address)
	if !isIP {
		return
	}
	const fix = "use a domain name with an AAAA record"
	family := func(f IPFamily) bool {
		return slices.ContainsFunc(j.site.Clusters, func(c Cluster) bool { return c.Network.IPFamily == f })
	}
	switch {
	case j.site.Platform.IPv6Access || family(IPv6):
		j.fail("platform.address", fix, "the platform is reached over IPv6, so its address must be a domain, not %s", ip)
	case family(DualStack):
		j.warn("platform.address", fix, "with the address %s users reach the dual-stack platform over one protocol only", ip)
	}
}

func checkOtherAddresses(j *judge) {
	j.addresses("platform.otherAddresses", j.site.Platform.OtherAddresses)
	j.clusters(func(c *Cluster, path string) { j.addresses(child(path, "otherAddresses"), c.Other) })
}

func (j *judge) addresses(path string, list []string) {
	for i, s := range list {
		_, isIP := parseIP(s)
		switch {
		case !isIP && !isDomain(s):
			j.fail(item(path, i), "write a host name in lower case or an IP address, without scheme, port and path", "%q is neither a domain name nor an IP address", shorten(s))
		case s == j.site.Platform.Address:
			j.warn(item(path, i), "drop it", "%s is the platform address itself", s)
		case slices.Index(list, s) < i:
			j.warn(item(path, i), "drop it", "%s is listed twice", s)
		}
	}
}
