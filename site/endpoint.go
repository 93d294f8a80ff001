package site

import "fmt"

// checkSelfBuilt judges the conditions of a VIP that the installer's own
// keepalived holds.
func checkSelfBuilt(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		e, at := c.Endpoint, child(path, "endpoint")
		if !e.SelfBuilt {
			if e.VRID != 0 {
				j.warn(child(at, "vrid"), "drop vrid, or set selfBuilt", "a VRID has no use without a self-built VIP")
			}
			return
		}
		if e.VRID < 1 || e.VRID > 255 {
			j.fail(child(at, "vrid"), fmt.Sprintf("use a number from 1 to 255 that no other keepalived of the segment uses, default %d", DefaultVRID), "%d is no VRID", e.VRID)
		}
		if e.Domain != "" {
			j.fail(child(at, "domain"), "drop the domain, or use a load balancer", "a self-built VIP can't be reached by a name")
		}
		checkOneSubnet(j, c, path)
	})
}

// checkOneSubnet wants the VIP and all control planes in one segment, which
// only network.hostCIDRs can tell.
func checkOneSubnet(j *judge, c *Cluster, path string) {
	vip, ok := parseIP(c.Endpoint.VIP)
	segments := j.spans(child(path, "network.hostCIDRs"), c.Network.HostCIDRs, false)
	switch {
	case !ok:
		return
	case len(segments) == 0:
		j.warn(child(path, "endpoint.selfBuilt"), "list the nodes' segments in network.hostCIDRs", "whether the VIP and the control planes share a subnet is not known")
		return
	}
	for _, s := range segments {
		all := s.Contains(vip)
		for _, n := range c.controlPlanes() {
			a, ok := parseIP(n.Address)
			all = all && ok && s.Contains(a)
		}
		if all {
			return
		}
	}
	j.fail(child(path, "endpoint.vip"), "take a VIP from the control planes' segment, or use a load balancer", "no segment of network.hostCIDRs holds the VIP and all control planes, so VRRP can't move it")
}

func checkSingleControlPlane(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		masters := c.controlPlanes()
		if len(masters) != 1 {
			return
		}
		if c.Endpoint.SelfBuilt {
			j.warn(child(path, "endpoint.selfBuilt"), "use the node's own address as vip", "a single control plane needs no self-built VIP")
		}
		if c.Endpoint.VIP == masters[0].Address && j.site.Scenario != SingleNode {
			j.warn(child(path, "endpoint.vip"), "use a VIP of its own if the cluster may grow", "with the node's own address as cluster address the cluster can never become highly available")
		}
	})
}
