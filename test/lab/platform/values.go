// Package platform is the lab's stand-in for the container platform itself:
// the custom resources of its API, the workloads the runbooks touch, the
// cluster plugins, the web console and the image registry.
package platform

import (
	"context"
	"fmt"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// Namespace of the platform.
const Namespace = "cpaas-system"

// Version of the platform that the stand-in plays.
const Version = "v4.1.0"

// Values shape the platform's objects.
type Values struct {
	ClusterAddress    string // VIP or domain of the cluster
	PlatformAddress   string
	OtherAddresses    []string
	KubernetesVersion string
	Network           string   // ovn or calico
	ServiceIPs        []string // first address of each service range
	ClusterDNS        string   // address of the Service kube-dns
	Architectures     []string // of the package: one of amd64, arm64, or both
	Products          []string
	Registry          string
	RegistryUser      string
	RegistryPassword  string
	Elasticsearch     bool
	ElasticPassword   string // of its user; the same when the phase runs again
	VictoriaMetrics   bool
	Prometheus        bool
	Machines          []Machine
	EtcdCACert        []byte // PEM; with it a standby gets its client certificates
	EtcdCAKey         []byte // PEM
}

// Machine is a node of the cluster as the platform's API shows it.
type Machine struct {
	Name, IP string
	Port     int
	Username string
	Master   bool
}

type object = kubeapi.Object

// Describe names an object in messages.
func Describe(o kubeapi.Object) string {
	meta, _ := o["metadata"].(map[string]any)
	return fmt.Sprintf("%s %s", o["kind"], meta["name"])
}

func namespaced(apiVersion, kind, name string) object {
	return object{"apiVersion": apiVersion, "kind": kind, "metadata": object{"name": name, "namespace": Namespace}}
}

func global(apiVersion, kind, name string) object {
	return object{"apiVersion": apiVersion, "kind": kind, "metadata": object{"name": name}}
}

func with(o object, fields object) object {
	for k, v := range fields {
		o[k] = v
	}
	return o
}

func labelled(o object, labels map[string]string) object {
	o["metadata"].(object)["labels"] = labels
	return o
}

func annotated(o object, annotations map[string]string) object {
	o["metadata"].(object)["annotations"] = annotations
	return o
}

// DeploymentsReady reports the first Deployment that has not all its Pods.
func DeploymentsReady(ctx context.Context, api *kubeapi.Client) error {
	var list struct {
		Items []struct {
			Metadata struct {
				Name       string `json:"name"`
				Generation int    `json:"generation"`
			} `json:"metadata"`
			Spec struct {
				Replicas int `json:"replicas"`
			} `json:"spec"`
			Status struct {
				ObservedGeneration int `json:"observedGeneration"`
				AvailableReplicas  int `json:"availableReplicas"`
			} `json:"status"`
		} `json:"items"`
	}
	if err := api.Get(ctx, "/apis/apps/v1/deployments", &list); err != nil {
		return err
	}
	for _, d := range list.Items {
		if d.Status.ObservedGeneration < d.Metadata.Generation || d.Status.AvailableReplicas < d.Spec.Replicas {
			return fmt.Errorf("deployment %s has %d of %d Pods", d.Metadata.Name, d.Status.AvailableReplicas, d.Spec.Replicas)
		}
	}
	return nil
}
