package synchronizer

import (
	"encoding/json"
	"slices"
	"strings"
)

// root of everything Kubernetes keeps in etcd.
const root = "/registry/"

// ExcludedNamespaces are never mirrored (DR-07).
var ExcludedNamespaces = []string{
	"cpaas-system", "cert-manager", "default", "global-credentials", "cpaas-system-global-credentials", "kube-ovn", "kube-public",
	"kube-system", "nsx-system", "cpaas-solution", "kube-node-lease", "kubevirt", "nativestor-system", "operators",
}

// ownKinds belong to each cluster: its nodes and what runs on them, what its
// own API servers and controllers make, its own identity.
var ownKinds = []string{
	"events", "leases", "masterleases", "peerserverleases", "minions", "csinodes", "volumeattachments",
	"apiregistration.k8s.io/apiservices", "ranges", "ipaddresses", "servicecidrs", "flowschemas", "prioritylevelconfigurations",
	"pods", "replicasets", "controllerrevisions", "services/endpoints", "endpointslices",
	"cluster.alauda.io/moduleplugins", "cluster.alauda.io/moduleconfigs", "cluster.alauda.io/clustermodules", "product.alauda.io/productbases",
}

// modules are the installed plugins of all clusters, named CLUSTER-HASH.
const modules = "cluster.alauda.io/moduleinfoes"

// part is a key taken apart: its kind as in the path, and the rest.
type part struct{ kind, namespace, name string }

// split takes a key apart. Kinds of a group with a dot, and Services, have two
// steps in the path.
func split(key string) (part, bool) {
	rest, ok := strings.CutPrefix(key, root)
	steps := strings.Split(rest, "/")
	width := 1
	if strings.Contains(steps[0], ".") || steps[0] == "services" {
		width = 2
	}
	if !ok || len(steps) <= width {
		return part{}, false
	}
	p := part{kind: strings.Join(steps[:width], "/"), name: steps[len(steps)-1]}
	if len(steps) > width+1 {
		p.namespace = steps[width]
	}
	return p, true
}

// Mirrored reports whether a key is copied from the primary to the standby.
func Mirrored(key string) bool {
	p, ok := split(key)
	switch {
	case !ok, slices.Contains(ownKinds, p.kind), slices.Contains(ExcludedNamespaces, p.namespace):
		return false
	case p.kind == "namespaces":
		return !slices.Contains(ExcludedNamespaces, p.name)
	case p.kind == "configmaps":
		return p.name != "kube-root-ca.crt"
	case p.kind == "platform.tkestack.io/clusters":
		return p.name != "global"
	case p.kind == "platform.tkestack.io/machines", p.kind == modules:
		return !strings.HasPrefix(p.name, "global-")
	}
	return true
}

// ownModule reports whether a value is an installed plugin of the cluster itself.
// One just made has any name until the platform gives it its own.
func ownModule(key, value string) bool {
	var o struct {
		Metadata struct {
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
	}
	return strings.HasPrefix(key, root+modules+"/") && json.Unmarshal([]byte(value), &o) == nil && o.Metadata.Labels["cpaas.io/cluster-name"] == "global"
}
