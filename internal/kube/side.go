package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/acpflow/acpflow/internal/fault"
)

var machineObjects = schema.GroupVersionResource{Group: "platform.tkestack.io", Version: "v1", Resource: "machines"}

// Version is the API server's, for example "v1.32.1".
func (c *Client) Version(ctx context.Context) (string, error) {
	body, err := c.get(ctx, "/version")
	if err != nil {
		return "", err
	}
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	return v.GitVersion, c.decode("read the version", body, &v)
}

// Module is the platform's own state: ClusterModule `global`.
func (c *Client) Module(ctx context.Context) (version, phase string, err error) {
	obj, err := c.dynamic.Resource(clusterModules).Get(ctx, globalName, metav1.GetOptions{})
	if err != nil {
		return "", "", c.fault("read ClusterModule global", err)
	}
	phase, _, _ = unstructured.NestedString(obj.Object, "status", "phase")
	for _, at := range []string{"status", "spec"} {
		if v, _, _ := unstructured.NestedString(obj.Object, at, "version"); v != "" {
			return v, phase, nil
		}
	}
	return "", phase, nil
}

// Tokens tells by whom service account tokens are issued, and the SHA-256 of
// the public keys they are verified with, in the order of their ids.
func (c *Client) Tokens(ctx context.Context) (issuer, keys string, err error) {
	body, err := c.get(ctx, "/.well-known/openid-configuration")
	if err != nil {
		return "", "", err
	}
	var config struct {
		Issuer string `json:"issuer"`
	}
	if err := c.decode("read the issuer", body, &config); err != nil {
		return "", "", err
	}
	if body, err = c.get(ctx, "/openid/v1/jwks"); err != nil {
		return "", "", err
	}
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := c.decode("read the token keys", body, &set); err != nil {
		return "", "", err
	}
	if config.Issuer == "" || len(set.Keys) == 0 {
		return "", "", fault.New(fault.Protocol, "read the token keys", c.place, "", errors.New("there is no issuer or no key"))
	}
	var lines []string
	for _, k := range set.Keys {
		line, _ := json.Marshal(k) // was JSON a moment ago; keys come out sorted
		lines = append(lines, string(line))
	}
	return config.Issuer, hashOf(lines), nil
}

// MachineState is a Machine of the platform (DR-41).
type MachineState struct {
	Name     string
	UID      string
	Phase    string
	Deleting bool
}

// Machines lists the platform's Machine objects.
func (c *Client) Machines(ctx context.Context) ([]MachineState, error) {
	all, err := c.list(ctx, machineObjects, "")
	if err != nil {
		return nil, err
	}
	out := make([]MachineState, len(all))
	for i, m := range all {
		out[i] = MachineState{Name: m.GetName(), UID: string(m.GetUID()), Deleting: m.GetDeletionTimestamp() != nil}
		out[i].Phase, _, _ = unstructured.NestedString(m.Object, "status", "phase")
	}
	return out, nil
}

// Holding is what a namespace holds of one kind.
type Holding struct {
	Namespace, Kind string
	Names           []string // sorted
}

// Hash is the SHA-256 of all names.
func (h Holding) Hash() string { return hashOf(h.Names) }

// inventoried are the kinds that users create in namespaces that no
// synchronizer copies. A kind that a cluster does not have holds nothing.
var inventoried = []schema.GroupVersionResource{
	{Version: "v1", Resource: "configmaps"},
	{Version: "v1", Resource: "secrets"},
	{Version: "v1", Resource: "services"},
	{Version: "v1", Resource: "serviceaccounts"},
	{Version: "v1", Resource: "persistentvolumeclaims"},
	{Group: "apps", Version: "v1", Resource: "deployments"},
	{Group: "apps", Version: "v1", Resource: "statefulsets"},
	{Group: "apps", Version: "v1", Resource: "daemonsets"},
	{Group: "batch", Version: "v1", Resource: "cronjobs"},
	{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
	{Group: "operators.coreos.com", Version: "v1alpha1", Resource: "subscriptions"},
}

// byItself are objects that every cluster makes by itself.
var byItself = map[string][]string{
	"configmaps":      {"kube-root-ca.crt"},
	"serviceaccounts": {"default"},
	"services":        {"kubernetes"},
}

// Inventory lists the names of what users create in the namespaces; a namespace
// that does not exist holds nothing.
func (c *Client) Inventory(ctx context.Context, namespaces []string) ([]Holding, error) {
	there, err := c.names(ctx, schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "")
	if err != nil {
		return nil, c.fault("list namespaces", err)
	}
	var out []Holding
	for _, gvr := range inventoried {
		for _, ns := range namespaces {
			if !slices.Contains(there, ns) {
				continue
			}
			names, err := c.names(ctx, gvr, ns)
			if apierrors.IsNotFound(err) {
				break // the cluster does not have the kind
			}
			if err != nil {
				return nil, c.fault("list "+gvr.Resource+" of "+ns, err)
			}
			names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(byItself[gvr.Resource], n) })
			if len(names) > 0 {
				out = append(out, Holding{Namespace: ns, Kind: gvr.Resource, Names: names})
			}
		}
	}
	return out, nil
}

// ReadableSecrets has the API server decrypt every Secret, and names the
// namespaces where it could not. Only their metadata travels.
func (c *Client) ReadableSecrets(ctx context.Context) (read int, failed []string, err error) {
	secrets := schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	names, err := c.names(ctx, secrets, "")
	if err == nil {
		return len(names), nil, nil
	}
	spaces, listErr := c.names(ctx, schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "")
	if listErr != nil {
		return 0, nil, c.fault("read secrets", err)
	}
	for _, ns := range spaces {
		names, err := c.names(ctx, secrets, ns)
		if err != nil {
			failed = append(failed, ns+": "+shorten(redacted{err}.Error()))
			continue
		}
		read += len(names)
	}
	if len(failed) == 0 { // it works by now, or never was about one namespace
		return 0, nil, c.fault("read secrets", err)
	}
	return read, failed, nil
}

// Labelled counts the Pods of a namespace by the value of a label.
func (c *Client) Labelled(ctx context.Context, namespace, selector, label string) (map[string]int, error) {
	out := map[string]int{}
	err := c.eachMeta(ctx, schema.GroupVersionResource{Version: "v1", Resource: "pods"}, namespace, selector, func(o metav1.PartialObjectMetadata) {
		out[o.Labels[label]]++
	})
	if err != nil {
		return nil, c.fault("list pods of "+namespace, err)
	}
	return out, nil
}

// names lists the names of a kind, sorted; in all namespaces when it is "".
func (c *Client) names(ctx context.Context, gvr schema.GroupVersionResource, namespace string) ([]string, error) {
	var out []string
	err := c.eachMeta(ctx, gvr, namespace, "", func(o metav1.PartialObjectMetadata) { out = append(out, o.Name) })
	slices.Sort(out)
	return out, err
}

// eachMeta reads page by page what every object says of itself, no more.
func (c *Client) eachMeta(ctx context.Context, gvr schema.GroupVersionResource, namespace, selector string, f func(metav1.PartialObjectMetadata)) error {
	opts := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	for {
		page, err := c.meta.Resource(gvr).Namespace(namespace).List(ctx, opts)
		if err != nil {
			return err
		}
		for _, o := range page.Items {
			f(o)
		}
		if opts.Continue = page.GetContinue(); opts.Continue == "" {
			return nil
		}
	}
}

// get reads a path that is no resource.
func (c *Client) get(ctx context.Context, path string) ([]byte, error) {
	client, ok := c.typed.Discovery().RESTClient().(*rest.RESTClient)
	if !ok || client == nil {
		return nil, fault.New(fault.Internal, "read "+path, c.place, "", errors.New("this client has no connection"))
	}
	body, err := client.Get().AbsPath(path).DoRaw(ctx)
	if err != nil {
		return nil, c.fault("read "+path, err)
	}
	return body, nil
}

func (c *Client) decode(op string, body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fault.New(fault.Protocol, op, c.place, "", err)
	}
	return nil
}

func hashOf(lines []string) string {
	slices.Sort(lines)
	h := sha256.New()
	for _, l := range lines {
		_, _ = h.Write([]byte(l + "\n")) // never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}
