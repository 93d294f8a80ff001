package platform

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/acpflow/acpflow/test/lab/clusterdns"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/synchronizer"
)

// ArchConstraint is the label that keeps nodes of other architectures out
// while the registry holds images of one only (PKG-10).
const ArchConstraint = "cpaas.io/node-arch-constraint"

// Plugin that VER-06 installs.
const (
	docsPlugin  = "acp-docs"
	docsDisplay = "Alauda Container Platform Product Docs"
	docsVersion = "v4.1.0"
)

// AddOns are what kube-system needs.
func AddOns(v Values) []kubeapi.Object {
	out := []object{clusterdns.Config(clusterdns.Faults{}), clusterdns.ServiceObject(v.ClusterDNS),
		running(clusterdns.Program, deployment("kube-system", "coredns", 2, map[string]string{"k8s-app": clusterdns.Label})),
		deployment("kube-system", "metrics-server", 2, map[string]string{"k8s-app": "metrics-server"})}
	if v.Network == "calico" {
		return append(out, deployment("kube-system", "calico-kube-controllers", 1, map[string]string{"k8s-app": "calico-kube-controllers"}))
	}
	return append(out, deployment("kube-system", "kube-ovn-controller", 1, map[string]string{"app": "kube-ovn-controller"}))
}

// Core is the base operator's work: the platform's own objects and Pods.
func Core(v Values) []kubeapi.Object {
	out := []object{
		global("v1", "Namespace", Namespace),
		global("v1", "Namespace", "cert-manager"),
		images(v.Architectures),
		with(namespaced("v1", "Secret", "registry-admin"), object{"data": object{
			"username": encode(v.RegistryUser), "password": encode(v.RegistryPassword)}}),
		productBase(v),
		clusterObject(v),
		clusterModule("Installing"),
	}
	out = append(out, adminAccount()...)
	if v.EtcdCACert != nil {
		out = append(out, with(namespaced("v1", "Secret", synchronizer.PrimaryCASecret), object{"type": "kubernetes.io/tls", "data": object{
			"tls.crt": encode(string(v.EtcdCACert)), "tls.key": encode(string(v.EtcdCAKey))}}))
	}
	for _, m := range v.Machines {
		out = append(out, machineObject(m))
	}
	for _, name := range []string{"base-operator", "apollo", "sentry"} {
		out = append(out, platformDeployment(name))
	}
	return append(out, release("base-operator"), release("cert-manager"))
}

// Plugins are the aligned plugins: charts, their Pods, what can be installed.
func Plugins(v Values) []kubeapi.Object {
	services := []string{"cluster-transformer"}
	var out []object
	if v.Elasticsearch {
		out = append(out, elasticsearch(v)...)
	}
	if v.VictoriaMetrics {
		services = append(services, "alertmanager", "vmselect", "vminsert", "warlock")
	}
	if v.Prometheus {
		services = append(services, "prometheus", "alertmanager")
	}
	for _, name := range services {
		out = append(out, platformDeployment(name), release(name))
	}
	out = append(out, published(docsPlugin, docsDisplay, docsVersion, object{"replicas": 1})...)
	return append(out, Synchronizer(synchronizer.DefaultVersion)...)
}

// Workload is what a workload cluster has of the platform.
func Workload(Values) []kubeapi.Object {
	return []object{global("v1", "Namespace", Namespace), platformDeployment("warlock")}
}

// Finished says that the install is done.
func Finished(Values) []kubeapi.Object { return []object{clusterModule("Running")} }

func clusterModule(phase string) object {
	return with(global("cluster.alauda.io/v1alpha2", "ClusterModule", "global"), object{
		"spec":   object{"version": Version},
		"status": object{"phase": phase, "version": Version},
	})
}

func clusterObject(v Values) object {
	o := with(global("platform.tkestack.io/v1", "Cluster", "global"), object{
		"spec": object{"displayName": "global", "type": "Baremetal", "version": v.KubernetesVersion,
			"features": object{"ha": object{"thirdParty": object{"vip": v.ClusterAddress, "vport": 6443}}}},
		"status": object{"phase": "Running", "version": v.KubernetesVersion},
	})
	if len(v.Architectures) == 1 {
		labelled(o, map[string]string{ArchConstraint: v.Architectures[0]})
	}
	return o
}

func machineObject(m Machine) object {
	role := "node"
	if m.Master {
		role = "master"
	}
	return with(labelled(global("platform.tkestack.io/v1", "Machine", "global-"+m.Name), map[string]string{"node-role": role}), object{
		"spec":   object{"clusterName": "global", "type": "Baremetal", "ip": m.IP, "port": m.Port, "username": m.Username},
		"status": object{"phase": "Running"},
	})
}

func productBase(v Values) object {
	urls := []string{}
	for _, h := range v.OtherAddresses {
		urls = append(urls, "https://"+h)
	}
	return with(global("product.alauda.io/v1alpha2", "ProductBase", "base"), object{
		"spec": object{"platformURL": "https://" + v.PlatformAddress, "alternativeURLs": urls,
			"registry": object{"address": v.Registry}, "products": v.Products},
		"status": object{"phase": "Running"},
	})
}

// release is a chart that is installed and healthy.
func release(name string) object {
	return with(namespaced("operator.alauda.io/v1alpha1", "AppRelease", name), object{
		"spec": object{"destination": object{"namespace": Namespace}, "source": object{"chart": name, "version": Version}},
		"status": object{"phase": "Ready", "conditions": []object{
			{"type": "Sync", "status": "True", "reason": "Synced", "message": "chart synced"},
			{"type": "Health", "status": "True", "reason": "Healthy", "message": "all resources healthy"},
		}},
	})
}

// published offers a cluster plugin in the marketplace: both objects must be
// there before it can be installed.
func published(name, display, version string, config object) []object {
	labels := map[string]string{"cpaas.io/module-name": name, "cpaas.io/module-type": "plugin"}
	title, _ := json.Marshal(map[string]string{"en": display}) // a map of strings always marshals
	return []object{
		annotated(labelled(with(global("cluster.alauda.io/v1alpha1", "ModulePlugin", name), object{
			"spec":   object{"name": name, "latestVersion": version},
			"status": object{"latestVersion": version},
		}), labels), map[string]string{"cpaas.io/display-name": string(title)}),
		labelled(with(global("cluster.alauda.io/v1alpha1", "ModuleConfig", fmt.Sprintf("%s-%s", name, version)), object{
			"spec": object{"version": version, "config": config, "affinity": object{"clusterAffinity": object{"matchLabels": object{"is-global": "true"}}}},
		}), labels),
	}
}

// adminAccount is the platform's administrator of the cluster, whose token a
// standby uses (DR-36).
func adminAccount() []object {
	return []object{
		namespaced("v1", "ServiceAccount", "k8sadmin"),
		with(global("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "cpaas:k8sadmin"), object{
			"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
			"subjects": []object{{"kind": "ServiceAccount", "name": "k8sadmin", "namespace": Namespace}},
		}),
		annotated(with(namespaced("v1", "Secret", "k8sadmin"), object{"type": "kubernetes.io/service-account-token"}),
			map[string]string{"kubernetes.io/service-account.name": "k8sadmin"}),
	}
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
