package site

import (
	"net/netip"
	"regexp"
	"strings"
)

// span is one range of addresses with its place in the document.
type span struct {
	netip.Prefix
	path string
}

// spans parses ranges; what can't be parsed is reported when report is set,
// so that one rule complains and the others stay silent.
func (j *judge) spans(path string, list []string, report bool) []span {
	var out []span
	for i, s := range list {
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil || p.Addr().Is4In6():
			if report {
				j.fail(item(path, i), "write address/length, for example 10.3.0.0/16", "%q is no address range", shorten(s))
			}
			continue
		case p != p.Masked() && report:
			j.fail(item(path, i), "write "+p.Masked().String(), "%s has bits set behind its length", p)
		}
		out = append(out, span{p.Masked(), item(path, i)})
	}
	return out
}

// containerSpans are the pod, service and join ranges of a cluster.
func (j *judge) containerSpans(c *Cluster, path string, report bool) []span {
	n := c.Network
	out := j.spans(child(path, "network.podCIDRs"), n.PodCIDRs, report)
	out = append(out, j.spans(child(path, "network.serviceCIDRs"), n.ServiceCIDRs, report)...)
	return append(out, j.spans(child(path, "network.joinCIDRs"), n.JoinCIDRs, report)...)
}

// overlaps returns every pair of ranges that share an address.
func overlaps(spans []span) [][2]span {
	var out [][2]span
	for i, a := range spans {
		for _, b := range spans[i+1:] {
			if a.Overlaps(b.Prefix) {
				out = append(out, [2]span{a, b})
			}
		}
	}
	return out
}

// maxServiceBits is the apiserver's own limit on a service range.
const maxServiceBits = 20

func checkContainerRanges(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		for _, pair := range overlaps(j.containerSpans(c, path, true)) {
			j.fail(pair[1].path, "choose ranges that share no address", "%s overlaps %s of %s", pair[1].Prefix, pair[0].Prefix, pair[0].path)
		}
		for _, s := range j.spans(child(path, "network.serviceCIDRs"), c.Network.ServiceCIDRs, false) {
			if bits := s.Addr().BitLen() - s.Bits(); bits > maxServiceBits {
				j.fail(s.path, "use at most /12 for IPv4 and /108 for IPv6", "%s is larger than Kubernetes takes for services", s.Prefix)
			}
		}
		checkPodCapacity(j, c, path)
	})
}

// checkPodCapacity wants an address for every Pod the nodes may run.
func checkPodCapacity(j *judge, c *Cluster, path string) {
	n := c.Network
	if n.MaxPods < 1 {
		j.fail(child(path, "network.maxPodsPerNode"), "use 1 or more, the default is 110", "%d Pods per node are too few", n.MaxPods)
		return
	}
	for _, s := range j.spans(child(path, "network.podCIDRs"), n.PodCIDRs, false) {
		bits := s.Addr().BitLen() - s.Bits()
		if bits < 31 && 1<<bits < n.MaxPods*len(c.Nodes) {
			j.fail(s.path, "use a larger range or fewer Pods per node", "%s has fewer addresses than %d nodes with %d Pods each need", s.Prefix, len(c.Nodes), n.MaxPods)
		}
	}
}

// checkHostRanges keeps container networks away from the machines: their
// segments, and every single address the cluster is reached by.
func checkHostRanges(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		containers := j.containerSpans(c, path, false)
		hosts := j.spans(child(path, "network.hostCIDRs"), c.Network.HostCIDRs, true)
		for _, r := range containers {
			for _, h := range hosts {
				if r.Overlaps(h.Prefix) {
					j.fail(r.path, "choose another range for the containers", "%s overlaps the hosts' segment %s", r.Prefix, h.Prefix)
				}
			}
		}
		for _, a := range clusterAddrs(c, path) {
			for _, r := range containers {
				if r.Contains(a.addr) {
					j.fail(r.path, "choose another range for the containers", "%s holds %s of %s", r.Prefix, a.addr, a.path)
				}
			}
			if a.node && covers(hosts, a.addr.Is4()) && !inside(hosts, a.addr) {
				j.fail(a.path, "complete network.hostCIDRs", "%s lies in none of the segments of network.hostCIDRs", a.addr)
			}
		}
	})
}

type addrAt struct {
	addr netip.Addr
	path string
	node bool
}

// clusterAddrs are the addresses of the nodes and of the load balancer.
func clusterAddrs(c *Cluster, path string) []addrAt {
	var out []addrAt
	add := func(s, at string, node bool) {
		if a, ok := parseIP(s); ok {
			out = append(out, addrAt{a, at, node})
		}
	}
	add(c.Endpoint.VIP, child(path, "endpoint.vip"), false)
	add(c.ExternalIP, child(path, "externalIP"), false)
	for i, n := range c.Nodes {
		at := item(child(path, "nodes"), i)
		add(n.Address, child(at, "address"), true)
		add(n.AddressIPv6, child(at, "addressIPv6"), true)
	}
	return out
}

// covers reports whether a list names segments of the family at all.
func covers(spans []span, v4 bool) bool {
	for _, s := range spans {
		if s.Addr().Is4() == v4 {
			return true
		}
	}
	return false
}

func inside(spans []span, a netip.Addr) bool {
	for _, s := range spans {
		if s.Contains(a) {
			return true
		}
	}
	return false
}

var deviceSyntax = regexp.MustCompile(`^[^/\s:]{1,15}$`)

func checkDevice(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		d := c.Network.Device
		if d != "" && (!deviceSyntax.MatchString(d) || strings.Trim(d, ".") == "") {
			j.fail(child(path, "network.device"), "write the name ip link shows, for example eth0", "%q is no network device", shorten(d))
		}
	})
}

func checkCNI(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		at := child(path, "network.cni")
		p, known := profiles[j.site.Profile]
		switch cni := c.Network.CNI; {
		case cni != KubeOVN && cni != Calico:
			j.fail(at, suggest(string(cni), []string{string(KubeOVN), string(Calico)}), "the installer knows no network plugin %q", shorten(string(cni)))
		case cni == Calico && known && !p.calico:
			j.fail(at, "use "+string(KubeOVN), "profile %s has no Calico for global clusters", j.site.Profile)
		case cni == Calico && len(c.Network.JoinCIDRs) > 0:
			j.warn(child(path, "network.joinCIDRs"), "drop joinCIDRs", "Calico has no join range")
		}
	})
}
