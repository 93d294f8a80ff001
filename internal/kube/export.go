package kube

import (
	"context"
	"fmt"
	"io"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/acpflow/acpflow/internal/fault"
)

// Exported is what an export wrote.
type Exported struct {
	Counts    map[string]int // objects by "resource.group/version"
	NotServed []string       // groups that the API server does not know
}

// Export writes all objects of some resources of some groups as YAML documents, in
// the order of their names, each in the version that the server prefers and without
// managedFields. Groups and resources that the server does not serve are left out
// and, where a whole group is, told.
func (c *Client) Export(ctx context.Context, to io.Writer, groups, resources []string) (Exported, error) {
	out := Exported{Counts: map[string]int{}}
	for _, group := range groups {
		kinds, err := c.served(group, resources)
		if err != nil {
			return out, err
		}
		if kinds == nil {
			out.NotServed = append(out.NotServed, group)
		}
		for _, gvr := range kinds {
			n, err := c.export(ctx, to, gvr)
			if err != nil {
				return out, err
			}
			out.Counts[fmt.Sprintf("%s.%s/%s", gvr.Resource, gvr.Group, gvr.Version)] = n
		}
	}
	return out, nil
}

// served finds the resources of a group in its preferred version; nil when there is
// no such group.
func (c *Client) served(group string, resources []string) ([]schema.GroupVersionResource, error) {
	discovery := c.typed.Discovery()
	groups, err := discovery.ServerGroups()
	if err != nil {
		return nil, c.fault("list the API groups", err)
	}
	at := slices.IndexFunc(groups.Groups, func(g metav1.APIGroup) bool { return g.Name == group })
	if at < 0 {
		return nil, nil
	}
	version := groups.Groups[at].PreferredVersion
	list, err := discovery.ServerResourcesForGroupVersion(version.GroupVersion)
	if err != nil {
		return nil, c.fault("list the resources of "+version.GroupVersion, err)
	}
	out := []schema.GroupVersionResource{}
	for _, r := range list.APIResources {
		if slices.Contains(resources, r.Name) {
			out = append(out, schema.GroupVersionResource{Group: group, Version: version.Version, Resource: r.Name})
		}
	}
	return out, nil
}

func (c *Client) export(ctx context.Context, to io.Writer, gvr schema.GroupVersionResource) (int, error) {
	all, err := c.list(ctx, gvr, "")
	if err != nil {
		return 0, err
	}
	for _, o := range all {
		unstructured.RemoveNestedField(o.Object, "metadata", "managedFields")
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			return 0, fault.New(fault.Internal, "write "+gvr.Resource+" "+o.GetName()+" as YAML", c.place, "", err)
		}
		if _, err := fmt.Fprintf(to, "---\n%s", text); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}
