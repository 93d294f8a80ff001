package kube

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab/installer/pki"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/platform"
)

type object = kubeapi.Object

// client is acpflow's client; it reaches the server by its dialer only.
func client(t *testing.T, a *apiserver, conf kubeapi.Kubeconfig) *kube.Client {
	t.Helper()
	text, err := conf.Marshal()
	require.NoError(t, err)
	c, err := kube.New(secret.NewValue(text), kube.Options{
		Address: a.address,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	})
	require.NoError(t, err)
	return c
}

func apply(t *testing.T, a *apiserver, objects ...object) {
	t.Helper()
	for _, o := range objects {
		eventually(t, 2*time.Minute, func(ctx context.Context) error { return a.admin.Apply(ctx, o) }) // a new kind takes a moment
	}
}

func blocking(findings []checks.Finding) []string {
	var out []string
	for _, f := range findings {
		if f.Blocking() {
			out = append(out, f.Seen+f.Reason)
		}
	}
	return out
}

// TestAgainstARealAPIServer walks one cluster from empty to healthy and breaks
// it in every way the checks must see.
func TestAgainstARealAPIServer(t *testing.T) {
	a := startAPIServer(t)
	c := client(t, a, a.kubeconfig(t, "kubernetes-admin", "system:masters"))
	values := platform.Values{
		ClusterAddress: "192.0.2.10", PlatformAddress: "acp.example.com", KubernetesVersion: "v1.32.6",
		Network: "ovn", Architectures: []string{"amd64"}, Products: []string{"base", "acp"}, Registry: "192.0.2.10:11443",
	}
	t.Run("an empty cluster is not healthy", func(t *testing.T) { emptyCluster(t, c) })
	apply(t, a, platform.Definitions()...)
	apply(t, a, platform.Core(values)...)
	apply(t, a, platform.Plugins(values)...)
	t.Run("identity", func(t *testing.T) { identity(t, a, c) })
	t.Run("nodes", func(t *testing.T) { nodes(t, a, c) })
	t.Run("module", func(t *testing.T) { module(t, a, c, values) })
	t.Run("releases", func(t *testing.T) { releases(t, a, c) })
	t.Run("pods", func(t *testing.T) { pods(t, a, c) })
	t.Run("plugin", func(t *testing.T) { plugin(t, a, c) })
	t.Run("architecture", func(t *testing.T) { architecture(t, c) })
	t.Run("credentials", func(t *testing.T) { credentials(t, a) })
	t.Run("the server is gone", func(t *testing.T) {
		a.stop()
		_, err := c.Nodes(t.Context())
		assert.Equal(t, fault.Unreachable, fault.ClassOf(err), err)
	})
}

func emptyCluster(t *testing.T, c *kube.Client) {
	pods, err := c.VerifyPods(t.Context())
	require.NoError(t, err)
	assert.NotEmpty(t, blocking(pods.Findings))
	module, err := c.VerifyClusterModule(t.Context()) // the kind does not exist yet
	require.NoError(t, err)
	assert.NotEmpty(t, blocking(module.Findings))
	_, err = c.VerifyAppReleases(t.Context())
	assert.Equal(t, fault.Protocol, fault.ClassOf(err), "a missing kind may still come: %v", err)
}

func identity(t *testing.T, a *apiserver, c *kube.Client) {
	var ns struct {
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
	}
	require.NoError(t, a.admin.Get(t.Context(), "/api/v1/namespaces/kube-system", &ns))
	got, err := c.UID(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ns.Metadata.UID, got)
	assert.NotEmpty(t, got)
}

func node(name string, ready string) object {
	return object{
		"apiVersion": "v1", "kind": "Node",
		"metadata": object{"name": name, "labels": object{"node-role.kubernetes.io/control-plane": ""}},
		"status": object{
			"addresses":  []object{{"type": "InternalIP", "address": name}},
			"conditions": []object{{"type": "Ready", "status": ready, "reason": "KubeletReady", "message": "posted"}},
			"nodeInfo": object{"kubeletVersion": "v1.32.6", "architecture": "amd64", "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "",
				"osImage": "", "containerRuntimeVersion": "", "kubeProxyVersion": "", "operatingSystem": "linux"},
		},
	}
}

func nodes(t *testing.T, a *apiserver, c *kube.Client) {
	want := site.Cluster{Nodes: []site.Node{
		{Name: "m1", Address: "192.0.2.11", Role: site.ControlPlane}, {Name: "m2", Address: "192.0.2.12", Role: site.ControlPlane},
	}}
	apply(t, a, node("192.0.2.11", "True"), node("192.0.2.12", "True"))
	got, err := c.VerifyNodes(t.Context(), want)
	require.NoError(t, err)
	assert.Empty(t, blocking(got.Findings))
	assert.Equal(t, 2, got.Ready)
	assert.Contains(t, got.Findings[0].Seen, "v1.32.6, amd64")

	apply(t, a, node("192.0.2.12", "Unknown"), node("192.0.2.99", "True"))
	got, err = c.VerifyNodes(t.Context(), want)
	require.NoError(t, err)
	assert.Len(t, blocking(got.Findings), 2, "one not ready, one that nobody named")
}

func module(t *testing.T, a *apiserver, c *kube.Client, values platform.Values) {
	got, err := c.VerifyClusterModule(t.Context())
	require.NoError(t, err)
	assert.NotEmpty(t, blocking(got.Findings), "still installing")
	apply(t, a, platform.Finished(values)...)
	got, err = c.VerifyClusterModule(t.Context())
	require.NoError(t, err)
	assert.Empty(t, blocking(got.Findings))
	assert.Equal(t, "Running", got.Phase)
}

func release(name, health string) object {
	return object{
		"apiVersion": "operator.alauda.io/v1alpha1", "kind": "AppRelease",
		"metadata": object{"name": name, "namespace": platform.Namespace},
		"spec":     object{},
		"status":   object{"conditions": []object{{"type": "Sync", "status": "True"}, {"type": "Health", "status": health, "message": "2 of 3 Pods"}}},
	}
}

func releases(t *testing.T, a *apiserver, c *kube.Client) {
	healthy, err := c.VerifyAppReleases(t.Context())
	require.NoError(t, err)
	assert.Empty(t, blocking(healthy.Findings))
	assert.Equal(t, healthy.Total, healthy.Healthy)

	apply(t, a, release("broken", "False"))
	got, err := c.VerifyAppReleases(t.Context())
	require.NoError(t, err)
	require.Len(t, blocking(got.Findings), 1)
	assert.Contains(t, got.Findings[0].Seen, "cpaas-system/broken: Health=False 2 of 3 Pods")

	const many = 600 // more than one page
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for i := range many {
		o := release(fmt.Sprintf("r%d", i), "True")
		delete(o, "status")
		group.Go(func() error { return a.admin.Apply(ctx, o) })
	}
	require.NoError(t, group.Wait())
	got, err = c.VerifyAppReleases(t.Context())
	require.NoError(t, err)
	assert.Equal(t, healthy.Total+1+many, got.Total)
	assert.Len(t, blocking(got.Findings), many+1, "a release without a status is not healthy")
}

func pod(name, phase, ready string) object {
	return object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{"name": name, "namespace": platform.Namespace},
		"spec":     object{"containers": []object{{"name": "app", "image": "registry.example.com/app:1"}}},
		"status":   object{"phase": phase, "conditions": []object{{"type": "Ready", "status": ready, "reason": "ContainersNotReady"}}},
	}
}

func pods(t *testing.T, a *apiserver, c *kube.Client) {
	apply(t, a, pod("good", "Running", "True"), pod("done", "Succeeded", "False"))
	got, err := c.VerifyPods(t.Context())
	require.NoError(t, err)
	assert.Empty(t, blocking(got.Findings))
	assert.Equal(t, [3]int{2, 1, 1}, [3]int{got.Total, got.Ready, got.Completed})

	stuck := pod("stuck", "Running", "True") // Terminating 1/1: the vendor's command does not see it
	stuck["metadata"].(object)["finalizers"] = []string{"example.com/stuck"}
	apply(t, a, pod("unready", "Running", "False"), stuck)
	require.NoError(t, a.admin.Do(t.Context(), http.MethodDelete, "/api/v1/namespaces/"+platform.Namespace+"/pods/stuck", "", nil, nil))
	got, err = c.VerifyPods(t.Context())
	require.NoError(t, err)
	assert.Len(t, blocking(got.Findings), 2)
	assert.Equal(t, 2, got.Bad)
}

func plugin(t *testing.T, a *apiserver, c *kube.Client) {
	state, err := c.EnsurePlugin(t.Context(), kube.ProductDocs)
	require.NoError(t, err)
	assert.True(t, state.Created)
	state, err = c.EnsurePlugin(t.Context(), kube.ProductDocs)
	require.NoError(t, err)
	assert.False(t, state.Created || state.Running(), "%+v", state)

	rename(t, a)
	state, err = c.EnsurePlugin(t.Context(), kube.ProductDocs)
	require.NoError(t, err)
	assert.True(t, state.Running(), "%+v", state)
	assert.False(t, state.Created, "found under its new name")
	assert.Len(t, moduleInfos(t, a), 1)
}

// rename does what the platform does to a new ModuleInfo.
func rename(t *testing.T, a *apiserver) {
	t.Helper()
	infos := moduleInfos(t, a)
	require.Len(t, infos, 1)
	old := infos[0]
	meta := old["metadata"].(map[string]any)
	require.NoError(t, a.admin.Do(t.Context(), http.MethodDelete, "/apis/cluster.alauda.io/v1alpha1/moduleinfoes/"+meta["name"].(string), "", nil, nil))
	apply(t, a, object{
		"apiVersion": "cluster.alauda.io/v1alpha1", "kind": "ModuleInfo",
		"metadata": object{"name": "global-6bb52cb2e4a3", "labels": meta["labels"]},
		"spec":     old["spec"], "status": object{"phase": "Running"},
	})
}

func moduleInfos(t *testing.T, a *apiserver) []object {
	t.Helper()
	var list struct{ Items []object }
	require.NoError(t, a.admin.Get(t.Context(), "/apis/cluster.alauda.io/v1alpha1/moduleinfoes", &list))
	return list.Items
}

func architecture(t *testing.T, c *kube.Client) {
	for _, want := range []string{"amd64", ""} {
		removed, err := c.RemoveArchConstraint(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, removed)
	}
	left, err := c.ArchConstraint(t.Context())
	require.NoError(t, err)
	assert.Empty(t, left)
}

func credentials(t *testing.T, a *apiserver) {
	otherCA, err := pki.NewCA("kubernetes")
	require.NoError(t, err)
	stranger, err := otherCA.Issue(pki.Request{CommonName: "kubernetes-admin", Organization: "system:masters", Client: true})
	require.NoError(t, err)
	admin := a.kubeconfig(t, "kubernetes-admin", "system:masters")
	edit := func(change func(*kubeapi.Kubeconfig)) kubeapi.Kubeconfig {
		conf := admin
		change(&conf)
		return conf
	}
	for name, c := range map[string]struct {
		conf kubeapi.Kubeconfig
		want fault.Class
	}{
		"a stranger's certificate": {edit(func(k *kubeapi.Kubeconfig) { k.ClientCert, k.Key = stranger.Cert, stranger.Key }), fault.Auth},
		"a user without rights":    {a.kubeconfig(t, "nobody", "guests"), fault.Auth},
		"another cluster's CA":     {edit(func(k *kubeapi.Kubeconfig) { k.CA = otherCA.Cert }), fault.HostKey},
		"another server's name":    {edit(func(k *kubeapi.Kubeconfig) { k.Server = "https://acp-east.example.com:6443" }), fault.HostKey},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, a, c.conf).Nodes(t.Context())
			require.Error(t, err)
			assert.Equal(t, c.want, fault.ClassOf(err), err)
		})
	}
}
