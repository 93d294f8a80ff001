package site

import (
	"net/netip"
	"regexp"
)

func checkControlPlanes(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		if n := len(c.controlPlanes()); n != 1 && n != 3 && len(c.Nodes) > 0 {
			j.fail(child(path, "nodes"), "list 1 or 3 control planes; others can join after the install", "%s, the installer takes 1 or 3", plural(n, "control plane"))
		}
	})
}

// checkDuplicates compares parsed addresses, over all clusters: the two sides
// of a pair must reach one another, so they can't share addresses.
func checkDuplicates(j *judge) {
	seen := map[netip.Addr]string{}
	j.nodes(func(_ *Cluster, n *Node, path string) {
		for _, field := range []struct{ name, value string }{{"address", n.Address}, {"addressIPv6", n.AddressIPv6}} {
			a, ok := parseIP(field.value)
			if !ok {
				continue
			}
			if first, dup := seen[a]; dup {
				j.fail(child(path, field.name), "give each node an address of its own", "%s is already the address of %s", a, first)
			} else {
				seen[a] = path
			}
		}
	})
}

// checkNodeAddresses rules out addresses no machine can have; PAR-02 judges
// the family.
func checkNodeAddresses(j *judge) {
	j.nodes(func(_ *Cluster, n *Node, path string) {
		for _, field := range []struct{ name, value string }{{"address", n.Address}, {"addressIPv6", n.AddressIPv6}} {
			if field.value == "" {
				continue
			}
			switch a, ok := parseIP(field.value); {
			case !ok:
				j.fail(child(path, field.name), "write the node's IP address", "%q is no IP address", shorten(field.value))
			case !isUnicast(a):
				j.fail(child(path, field.name), "write an address other machines reach the node by", "%s is a loopback, link-local, multicast, broadcast or empty address", a)
			}
		}
	})
}

// checkReserved warns only: with a changed `bip` such addresses work.
func checkReserved(j *judge) {
	p := profiles[j.site.Profile]
	j.nodes(func(_ *Cluster, n *Node, path string) {
		a, _ := parseIP(n.Address)
		for _, r := range p.reserved {
			if r.Contains(a) {
				j.warn(child(path, "address"), "move the node to another segment, or set bip of "+p.tool+" to a free range on every node first",
					"%s lies in %s, which %s takes for its bridges", a, r, p.tool)
			}
		}
	})
}

// maxHostname is the limit of CHK-11.
const maxHostname = 36

var hostnameSeams = regexp.MustCompile(`\.-|\.\.|-\.`)

func checkHostnames(j *judge) {
	j.clusters(func(c *Cluster, path string) {
		seen := map[string]int{}
		for i, n := range c.Nodes {
			at := child(item(child(path, "nodes"), i), "name")
			if first, dup := seen[n.Name]; dup && n.Name != "" {
				j.fail(at, "name every node of the cluster differently", "%q is already the name of nodes[%d]", n.Name, first)
			}
			seen[n.Name] = i
			if c.HostnameNode && (len(n.Name) > maxHostname || hostnameSeams.MatchString(n.Name)) {
				j.fail(at, "rename the machine", "%q can be no node name: at most %d characters and no .- -. or ..", shorten(n.Name), maxHostname)
			}
		}
	})
}

func checkExclusiveControlPlanes(j *judge) {
	j.nodes(func(c *Cluster, n *Node, path string) {
		if n.Role == ControlPlane && c.Isolation && n.Deployable != nil && *n.Deployable {
			j.fail(child(path, "deployable"), "drop deployable, or platformNodeIsolation", "a platform-exclusive control plane runs no applications")
		}
	})
}

func checkWorkers(j *judge) {
	j.nodes(func(c *Cluster, n *Node, path string) {
		switch {
		case n.Role != Worker || n.Deployable == nil:
		case c.Isolation && *n.Deployable:
			j.fail(child(path, "deployable"), "drop deployable, or platformNodeIsolation", "a platform-exclusive worker runs no applications")
		case !c.Isolation && !*n.Deployable:
			j.fail(child(path, "deployable"), "drop deployable, or set platformNodeIsolation", "without isolation a worker always runs applications")
		}
	})
}

func checkSingleNode(j *judge) {
	j.scenario(SingleNode, func(c *Cluster, path string) {
		if len(c.Nodes) > 1 {
			j.warn(path, "choose the scenario single-cluster or multi-cluster", "the scenario single-node has one node, here are %d", len(c.Nodes))
		}
	})
}

func checkSingleCluster(j *judge) {
	j.scenario(SingleCluster, func(c *Cluster, path string) {
		if n := len(c.controlPlanes()); n != 3 {
			j.warn(path, "plan 3 control planes", "the scenario single-cluster has 3 control planes, here are %d", n)
		}
	})
}

func checkMultiCluster(j *judge) {
	j.scenario(MultiCluster, func(c *Cluster, path string) {
		masters := len(c.controlPlanes())
		if workers := len(c.Nodes) - masters; masters < 3 || workers < 2 {
			j.warn(path, "plan 3 control planes and 2 workers, or choose another scenario",
				"the scenario multi-cluster has at least 3 control planes and 2 workers, here are %d and %d", masters, workers)
		}
	})
}

func (j *judge) scenario(s Scenario, f func(c *Cluster, path string)) {
	if j.site.Scenario == s {
		j.clusters(func(c *Cluster, path string) {
			if len(c.Nodes) > 0 {
				f(c, child(path, "nodes"))
			}
		})
	}
}

// nodes calls f for each node of each cluster with its path.
func (j *judge) nodes(f func(c *Cluster, n *Node, path string)) {
	j.clusters(func(c *Cluster, path string) {
		for i := range c.Nodes {
			f(c, &c.Nodes[i], item(child(path, "nodes"), i))
		}
	})
}
