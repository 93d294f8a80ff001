package site

import "net/netip"

// checkFamily wants every address and range of the protocol that the cluster
// is given for good.
func checkFamily(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		family := c.Network.IPFamily
		if family != IPv4 && family != IPv6 && family != DualStack {
			return // DOC-06
		}
		if family == IPv6 {
			j.warn(child(path, "network.ipFamily"), "use dual-stack, or install this cluster in the installer's web page", "the installer's unattended interface can't express single-stack IPv6")
		}
		for _, r := range []struct {
			field string
			list  []string
		}{{"podCIDRs", c.Network.PodCIDRs}, {"serviceCIDRs", c.Network.ServiceCIDRs}, {"joinCIDRs", c.Network.JoinCIDRs}} {
			if r.field == "joinCIDRs" && c.Network.CNI != KubeOVN {
				continue
			}
			checkRangeFamilies(j, child(child(path, "network"), r.field), r.list, family)
		}
		j.ofFamily(child(path, "endpoint.vip"), c.Endpoint.VIP, family)
		for i, n := range c.Nodes {
			checkNodeFamily(j, item(child(path, "nodes"), i), n, family)
		}
	})
}

// checkRangeFamilies wants one range per family of the protocol.
func checkRangeFamilies(j *judge, path string, list []string, family IPFamily) {
	v4, v6 := 0, 0
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil:
			return // PAR-13
		case p.Addr().Is4():
			v4++
		default:
			v6++
		}
	}
	want4, want6 := 1, 1
	switch family {
	case IPv4:
		want6 = 0
	case IPv6:
		want4 = 0
	}
	if v4 != want4 || v6 != want6 {
		j.fail(path, "list one range per protocol", "%s wants %d IPv4 and %d IPv6 ranges, here are %d and %d", family, want4, want6, v4, v6)
	}
}

func checkNodeFamily(j *judge, path string, n Node, family IPFamily) {
	j.ofFamily(child(path, "address"), n.Address, family)
	second, ok := parseIP(n.AddressIPv6)
	switch {
	case family == DualStack && n.AddressIPv6 == "":
		j.fail(path, "set addressIPv6", "dual-stack needs the IPv6 address of every node")
	case family == DualStack && ok && !second.Is6():
		j.fail(child(path, "addressIPv6"), "write an IPv6 address", "%s is no IPv6 address", second)
	case family != DualStack && n.AddressIPv6 != "":
		j.fail(child(path, "addressIPv6"), "drop it, or use ipFamily dual-stack", "a second address has no use with ipFamily %s", family)
	}
}

// ofFamily judges the first address of something; with dual-stack it is IPv4.
func (j *judge) ofFamily(path, s string, family IPFamily) {
	a, ok := parseIP(s)
	if !ok {
		return // reported where the address is judged
	}
	if want6 := family == IPv6; a.Is6() != want6 {
		want := "IPv4"
		if want6 {
			want = "IPv6"
		}
		j.fail(path, "write the "+want+" address, or change network.ipFamily", "with ipFamily %s this must be an %s address, not %s", family, want, a)
	}
}
