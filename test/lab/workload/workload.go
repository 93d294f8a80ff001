// Package workload fills a `global` cluster with what a platform in use has:
// teams with their settings and passwords, and workload clusters with their
// machines.
package workload

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
)

// The platform's kinds of clusters and machines.
var (
	Clusters = schema.GroupVersionResource{Group: "platform.tkestack.io", Version: "v1", Resource: "clusters"}
	Machines = schema.GroupVersionResource{Group: "platform.tkestack.io", Version: "v1", Resource: "machines"}
)

// How much one unit of Seed is.
const (
	ConfigMapsEach = 3
	SecretsEach    = 2
	MachinesEach   = 3
)

// Team names the namespace of the i-th unit, from 1.
func Team(i int) string { return fmt.Sprintf("team-%04d", i) }

// Cluster names the workload cluster of the i-th unit, from 1.
func Cluster(i int) string { return fmt.Sprintf("work-%04d", i) }

// Seed makes n teams, each a namespace with ConfigMaps and Secrets, and n
// workload clusters with the Machines they own. What is there is left alone.
func Seed(ctx context.Context, api kubernetes.Interface, dyn dynamic.Interface, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := 1; i <= n; i++ {
		g.Go(func() error { return SeedTeam(ctx, api, Team(i)) })
		g.Go(func() error { return SeedCluster(ctx, dyn, Cluster(i)) })
	}
	return g.Wait()
}

// SeedTeam makes one namespace with its content.
func SeedTeam(ctx context.Context, api kubernetes.Interface, name string) error {
	core := api.CoreV1()
	_, err := core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err := made(err); err != nil {
		return err
	}
	for k := range ConfigMapsEach {
		_, err := core.ConfigMaps(name).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("settings-%d", k+1)},
			Data: map[string]string{"team": name, "page": fmt.Sprint(k + 1)}}, metav1.CreateOptions{})
		if err := made(err); err != nil {
			return err
		}
	}
	for k := range SecretsEach {
		_, err := core.Secrets(name).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("password-%d", k+1)},
			StringData: map[string]string{"password": "of " + name}}, metav1.CreateOptions{})
		if err := made(err); err != nil {
			return err
		}
	}
	return nil
}

// SeedCluster makes one workload cluster and the machines that it owns.
func SeedCluster(ctx context.Context, dyn dynamic.Interface, name string) error {
	cluster, err := ensure(ctx, dyn.Resource(Clusters), "Cluster", name, map[string]any{
		"spec": map[string]any{"displayName": name, "type": "Baremetal"}, "status": map[string]any{"phase": "Running"}}, nil)
	if err != nil {
		return err
	}
	owner := []any{map[string]any{"apiVersion": "platform.tkestack.io/v1", "kind": "Cluster", "name": name, "uid": string(cluster.GetUID())}}
	for k := range MachinesEach {
		if _, err := ensure(ctx, dyn.Resource(Machines), "Machine", fmt.Sprintf("%s-%d", name, k+1), map[string]any{
			"spec": map[string]any{"clusterName": name, "type": "Baremetal"}, "status": map[string]any{"phase": "Running"}}, owner); err != nil {
			return err
		}
	}
	return nil
}

// ensure creates an object and its status, or returns the one that is there.
func ensure(ctx context.Context, r dynamic.ResourceInterface, kind, name string, fields map[string]any, owners []any) (*unstructured.Unstructured, error) {
	meta := map[string]any{"name": name}
	if owners != nil {
		meta["ownerReferences"] = owners
	}
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "platform.tkestack.io/v1", "kind": kind, "metadata": meta, "spec": fields["spec"]}}
	created, err := r.Create(ctx, o, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return r.Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return nil, err
	}
	created.Object["status"] = fields["status"]
	return r.UpdateStatus(ctx, created, metav1.UpdateOptions{})
}

func made(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
