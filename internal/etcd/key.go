package etcd

import (
	"slices"
	"strings"
)

// root is where kube-apiserver keeps everything (--etcd-prefix).
const root = "/registry/"

// nested are the resources of the core group that lie one folder deeper.
var nested = []string{"services", "ranges"}

// object is what a key names.
type object struct {
	group     string // of custom resources and a few built-in ones; else ""
	resource  string // plural, without the group: "deployments", "services/specs"
	namespace string // "" for what belongs to the whole cluster
	name      string
}

// parseKey reads
//
//	/registry/RESOURCE/[NAMESPACE/]NAME
//	/registry/services/specs/NAMESPACE/NAME
//	/registry/GROUP/RESOURCE/[NAMESPACE/]NAME   (a group has a dot)
//
// Anything else is an object of the resource its first part names.
func parseKey(key string) object {
	rest, ok := strings.CutPrefix(key, root)
	if !ok {
		return object{resource: "(other)", name: key}
	}
	var o object
	first, rest, _ := strings.Cut(rest, "/")
	switch {
	case strings.Contains(first, "."):
		o.group = first
		o.resource, rest, _ = strings.Cut(rest, "/")
	case slices.Contains(nested, first):
		second, tail, _ := strings.Cut(rest, "/")
		o.resource, rest = first+"/"+second, tail
	default:
		o.resource = first
	}
	if i := strings.LastIndexByte(rest, '/'); i >= 0 {
		o.namespace, o.name = rest[:i], rest[i+1:]
	} else {
		o.name = rest
	}
	return o
}

// kind names the resource as kubectl does: "machines.platform.tkestack.io".
func (o object) kind() string {
	if o.group == "" {
		return o.resource
	}
	return o.resource + "." + o.group
}

// builtIn reports whether the API server itself, not a definition, knows the
// resource: its controllers run on both sides.
func (o object) builtIn() bool {
	return o.group == "" || o.group == "apiextensions.k8s.io" || o.group == "apiregistration.k8s.io"
}

// after is the first key behind all those that begin with prefix.
func after(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return "\xff\xff\xff\xff" // behind every key the API server writes
}
