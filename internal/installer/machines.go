package installer

import (
	"errors"
	"fmt"

	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

const (
	masterKey    = "node-role.kubernetes.io/master"
	isolationKey = "node-role.kubernetes.io/cpaas-system"
	noSchedule   = "NoSchedule"
)

// buildMachines lists control planes first, in the document's order: the first
// one is where the installer runs (EXE-02).
func buildMachines(c site.Cluster, sec Secrets) []machine {
	var out []machine
	for _, role := range []site.Role{site.ControlPlane, site.Worker} {
		for _, n := range c.Nodes {
			if n.Role == role {
				out = append(out, buildMachine(c, n, sec))
			}
		}
	}
	return out
}

func buildMachine(c site.Cluster, n site.Node, sec Secrets) machine {
	m := machine{
		IP:         n.Address,
		Port:       c.SSH.Port,
		Username:   c.SSH.User,
		Password:   codePtr(sec.SSHPassword),
		PrivateKey: codePtr(sec.SSHPrivateKey),
		Role:       "node",
	}
	if dualStack(c) {
		m.IPv6 = n.AddressIPv6
	}
	if n.Role == site.ControlPlane {
		m.Role = "master"
		m.placement = placeControlPlane(c, n)
	}
	return m
}

// placeControlPlane decides what may run on a control plane (PAR-31): with
// isolation platform components only, else applications if the document says so.
func placeControlPlane(c site.Cluster, n site.Node) *placement {
	switch {
	case c.Isolation:
		return &placement{
			Labels: map[string]string{isolationKey: "true"},
			Taints: []taint{{masterKey, noSchedule}, {isolationKey, noSchedule}},
		}
	case n.Deployable != nil && *n.Deployable:
		return &placement{Taints: []taint{}}
	}
	return &placement{Taints: []taint{{masterKey, noSchedule}}}
}

type stores struct {
	elastic    elastic
	prometheus prometheus
	victoria   victoria
}

// placeStores translates node names to addresses. runOnMaster holds only when
// a listed node is a control plane.
func placeStores(c site.Cluster) (stores, error) {
	m := c.Monitoring
	es, esMaster, esErr := addresses(c, "elasticsearch", m.Elasticsearch)
	prom, promMaster, promErr := addresses(c, "prometheus", m.Prometheus)
	vm, vmMaster, vmErr := addresses(c, "victoriaMetrics", m.VictoriaMetrics)
	errs := []error{esErr, promErr, vmErr}
	if len(prom) > 0 && len(vm) > 0 {
		errs = append(errs, errors.New("monitoring: prometheus and victoriaMetrics exclude each other"))
	}
	replicas := m.AgentReplicas
	if len(vm) > 0 {
		replicas = max(replicas, 1)
	}
	return stores{
		elastic:    elastic{Nodes: es, RunOnMaster: esMaster, IsUseDefault: true},
		prometheus: prometheus{Nodes: prom, RunOnMaster: promMaster},
		victoria:   victoria{Nodes: vm, AgentReplicas: replicas, RunOnMaster: vmMaster},
	}, errors.Join(errs...)
}

func addresses(c site.Cluster, store string, names []string) (ips []string, onMaster bool, err error) {
	ips = []string{}
	byName := make(map[string]site.Node, len(c.Nodes))
	for _, n := range c.Nodes {
		byName[n.Name] = n
	}
	for _, name := range names {
		n, ok := byName[name]
		if !ok {
			return ips, onMaster, fmt.Errorf("monitoring.%s: there is no node %q", store, name)
		}
		ips = append(ips, n.Address)
		onMaster = onMaster || n.Role == site.ControlPlane
	}
	return ips, onMaster, nil
}

// codePtr is the base64 of a secret, nil (JSON null) without one.
func codePtr(v secret.Value) *string {
	if v.Empty() {
		return nil
	}
	return new(code(v))
}
