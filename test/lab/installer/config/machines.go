package config

import (
	"fmt"
	"net/netip"
	"slices"
)

// The taints and the label the interface knows for control planes.
const (
	masterTaint   = "node-role.kubernetes.io/master"
	platformTaint = "node-role.kubernetes.io/cpaas-system"
)

func (c *Config) checkMachines(r *report) {
	machines := c.Cluster.Features.Machines
	masters := len(c.Masters())
	r.refuse(masters != 1 && masters != 3, "cluster.features.machines: %d control planes, only 1 or 3 are possible", masters)
	seen := map[string]int{}
	worker := false
	for i, m := range machines {
		path := fmt.Sprintf("cluster.features.machines[%d]", i)
		c.checkMachine(r, path, m)
		r.refuse(m.Role == Master && worker, "%s: control planes stand before workers", path)
		worker = worker || m.Role == Node
		for _, ip := range []string{m.IP, m.IPv6} {
			if first, dup := seen[ip]; dup && ip != "" {
				r.refuse(true, "%s: %s is already machine %d", path, ip, first)
			}
			seen[ip] = i
		}
	}
	ha := c.Cluster.Features.HA
	_, isNode := seen[ha.VIP]
	r.refuse(isNode && len(machines) > 1, "cluster.features.ha.vip: %s is a machine", ha.VIP)
	r.refuse(isNode && !ha.IsThirdParty, "cluster.features.ha: a machine's address can be no self-built VIP")
}

func (c *Config) checkMachine(r *report, path string, m Machine) {
	ip, err := netip.ParseAddr(m.IP)
	r.refuse(err != nil || !ip.Is4(), "%s.ip: %q is no IPv4 address", path, m.IP)
	if c.Cluster.Features.IPv6DualStack {
		ip6, err := netip.ParseAddr(m.IPv6)
		r.refuse(err != nil || !ip6.Is6() || ip6.Is4In6(), "%s.ipv6: dual stack needs an IPv6 address, got %q", path, m.IPv6)
	} else {
		r.refuse(m.IPv6 != "", "%s.ipv6: only with ipv6DualStack", path)
	}
	r.refuse(m.Port < 1 || m.Port > 65535, "%s.port: %d is outside 1-65535", path, m.Port)
	r.refuse(m.Username == "", "%s.username: empty", path)
	r.refuse(len(m.Password) == 0 && len(m.PrivateKey) == 0, "%s: neither password nor privateKey", path)
	switch m.Role {
	case Master:
		c.checkPlacement(r, path, m)
	case Node:
		r.refuse(len(m.Labels) > 0 || len(m.Taints) > 0, "%s: labels and taints are for control planes", path)
	default:
		r.refuse(true, "%s.role: %q is neither master nor node", path, m.Role)
	}
}

// checkPlacement accepts the three placements of a control plane: open for
// applications, closed to them, or for platform components only.
func (c *Config) checkPlacement(r *report, path string, m Machine) {
	r.refuse(m.Taints == nil, "%s.taints: missing", path)
	for i, t := range m.Taints {
		r.refuse(t.Key != masterTaint && t.Key != platformTaint, "%s.taints[%d].key: %q is unknown", path, i, t.Key)
		r.refuse(t.Effect != "NoSchedule", "%s.taints[%d].effect: %q, only NoSchedule is known", path, i, t.Effect)
	}
	has := func(key string) bool {
		return slices.ContainsFunc(m.Taints, func(t Taint) bool { return t.Key == key })
	}
	isolated := c.DeployMode == "base"
	r.refuse(isolated != has(platformTaint), "%s.taints: %s goes with deployMode base", path, platformTaint)
	r.refuse(isolated && !has(masterTaint), "%s.taints: deployMode base needs %s", path, masterTaint)
	r.refuse(isolated && m.Labels[platformTaint] != "true", "%s.labels: deployMode base needs %s: \"true\"", path, platformTaint)
	r.refuse(!isolated && len(m.Labels) > 0, "%s.labels: only with deployMode base", path)
}

// checkStores checks where logs and metrics are kept.
func (c *Config) checkStores(r *report) {
	masters := map[string]bool{}
	for _, m := range c.Cluster.Features.Machines {
		masters[m.IP] = m.Role == Master
	}
	place := func(path string, nodes []string, runOnMaster bool) {
		onMaster := false
		for i, ip := range nodes {
			master, known := masters[ip]
			r.refuse(!known, "%s.nodes[%d]: %s is no machine of this cluster", path, i, ip)
			onMaster = onMaster || master
		}
		r.refuse(runOnMaster != onMaster, "%s.runOnMaster: %t does not fit the roles of the listed nodes", path, runOnMaster)
	}
	place("elasticSearch", c.ElasticSearch.Nodes, c.ElasticSearch.RunOnMaster)
	place("prometheus", c.Prometheus.Nodes, c.Prometheus.RunOnMaster)
	place("victoriametrics", c.VictoriaMetrics.Nodes, c.VictoriaMetrics.RunOnMaster)
	vm := c.VictoriaMetrics
	r.refuse(len(vm.Nodes) > 0 && len(c.Prometheus.Nodes) > 0, "victoriametrics: excludes prometheus")
	r.refuse(len(vm.Nodes) > 0 && vm.AgentReplicas < 1, "victoriametrics.agentReplicas: %d, at least 1", vm.AgentReplicas)
	r.refuse(vm.AgentReplicas < 0, "victoriametrics.agentReplicas: %d", vm.AgentReplicas)
}
