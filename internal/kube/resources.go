package kube

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The platform's resources, as far as they are publicly known. What acpflow
// assumes about them stands here and in the decoders beside their use.
var (
	clusterModules = schema.GroupVersionResource{Group: "cluster.alauda.io", Version: "v1alpha2", Resource: "clustermodules"}
	moduleInfos    = schema.GroupVersionResource{Group: "cluster.alauda.io", Version: "v1alpha1", Resource: "moduleinfoes"}
	modulePlugins  = schema.GroupVersionResource{Group: "cluster.alauda.io", Version: "v1alpha1", Resource: "moduleplugins"}
	moduleConfigs  = schema.GroupVersionResource{Group: "cluster.alauda.io", Version: "v1alpha1", Resource: "moduleconfigs"}
	appReleases    = schema.GroupVersionResource{Group: "operator.alauda.io", Version: "v1alpha1", Resource: "appreleases"}
	clusters       = schema.GroupVersionResource{Group: "platform.tkestack.io", Version: "v1", Resource: "clusters"}
)

// globalName is the name of the `global` cluster in its own API.
const globalName = "global"

// pageSize bounds one answer of a list.
const pageSize = 500

// list reads every page of a resource over all namespaces.
func (c *Client) list(ctx context.Context, gvr schema.GroupVersionResource, selector string) ([]unstructured.Unstructured, error) {
	var out []unstructured.Unstructured
	opts := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	for {
		page, err := c.dynamic.Resource(gvr).List(ctx, opts)
		if err != nil {
			return nil, c.fault("list "+gvr.Resource, err)
		}
		out = append(out, page.Items...)
		if opts.Continue = page.GetContinue(); opts.Continue == "" {
			return out, nil
		}
	}
}
