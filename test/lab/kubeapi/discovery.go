package kubeapi

import (
	"context"
	"fmt"
	"strings"
)

// Path is the object's own path in the API.
func (c *Client) Path(ctx context.Context, o Object) (string, error) {
	apiVersion, _ := o["apiVersion"].(string)
	kind, _ := o["kind"].(string)
	meta, _ := o["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	namespace, _ := meta["namespace"].(string)
	if apiVersion == "" || kind == "" || name == "" {
		return "", fmt.Errorf("object without apiVersion, kind or name: %v", o)
	}
	r, err := c.resource(ctx, apiVersion, kind)
	if err != nil {
		return "", err
	}
	if !r.namespaced {
		return groupPath(apiVersion) + "/" + r.name + "/" + name, nil
	}
	if namespace == "" {
		return "", fmt.Errorf("%s %s: no namespace", kind, name)
	}
	return groupPath(apiVersion) + "/namespaces/" + namespace + "/" + r.name + "/" + name, nil
}

func groupPath(apiVersion string) string {
	if strings.Contains(apiVersion, "/") {
		return "/apis/" + apiVersion
	}
	return "/api/" + apiVersion
}

// resource asks the server what a kind is called in paths.
func (c *Client) resource(ctx context.Context, apiVersion, kind string) (resource, error) {
	key := apiVersion + "/" + kind
	c.mu.Lock()
	r, ok := c.paths[key]
	c.mu.Unlock()
	if ok {
		return r, nil
	}
	var list struct {
		Resources []struct {
			Name       string `json:"name"`
			Kind       string `json:"kind"`
			Namespaced bool   `json:"namespaced"`
		} `json:"resources"`
	}
	if err := c.Get(ctx, groupPath(apiVersion), &list); err != nil {
		return r, err
	}
	for _, item := range list.Resources {
		if item.Kind == kind && !strings.Contains(item.Name, "/") {
			r = resource{item.Name, item.Namespaced}
			c.mu.Lock()
			c.paths[key] = r
			c.mu.Unlock()
			return r, nil
		}
	}
	return r, fmt.Errorf("the API has no %s in %s", kind, apiVersion)
}
