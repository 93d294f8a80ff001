package platform

import "github.com/acpflow/acpflow/test/lab/kubeapi"

// definition is one kind of the platform's API.
type definition struct {
	group, version, kind, plural, short string
	namespaced                          bool
	spec                                object // schema of spec; nil = anything
}

var definitions = []definition{
	{group: "cert-manager.io", version: "v1", kind: "Certificate", plural: "certificates", namespaced: true},
	{group: "cert-manager.io", version: "v1", kind: "Issuer", plural: "issuers", namespaced: true},
	{group: "cluster.alauda.io", version: "v1alpha1", kind: "ModuleInfo", plural: "moduleinfoes", short: "minfo", spec: versioned},
	{group: "cluster.alauda.io", version: "v1alpha1", kind: "ModulePlugin", plural: "moduleplugins"},
	{group: "cluster.alauda.io", version: "v1alpha1", kind: "ModuleConfig", plural: "moduleconfigs", spec: versioned},
	{group: "cluster.alauda.io", version: "v1alpha2", kind: "ClusterModule", plural: "clustermodules"},
	{group: "operator.alauda.io", version: "v1alpha1", kind: "AppRelease", plural: "appreleases", namespaced: true},
	{group: "platform.tkestack.io", version: "v1", kind: "Cluster", plural: "clusters"},
	{group: "platform.tkestack.io", version: "v1", kind: "Machine", plural: "machines"},
	{group: "product.alauda.io", version: "v1alpha2", kind: "ProductBase", plural: "productbases"},
}

// anything is a schema without rules: the real ones are not all published.
var anything = object{"type": "object", "x-kubernetes-preserve-unknown-fields": true}

// versioned is the one published rule of plugins: spec.version must be there.
var versioned = object{
	"type": "object", "required": []string{"version"}, "x-kubernetes-preserve-unknown-fields": true,
	"properties": object{"version": object{"type": "string", "minLength": 1}},
}

// Definitions are the platform's custom resources. Clusters and Machines are
// an aggregated API in the real platform; here they are custom resources too.
func Definitions() []kubeapi.Object {
	var out []kubeapi.Object
	for _, d := range definitions {
		out = append(out, d.object())
	}
	return out
}

func (d definition) object() object {
	scope := "Cluster"
	if d.namespaced {
		scope = "Namespaced"
	}
	spec := d.spec
	if spec == nil {
		spec = anything
	}
	names := object{"kind": d.kind, "listKind": d.kind + "List", "plural": d.plural}
	if d.short != "" {
		names["shortNames"] = []string{d.short}
	}
	return with(global("apiextensions.k8s.io/v1", "CustomResourceDefinition", d.plural+"."+d.group), object{"spec": object{
		"group": d.group, "scope": scope, "names": names,
		"versions": []object{{
			"name": d.version, "served": true, "storage": true,
			"subresources": object{"status": object{}},
			"schema": object{"openAPIV3Schema": object{
				"type": "object", "properties": object{"spec": spec, "status": anything},
			}},
		}},
	}})
}
