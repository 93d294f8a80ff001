package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// namedRange is a CIDR and the field it came from.
type namedRange struct {
	path   string
	prefix netip.Prefix
}

func (c *Config) checkNetwork(r *report, o Offer) {
	a := c.Cluster.Annotations
	r.refuse(a[NetworkType] != OVN && a[NetworkType] != Calico, "cluster.annotations[%s]: %q is neither ovn nor calico", NetworkType, a[NetworkType])
	r.refuse(a[NetworkType] != o.NetworkType, "cluster.annotations[%s]: %q, but setup.sh was started for %s", NetworkType, a[NetworkType], o.NetworkType)
	r.refuse(o.IPFamily == "ipv6", "cluster: setup.sh was started with --ip-family ipv6, and this interface cannot express single-stack IPv6")
	ranges := c.ranges(r, "cluster.clusterCIDR", c.Cluster.ClusterCIDR)
	ranges = append(ranges, c.ranges(r, "cluster.serviceCIDR", c.Cluster.ServiceCIDR)...)
	join, hasJoin := a[JoinCIDR]
	transmit, hasTransmit := a[TransmitType]
	if a[NetworkType] == OVN {
		ranges = append(ranges, c.ranges(r, "cluster.annotations["+JoinCIDR+"]", join)...)
		r.refuse(transmit != "overlay", "cluster.annotations[%s]: %q, only overlay is known", TransmitType, transmit)
	} else {
		r.refuse(hasJoin || hasTransmit, "cluster.annotations: %s and %s are for ovn", JoinCIDR, TransmitType)
	}
	checkOverlap(r, ranges)
	c.checkNodesOutside(r, ranges)
	c.checkUnknownAnnotations(r)
}

func (c *Config) checkUnknownAnnotations(r *report) {
	for key := range c.Cluster.Annotations {
		switch key {
		case ContainerRuntime, NetworkType, JoinCIDR, TransmitType:
		default:
			r.refuse(true, "cluster.annotations: %s is unknown", key)
		}
	}
}

// ranges parses "v4", or "v4,v6" for dual stack.
func (c *Config) ranges(r *report, path, text string) []namedRange {
	parts := strings.Split(text, ",")
	want := 1
	if c.Cluster.Features.IPv6DualStack {
		want = 2
	}
	if len(parts) != want {
		r.refuse(true, "%s: %q has %d ranges, this cluster needs %d", path, text, len(parts), want)
		return nil
	}
	var out []namedRange
	for i, part := range parts {
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			r.refuse(true, "%s: %q is no CIDR", path, part)
			continue
		}
		r.refuse(prefix.Addr().Is4() != (i == 0), "%s: IPv4 stands first, IPv6 second", path)
		r.refuse(prefix != prefix.Masked(), "%s: %s has host bits set", path, part)
		out = append(out, namedRange{path, prefix})
	}
	return out
}

func checkOverlap(r *report, ranges []namedRange) {
	for i, a := range ranges {
		for _, b := range ranges[:i] {
			r.refuse(a.prefix.Overlaps(b.prefix), "%s: %s overlaps %s (%s)", a.path, a.prefix, b.prefix, b.path)
		}
	}
}

// checkNodesOutside: machines and the cluster address lie in no range of the
// cluster's own network.
func (c *Config) checkNodesOutside(r *report, ranges []namedRange) {
	hosts := map[string]string{"cluster.features.ha.vip": c.Cluster.Features.HA.VIP}
	for i, m := range c.Cluster.Features.Machines {
		hosts[fmt.Sprintf("cluster.features.machines[%d].ip", i)] = m.IP
		hosts[fmt.Sprintf("cluster.features.machines[%d].ipv6", i)] = m.IPv6
	}
	for path, host := range hosts {
		ip, err := netip.ParseAddr(host)
		if err != nil {
			continue // a domain, or refused elsewhere
		}
		for _, n := range ranges {
			r.refuse(n.prefix.Contains(ip), "%s: %s lies in %s (%s)", path, ip, n.prefix, n.path)
		}
	}
}
