package kube

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/acpflow/acpflow/internal/fault"
)

// PodMakers names the Deployments, DaemonSets and StatefulSets of all namespaces
// whose Pods a label selector finds, whether they have Pods or not:
// "deployment NAMESPACE/NAME". Those that shall have none are left out.
func (c *Client) PodMakers(ctx context.Context, selector string) ([]string, error) {
	want, err := labels.Parse(selector)
	if err != nil {
		return nil, fault.New(fault.BadInput, "read the selector "+selector, c.place, "", err)
	}
	var out []string
	add := func(kind string, meta metav1.ObjectMeta, replicas *int32, pod map[string]string) {
		if want.Matches(labels.Set(pod)) && (replicas == nil || *replicas > 0) {
			out = append(out, fmt.Sprintf("%s %s/%s", kind, meta.Namespace, meta.Name))
		}
	}
	apps := c.typed.AppsV1()
	deployments, err := apps.Deployments("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, c.fault("list deployments", err)
	}
	for _, d := range deployments.Items {
		add("deployment", d.ObjectMeta, d.Spec.Replicas, d.Spec.Template.Labels)
	}
	daemons, err := apps.DaemonSets("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, c.fault("list daemonsets", err)
	}
	for _, d := range daemons.Items {
		add("daemonset", d.ObjectMeta, nil, d.Spec.Template.Labels)
	}
	sets, err := apps.StatefulSets("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, c.fault("list statefulsets", err)
	}
	for _, s := range sets.Items {
		add("statefulset", s.ObjectMeta, s.Spec.Replicas, s.Spec.Template.Labels)
	}
	slices.Sort(out)
	return out, nil
}
