package lab

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
)

// Role says what a machine of the lab is.
type Role string

// The roles. DNS carries the authoritative server and the caching resolver,
// each on an address of its own.
const (
	ControlPlane Role = "control-plane"
	Worker       Role = "worker"
	Balancer     Role = "balancer"
	DNS          Role = "dns"
	Workload     Role = "workload" // a workload cluster of one machine
)

// ClusterPlan is one `global` cluster the lab shall have nodes for.
type ClusterPlan struct {
	Name          string `json:"name"`          // DNS label, for example west
	ControlPlanes int    `json:"controlPlanes"` // 1 or 3
	Workers       int    `json:"workers,omitempty"`
	Balancer      bool   `json:"balancer,omitempty"` // a balancer and a VIP of its own also for one control plane
}

// BalancerPorts are the ports a cluster's balancer forwards (LB-01…LB-05).
var BalancerPorts = []int{80, 443, 2379, 6443, 11443}

// The fixed last octets of a lab's /24. Cluster i owns the ten addresses from
// firstCluster+10*i: its balancer, then control planes, then workers.
const (
	hostOctet      = 1
	dnsOctet       = 2
	resolverOctet  = 3
	secondaryOctet = 4
	firstCluster   = 10
	maxClusters    = 20
	maxNodes       = 9
)

// Zone is the platform's DNS zone, Domain the platform access address in it.
const (
	Zone   = "lab.example.com"
	Domain = "acp." + Zone
)

var label = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,9}[a-z0-9])?$`)

// layout turns the plan into machines with addresses in subnet. A cluster with
// one control plane has no balancer unless it is asked for: its VIP is the
// node's own address.
func layout(subnet netip.Prefix, plans []ClusterPlan) ([]Node, []Cluster, error) {
	if len(plans) == 0 || len(plans) > maxClusters {
		return nil, nil, fmt.Errorf("lab: %d clusters planned; 1 to %d fit", len(plans), maxClusters)
	}
	nodes := []Node{{Name: "dns", Role: DNS, Address: octet(subnet, dnsOctet)}}
	var clusters []Cluster
	for i, plan := range plans {
		if err := plan.validate(); err != nil {
			return nil, nil, err
		}
		if slices.ContainsFunc(clusters, func(c Cluster) bool { return c.Name == plan.Name }) {
			return nil, nil, fmt.Errorf("lab: two clusters are named %q", plan.Name)
		}
		first := firstCluster + 10*i
		cluster := Cluster{Name: plan.Name, VIP: octet(subnet, first+1)}
		if plan.ControlPlanes > 1 || plan.Balancer {
			cluster.VIP = octet(subnet, first)
			nodes = append(nodes, Node{Name: plan.Name + "-lb", Role: Balancer, Cluster: plan.Name, Address: cluster.VIP})
		}
		for k := range plan.ControlPlanes + plan.Workers {
			role := ControlPlane
			if k >= plan.ControlPlanes {
				role = Worker
			}
			name := fmt.Sprintf("%s-%d", plan.Name, k+1)
			nodes = append(nodes, Node{Name: name, Role: role, Cluster: plan.Name, Address: octet(subnet, first+1+k)})
		}
		clusters = append(clusters, cluster)
	}
	return nodes, clusters, nil
}

func (p ClusterPlan) validate() error {
	switch {
	case !label.MatchString(p.Name) || p.Name == "dns":
		return fmt.Errorf("lab: cluster name %q is not a DNS label of at most 11 characters (and not dns)", p.Name)
	case p.ControlPlanes != 1 && p.ControlPlanes != 3:
		return fmt.Errorf("lab: cluster %s wants %d control planes; a global cluster has 1 or 3", p.Name, p.ControlPlanes)
	case p.Workers < 0 || p.ControlPlanes+p.Workers > maxNodes:
		return fmt.Errorf("lab: cluster %s wants %d workers; at most %d nodes fit in a cluster's address block", p.Name, p.Workers, maxNodes)
	}
	return nil
}

// octet returns the address of subnet (a /24) with the given last octet.
func octet(subnet netip.Prefix, last int) string {
	a := subnet.Addr().As4()
	a[3] = byte(last)
	return netip.AddrFrom4(a).String()
}
