package kube

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"

	"github.com/acpflow/acpflow/internal/fault"
)

// The real API server plays these in test/e2e; the fake one covers the cases
// that are hard to bring about there.

func object(gvr schema.GroupVersionResource, kind, name string, labels, annotations map[string]string, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	o.SetGroupVersionKind(gvr.GroupVersion().WithKind(kind))
	o.SetName(name)
	o.SetLabels(labels)
	o.SetAnnotations(annotations)
	return o
}

// fakeClient holds the objects; they are created one by one, because the fake
// would guess the plural of ModuleInfo wrongly.
func fakeClient(t *testing.T, objects ...*unstructured.Unstructured) *Client {
	t.Helper()
	kinds := map[schema.GroupVersionResource]string{
		moduleInfos: "ModuleInfoList", modulePlugins: "ModulePluginList", moduleConfigs: "ModuleConfigList", clusters: "ClusterList",
	}
	dyn := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds)
	for _, o := range objects {
		for gvr, list := range kinds {
			if list == o.GetKind()+"List" {
				_, err := dyn.Resource(gvr).Create(t.Context(), o, metav1.CreateOptions{})
				require.NoError(t, err)
			}
		}
	}
	return NewFromClients(nil, dyn, "test")
}

func docsPlugin(name, display string) *unstructured.Unstructured {
	return object(modulePlugins, "ModulePlugin", name, map[string]string{moduleNameLabel: name},
		map[string]string{displayNameNote: display}, map[string]any{})
}

func docsConfig(name, version string) *unstructured.Unstructured {
	return object(moduleConfigs, "ModuleConfig", name+"-"+version, map[string]string{moduleNameLabel: name}, nil,
		map[string]any{"version": version, "config": map[string]any{"replicas": int64(2)}})
}

const display = `{"en": "Alauda Container Platform Product Docs", "zh": "文档"}`

func TestEnsurePluginAsksForTheNewestOnce(t *testing.T) {
	c := fakeClient(t, docsPlugin("acp-docs", display), docsPlugin("other", `{"en":"Other"}`),
		docsConfig("acp-docs", "v4.1.2"), docsConfig("acp-docs", "v4.1.10"), docsConfig("acp-docs", "v4.1.9"), docsConfig("other", "v9.0.0"))
	got, err := c.EnsurePlugin(t.Context(), ProductDocs)
	require.NoError(t, err)
	assert.Equal(t, PluginState{Name: "acp-docs", Version: "v4.1.10", Created: true}, got)

	infos, err := c.list(t.Context(), moduleInfos, "")
	require.NoError(t, err)
	require.Len(t, infos, 1)
	assert.Equal(t, pluginLabels("acp-docs"), infos[0].GetLabels())
	replicas, _, _ := unstructured.NestedInt64(infos[0].Object, "spec", "config", "replicas")
	assert.EqualValues(t, 2, replicas, "the published defaults")

	again, err := c.EnsurePlugin(t.Context(), ProductDocs)
	require.NoError(t, err)
	assert.False(t, again.Created)
}

func TestEnsurePluginFindsARenamedOne(t *testing.T) {
	info := object(moduleInfos, "ModuleInfo", "global-0123456789abcdef", pluginLabels("acp-docs"), nil, map[string]any{"version": "v4.1.2"})
	require.NoError(t, unstructured.SetNestedField(info.Object, "Running", "status", "phase"))
	got, err := fakeClient(t, docsPlugin("acp-docs", display), info).EnsurePlugin(t.Context(), ProductDocs)
	require.NoError(t, err)
	assert.True(t, got.Running())
	assert.Equal(t, "v4.1.2", got.Version)
}

func TestEnsurePluginRefuses(t *testing.T) {
	double := []*unstructured.Unstructured{
		docsPlugin("acp-docs", display),
		object(moduleInfos, "ModuleInfo", "a", pluginLabels("acp-docs"), nil, nil),
		object(moduleInfos, "ModuleInfo", "b", pluginLabels("acp-docs"), nil, nil),
	}
	cases := map[string]struct {
		objects []*unstructured.Unstructured
		class   fault.Class
	}{
		"not published":       {nil, fault.Gate},
		"published twice":     {[]*unstructured.Unstructured{docsPlugin("a", display), docsPlugin("b", display)}, fault.Gate},
		"without config":      {[]*unstructured.Unstructured{docsPlugin("acp-docs", display)}, fault.Gate},
		"installed twice":     {double, fault.Conflict},
		"only a similar name": {[]*unstructured.Unstructured{docsPlugin("x", `{"en":"Product Docs of somebody"}`)}, fault.Gate},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := fakeClient(t, c.objects...).EnsurePlugin(t.Context(), ProductDocs)
			require.Error(t, err)
			assert.Equal(t, c.class, fault.ClassOf(err), err)
		})
	}
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"v1.2.3", "v1.2.3", 0}, {"v1.2.10", "v1.2.9", 1}, {"v1.2.3-rc.1", "v1.2.3", -1}, {"junk", "v0.0.1", -1}, {"v0.0.1", "", 1}, {"a", "b", -1}} {
		assert.Equal(t, c.want, compareVersions(c.a, c.b), "%s %s", c.a, c.b)
	}
}

func TestRemoveArchConstraint(t *testing.T) {
	c := fakeClient(t, object(clusters, "Cluster", "global", map[string]string{archLabel: "amd64", "keep": "me"}, nil, nil))
	removed, err := c.RemoveArchConstraint(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "amd64", removed)
	obj, err := c.dynamic.Resource(clusters).Get(t.Context(), "global", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"keep": "me"}, obj.GetLabels())

	removed, err = c.RemoveArchConstraint(t.Context())
	require.NoError(t, err)
	assert.Empty(t, removed, "nothing to do is fine")

	_, err = fakeClient(t).RemoveArchConstraint(t.Context())
	assert.Equal(t, fault.Protocol, fault.ClassOf(err))
}
