package etcd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// Ignore is a further class of keys that may differ, from the site document.
type Ignore struct {
	Prefix string `json:"prefix"` // of keys, with /registry/
	Reason string `json:"reason"`
}

// ExcludedNamespaces are never synchronised (DR-07).
func ExcludedNamespaces() []string {
	return []string{"cpaas-system", "cert-manager", "default", "global-credentials", "cpaas-system-global-credentials", "kube-ovn",
		"kube-public", "kube-system", "nsx-system", "cpaas-solution", "kube-node-lease", "kubevirt", "nativestor-system", "operators"}
}

// class is one reason not to compare some keys. Exactly one of prefixes,
// namespaces and objects is set.
type class struct {
	name, reason string
	prefixes     []string // whole resources: they are counted, never read
	namespaces   []string // what lies in them, and the Namespace objects themselves
	objects      []string // RESOURCE/NAME, names may have *
}

// classes are all that is left out, whoever asks. A key belongs to the first
// class that fits.
func classes(more []Ignore) []class {
	out := []class{
		{name: "excluded namespaces", reason: "the synchronizer never copies them; they are backed up by hand (DR-07)", namespaces: ExcludedNamespaces()},
		{name: "events", reason: "each cluster's own records, they expire", prefixes: resources("events")},
		{name: "leases", reason: "held by each cluster's own components; a copy would name holders that don't live there", prefixes: resources("leases", "masterleases", "peerserverleases")},
		{name: "nodes", reason: "each cluster has its own machines", prefixes: resources("minions", "csinodes", "csistoragecapacities", "volumeattachments")},
		{name: "API services", reason: "each API server registers what it serves itself", prefixes: resources("apiregistration.k8s.io/apiservices")},
		{name: "allocations", reason: "addresses and ports given out by each API server", prefixes: resources("ranges", "ipaddresses", "servicecidrs")},
		{name: "flow control", reason: "kept up by each API server", prefixes: resources("flowschemas", "prioritylevelconfigurations")},
		{name: "API servers", reason: "each API server's own storage versions", prefixes: resources("internal.apiserver.k8s.io/storageversions")},
		{name: "made by controllers",
			reason:   "each cluster's controllers make their own from what is compared; so Endpoints and EndpointSlices made by hand for a Service without a selector are not compared either",
			prefixes: resources("pods", "replicasets", "controllerrevisions", "services/endpoints", "endpointslices")},
		{name: "cluster's own authority", reason: "each cluster publishes its own certificate authority in every namespace", objects: []string{"configmaps/kube-root-ca.crt"}},
		{name: "cluster's own identity", // by name: a deleted key has no value to ask for spec.clusterName
			reason:  "describes the cluster it lies in; so Machines of a workload cluster whose name begins with global- are not compared either",
			objects: []string{"clusters.platform.tkestack.io/global", "machines.platform.tkestack.io/global-*"}},
		{name: "cluster's own plugins", // named CLUSTER-HASH; one just made has another name for a moment, and differs for as long
			reason:  "each cluster has its own installed plugins, the synchronizer among them; so those of a workload cluster whose name begins with global- are not compared either",
			objects: []string{"moduleinfoes.cluster.alauda.io/global-*"}},
		{name: "cluster's own packages", reason: "each cluster has its own published plugins and its own base",
			prefixes: resources("cluster.alauda.io/moduleplugins", "cluster.alauda.io/moduleconfigs", "cluster.alauda.io/clustermodules",
				"product.alauda.io/productbases")},
	}
	for _, i := range more {
		out = append(out, class{name: i.Prefix, reason: i.Reason, prefixes: []string{i.Prefix}})
	}
	return out
}

func resources(names ...string) []string {
	for i, n := range names {
		names[i] = root + n + "/"
	}
	return names
}

// alikeReason is why parts of values are not compared; see sameMeaning.
const alikeReason = "only these differ: managedFields say who wrote a field, and the status of built-in kinds is written by the controllers of both clusters"

// rules decide about keys.
type rules struct {
	classes []class
	skips   []string // prefixes of whole classes, sorted, none within another
}

func newRules(more []Ignore) rules {
	r := rules{classes: classes(more)}
	for _, c := range r.classes {
		r.skips = append(r.skips, c.prefixes...)
	}
	slices.Sort(r.skips)
	var kept []string
	for _, s := range r.skips { // sorted: what lies within another follows it
		if len(kept) == 0 || !strings.HasPrefix(s, kept[len(kept)-1]) {
			kept = append(kept, s)
		}
	}
	r.skips = kept
	return r
}

// print identifies the rules: a mark made under other ones is of no use.
func (r rules) print() string {
	var all []any
	for _, c := range r.classes {
		all = append(all, c.name, c.prefixes, c.namespaces, c.objects)
	}
	text, _ := json.Marshal(all) // strings only: cannot fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// class returns the index of the first class that fits, -1 when the key is compared.
func (r rules) class(key string) int {
	o := parseKey(key)
	for i, c := range r.classes {
		switch {
		case slices.ContainsFunc(c.prefixes, func(p string) bool { return strings.HasPrefix(key, p) }),
			slices.Contains(c.namespaces, o.namespace),
			o.group == "" && o.resource == "namespaces" && slices.Contains(c.namespaces, o.name),
			slices.ContainsFunc(c.objects, func(pattern string) bool { return fits(pattern, o) }):
			return i
		}
	}
	return -1
}

func fits(pattern string, o object) bool {
	kind, name, _ := strings.Cut(pattern, "/")
	ok, _ := path.Match(name, o.name) // the patterns are ours
	return kind == o.kind() && ok
}

// named reports whether a class of this resource goes by names.
func (r rules) named(o object) bool {
	return o.kind() == "namespaces" || slices.ContainsFunc(r.classes, func(c class) bool {
		return slices.ContainsFunc(c.objects, func(p string) bool { return strings.HasPrefix(p, o.kind()+"/") })
	})
}

// splits reports whether a class takes only some keys of a folder: the prefixes
// of a site may end inside a name.
func (r rules) splits(folder string) bool {
	return slices.ContainsFunc(r.skips, func(p string) bool { return len(p) > len(folder) && strings.HasPrefix(p, folder) })
}

// judge applies the rules to keys in order. Neighbours share their folder, and
// mostly that is all that counts.
type judge struct {
	rules  rules
	folder []byte // of the last key, "" when it does not decide alone
	last   int
}

func (j *judge) class(key []byte) int {
	end := bytes.LastIndexByte(key, '/') + 1
	if len(j.folder) > 0 && bytes.Equal(key[:end], j.folder) {
		return j.last
	}
	text := string(key)
	j.folder, j.last = j.folder[:0], j.rules.class(text)
	if !j.rules.named(parseKey(text)) && !j.rules.splits(text[:end]) {
		j.folder = append(j.folder, key[:end]...)
	}
	return j.last
}

// area is a range of keys that is compared.
type area struct{ from, to string }

// areas are the ranges to read: everything but the skipped prefixes, or what
// only names: resources as kubectl names them, or prefixes of keys.
func (r rules) areas(only []string) []area {
	if len(only) == 0 {
		return r.without(area{root, after(root)})
	}
	var out []area
	for _, o := range only {
		prefix := o
		if !strings.HasPrefix(o, "/") {
			resource, group, _ := strings.Cut(o, ".")
			prefix = path.Join(root, group, resource) + "/"
		}
		out = append(out, r.without(area{prefix, after(prefix)})...)
	}
	return out
}

// without cuts the skipped prefixes out.
func (r rules) without(a area) []area {
	var out []area
	for _, skip := range r.skips {
		end := after(skip)
		if end <= a.from || skip >= a.to {
			continue
		}
		if a.from < skip {
			out = append(out, area{a.from, skip})
		}
		a.from = end
	}
	if a.from < a.to {
		out = append(out, a)
	}
	return out
}
