package site

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// planned calls f for each cluster of a site that is, or will become, a pair.
func (j *judge) planned(f func(c *Cluster, path string)) {
	if j.site.DR.Planned {
		j.clusters(f)
	}
}

func checkPair(j *judge) {
	switch n := len(j.site.Clusters); {
	case n > 2:
		j.fail("clusters", "put every pair into a site document of its own", "%d clusters, a site has one, or two that protect each other", n)
	case n == 2 && !j.site.DR.Planned:
		j.fail("clusters", "set dr.planned, or put the second cluster into a site document of its own", "two clusters are a disaster recovery pair, but dr.planned is not set")
	}
}

func checkOwnVIP(j *judge) {
	seen := map[string]string{}
	j.clusters(func(c *Cluster, path string) {
		for _, f := range []struct{ name, value string }{{"endpoint.vip", c.Endpoint.VIP}, {"externalIP", c.ExternalIP}} {
			a, ok := parseIP(f.value)
			if !ok {
				continue
			}
			at := child(path, f.name)
			if first, dup := seen[a.String()]; dup && !strings.HasPrefix(first, path+".") {
				j.fail(at, "give each cluster a load balancer address of its own", "%s is also %s", a, first)
			}
			seen[a.String()] = at
		}
		for _, other := range j.site.Clusters {
			vip, ok := parseIP(c.Endpoint.VIP)
			for _, n := range other.Nodes {
				if ok && other.Name != c.Name && nodeHas(n, vip) {
					j.fail(child(path, "endpoint.vip"), "use an address that no machine has", "%s is the address of node %s of cluster %s", vip, n.Name, other.Name)
				}
			}
		}
	})
}

// checkAlike warns of parameters that make the standby another platform than
// the primary: synchronised objects, Services among them, meet them there.
func checkAlike(j *judge) {
	if len(j.site.Clusters) != 2 || !j.site.DR.Planned {
		return
	}
	a, b := j.site.Clusters[0], j.site.Clusters[1]
	for _, p := range []struct {
		field string
		a, b  any
	}{
		{"kubernetes.version", a.Kubernetes.Version, b.Kubernetes.Version},
		{"kubernetes.containerRuntime", a.Kubernetes.ContainerRuntime, b.Kubernetes.ContainerRuntime},
		{"network.cni", a.Network.CNI, b.Network.CNI},
		{"network.ipFamily", a.Network.IPFamily, b.Network.IPFamily},
		{"network.serviceCIDRs", a.Network.ServiceCIDRs, b.Network.ServiceCIDRs},
		{"platformNodeIsolation", a.Isolation, b.Isolation},
	} {
		if !reflect.DeepEqual(p.a, p.b) {
			j.warn(child("clusters[1]", p.field), "use the same value for both clusters", "%s has %s here, cluster %s has %s", b.Name, show(p.b), a.Name, show(p.a))
		}
	}
}

func show(v any) string {
	if s := strings.Trim(fmt.Sprint(v), "[]"); s != "" {
		return shorten(s)
	}
	return "nothing"
}

func checkNoSelfBuilt(j *judge) {
	j.planned(func(c *Cluster, path string) {
		if c.Endpoint.SelfBuilt {
			j.fail(child(path, "endpoint.selfBuilt"), "put a load balancer in front of the VIP", "disaster recovery has no self-built VIP")
		}
	})
}

func checkDRAddresses(j *judge) {
	if a := j.site.Platform.Address; j.site.DR.Planned && a != "" && !isDomain(a) {
		j.fail("platform.address", "use a domain name that DNS can point at either cluster", "disaster recovery needs a domain as platform address, not %s", shorten(a))
	}
	j.planned(func(c *Cluster, path string) {
		if c.Endpoint.Domain != "" {
			j.fail(child(path, "endpoint.domain"), "drop the domain, the VIP is the cluster address", "disaster recovery needs the VIP as cluster address, not a domain")
		}
	})
}

func checkDRCertificate(j *judge) {
	if j.site.DR.Planned && j.site.Platform.Certificate == nil {
		j.fail("platform", "set platform.certificate", "disaster recovery needs one own certificate for both clusters, a self-signed one differs on each")
	}
}

func checkDRRegistry(j *judge) {
	r := j.site.Registry
	if j.site.DR.Planned && r.External == "" && (r.Username == "" || r.Password == "") {
		j.fail("registry", "set registry.username and registry.password", "disaster recovery needs credentials for the platform's own registry")
	}
}

func checkDRPorts(j *judge) {
	if !j.site.DR.Planned {
		return
	}
	if p := j.site.Platform.HTTPPort; p != 80 {
		j.fail("platform.httpPort", "write httpPort: 80", "disaster recovery needs HTTP port 80, not %d", p)
	}
	if p := j.site.Platform.HTTPSPort; p != 443 {
		j.fail("platform.httpsPort", "write httpsPort: 443", "disaster recovery needs HTTPS port 443, not %d", p)
	}
}

func checkDROther(j *judge) {
	j.planned(func(c *Cluster, path string) {
		vip, ok := parseIP(c.Endpoint.VIP)
		if !ok {
			return
		}
		for _, s := range slices.Concat(j.site.Platform.OtherAddresses, c.Other) {
			if a, isIP := parseIP(s); isIP && a == vip {
				return
			}
		}
		j.fail(child(path, "otherAddresses"), fmt.Sprintf("write otherAddresses: [%s] in this cluster", vip), "the VIP %s is not among the cluster's other platform addresses, so its console can't be reached while DNS points at the other side", vip)
	})
}

// checkSameNames: what both sides share is written once in this document
// (address, certificate, registry, admin user); names given to one side only
// would stop working with a failover.
func checkSameNames(j *judge) {
	if len(j.site.Clusters) != 2 {
		return
	}
	j.planned(func(c *Cluster, path string) {
		for _, other := range j.site.Clusters {
			for i, name := range c.Other {
				if other.Name != c.Name && isDomain(name) && !slices.Contains(slices.Concat(other.Other, j.site.Platform.OtherAddresses), name) {
					j.fail(item(child(path, "otherAddresses"), i), "move it to platform.otherAddresses, which both clusters get", "cluster %s does not answer to %s", other.Name, name)
				}
			}
		}
	})
}
