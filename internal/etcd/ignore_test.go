package etcd

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// judged are keys and the class they belong to, "" for those that are compared.
var judged = map[string]string{
	"/registry/configmaps/team/settings":                            "",
	"/registry/configmaps/team/kube-root-ca.crt":                    "cluster's own authority",
	"/registry/configmaps/kube-system/kubeadm-config":               "excluded namespaces",
	"/registry/configmaps/kube-system-not/x":                        "",
	"/registry/namespaces/kube-system":                              "excluded namespaces",
	"/registry/namespaces/team":                                     "",
	"/registry/secrets/cpaas-system-global-credentials/a":           "excluded namespaces",
	"/registry/services/specs/default/kubernetes":                   "excluded namespaces",
	"/registry/services/specs/team/web":                             "",
	"/registry/services/endpoints/team/web":                         "made by controllers",
	"/registry/pods/team/web-1":                                     "made by controllers",
	"/registry/podtemplates/team/web":                               "",
	"/registry/events/team/a":                                       "events",
	"/registry/eventsources.example.com/things/a":                   "",
	"/registry/leases/team/lock":                                    "leases",
	"/registry/minions/192.0.2.1":                                   "nodes",
	"/registry/ranges/serviceips":                                   "allocations",
	"/registry/platform.tkestack.io/clusters/global":                "cluster's own identity",
	"/registry/platform.tkestack.io/clusters/business-1":            "",
	"/registry/platform.tkestack.io/machines/global-abc":            "cluster's own identity",
	"/registry/platform.tkestack.io/machines/business-abc":          "",
	"/registry/cluster.alauda.io/moduleinfoes/global-x":             "cluster's own plugins",
	"/registry/cluster.alauda.io/moduleinfoes/business-x":           "",
	"/registry/cluster.alauda.io/moduleinfoes/just-made":            "",
	"/registry/cluster.alauda.io/moduleplugins/x":                   "cluster's own packages",
	"/registry/cluster.alauda.io/features/x":                        "",
	"/registry/product.alauda.io/productbases/base":                 "cluster's own packages",
	"/registry/apiregistration.k8s.io/apiservices/v1.":              "API services",
	"/registry/apiextensions.k8s.io/customresourcedefinitions/x.io": "",
	"/registry/example.com/widgets/cert-manager/a":                  "excluded namespaces",
	"/registry/example.com/caches/a":                                "/registry/example.com/caches/",
	"/registry/example.com/cachesmore/a":                            "",
	"/registry/statefulsets/team/aaa":                               "",
	"/registry/statefulsets/team/tmp-1":                             "/registry/statefulsets/team/tmp-",
	"/registry/statefulsets/team/web":                               "",
}

var mine = []Ignore{
	{Prefix: "/registry/example.com/caches/", Reason: "rebuilt on each side"},
	{Prefix: "/registry/statefulsets/team/tmp-", Reason: "a prefix may end inside a name"},
}

func TestClasses(t *testing.T) {
	r := newRules(mine)
	for key, want := range judged {
		got := ""
		if c := r.class(key); c >= 0 {
			got = r.classes[c].name
		}
		assert.Equal(t, want, got, key)
	}
	for _, c := range r.classes {
		assert.NotEmpty(t, c.reason, c.name)
	}
	assert.Len(t, ExcludedNamespaces(), 14, "DR-07")
	assert.NotEqual(t, newRules(nil).print(), r.print())
	assert.Equal(t, newRules(mine).print(), r.print())
}

// TestReasonsTellTheGaps: classes go by keys, so each leaves out a little that
// the synchronizer does copy.
func TestReasonsTellTheGaps(t *testing.T) {
	for name, gap := range map[string]string{
		"made by controllers":    "by hand for a Service without a selector",
		"cluster's own identity": "a workload cluster whose name begins with global-",
		"cluster's own plugins":  "a workload cluster whose name begins with global-",
	} {
		i := slices.IndexFunc(classes(nil), func(c class) bool { return c.name == name })
		require.GreaterOrEqual(t, i, 0, name)
		assert.Contains(t, classes(nil)[i].reason, gap, name)
	}
}

// TestJudgeRemembersRightly: keys in order, as they are read, get the same
// class as each by itself.
func TestJudgeRemembersRightly(t *testing.T) {
	r := newRules(mine)
	var keys []string
	for key := range judged {
		keys = append(keys, key, key+"-2", strings.TrimSuffix(key, key[strings.LastIndexByte(key, '/')+1:])+"aaa")
	}
	slices.Sort(keys)
	j := judge{rules: r}
	for _, key := range keys {
		assert.Equal(t, r.class(key), j.class([]byte(key)), key)
	}
}

// TestAreasHoldWhatIsCompared: nothing that is compared is left out of what is
// read, and whole classes are not read.
func TestAreasHoldWhatIsCompared(t *testing.T) {
	r := newRules(mine)
	areas := r.areas(nil)
	within := func(areas []area, key string) bool {
		return slices.ContainsFunc(areas, func(a area) bool { return a.from <= key && key < a.to })
	}
	for i := 1; i < len(areas); i++ {
		require.Less(t, areas[i-1].to, areas[i].from)
	}
	for key := range judged {
		class := r.class(key)
		whole := class >= 0 && r.classes[class].prefixes != nil
		assert.Equal(t, !whole, within(areas, key), key)
	}
	only := r.areas([]string{"machines.platform.tkestack.io", "deployments", "/registry/secrets/team/"})
	assert.Equal(t, []area{
		{"/registry/platform.tkestack.io/machines/", "/registry/platform.tkestack.io/machines0"},
		{"/registry/deployments/", "/registry/deployments0"},
		{"/registry/secrets/team/", "/registry/secrets/team0"},
	}, only)
	assert.Empty(t, r.areas([]string{"pods"}), "ignored is ignored")
}
