package etcd

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseKey(t *testing.T) {
	for key, want := range map[string]object{
		"/registry/configmaps/team/settings":                                    {resource: "configmaps", namespace: "team", name: "settings"},
		"/registry/namespaces/team":                                             {resource: "namespaces", name: "team"},
		"/registry/clusterroles/system:node":                                    {resource: "clusterroles", name: "system:node"},
		"/registry/services/specs/team/web":                                     {resource: "services/specs", namespace: "team", name: "web"},
		"/registry/services/endpoints/team/web":                                 {resource: "services/endpoints", namespace: "team", name: "web"},
		"/registry/ranges/serviceips":                                           {resource: "ranges/serviceips"},
		"/registry/platform.tkestack.io/machines/global-1":                      {group: "platform.tkestack.io", resource: "machines", name: "global-1"},
		"/registry/cert-manager.io/certificates/team/web":                       {group: "cert-manager.io", resource: "certificates", namespace: "team", name: "web"},
		"/registry/apiextensions.k8s.io/customresourcedefinitions/a.example.io": {group: "apiextensions.k8s.io", resource: "customresourcedefinitions", name: "a.example.io"},
		"/registry/":           {},
		"/registry/configmaps": {resource: "configmaps"},
		"compact_rev_key":      {resource: "(other)", name: "compact_rev_key"},
	} {
		assert.Equal(t, want, parseKey(key), key)
	}
	assert.Equal(t, "machines.platform.tkestack.io", parseKey("/registry/platform.tkestack.io/machines/a").kind())
	assert.Equal(t, "services/specs", parseKey("/registry/services/specs/a/b").kind())
	assert.True(t, parseKey("/registry/apiextensions.k8s.io/customresourcedefinitions/a").builtIn())
	assert.False(t, parseKey("/registry/example.com/widgets/a").builtIn())
}

func TestAfter(t *testing.T) {
	assert.Equal(t, "/registry0", after("/registry/"))
	assert.Equal(t, "b", after("a\xff\xff"))
	assert.Greater(t, after("\xff"), "\xff/registry/")
	assert.Greater(t, after(""), "/registry/zzz")
}

func TestDigestKnowsNoOrder(t *testing.T) {
	pairs := [][2]string{{"a", "1"}, {"b", "2"}, {"ab", ""}, {"a", "b"}}
	var forth, back digest
	var buf []byte
	for i := range pairs {
		var sum digest
		buf, sum = hashPair(buf, []byte(pairs[i][0]), []byte(pairs[i][1]))
		forth.add(sum)
		last := pairs[len(pairs)-1-i]
		buf, sum = hashPair(buf, []byte(last[0]), []byte(last[1]))
		back.add(sum)
	}
	assert.Equal(t, forth, back)
	again, ok := parseDigest(forth.String())
	assert.True(t, ok)
	assert.Equal(t, forth, again)
	_, whole := hashPair(nil, []byte("a"), []byte("b"))
	_, moved := hashPair(nil, []byte("ab"), nil)
	assert.NotEqual(t, whole, moved, "the border between key and value counts")
	forth.subtract(whole)
	forth.add(whole)
	assert.Equal(t, back, forth, "taking out and putting in leaves nothing")
	forth.subtract(whole)
	assert.NotEqual(t, back, forth)
	_, ok = parseDigest("12")
	assert.False(t, ok)
}
