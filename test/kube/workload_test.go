package kube

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/test/lab/platform"
)

const inPlatform = "/namespaces/" + platform.Namespace

// TestWorkloads: what the runbooks of a pair read and change in a cluster.
func TestWorkloads(t *testing.T) {
	a := startAPIServer(t)
	c := client(t, a, a.kubeconfig(t, "kubernetes-admin", "system:masters"))
	apply(t, a, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": platform.Namespace}})
	t.Run("secrets", func(t *testing.T) { secrets(t, a, c) })
	t.Run("tokens", func(t *testing.T) { tokens(t, a, c) })
	t.Run("pods by UID", func(t *testing.T) { podsByUID(t, a, c) })
	t.Run("logs", func(t *testing.T) { logs(t, a, c) })
	t.Run("lease", func(t *testing.T) { lease(t, a, c) })
	t.Run("job", func(t *testing.T) { job(t, a, c) })
	t.Run("deployment", func(t *testing.T) { deployment(t, a, c) })
	t.Run("service", func(t *testing.T) { service(t, a, c) })
	t.Run("what a job makes", func(t *testing.T) { lacking(t, a, c) })
	t.Run("a plugin of a version", func(t *testing.T) { pluginVersion(t, a, c) })
}

func secrets(t *testing.T, a *apiserver, c *kube.Client) {
	ctx := t.Context()
	key := kube.SecretKey{Namespace: platform.Namespace, Name: "copied", Key: "token"}
	_, err := c.SecretValue(ctx, key)
	assert.Equal(t, fault.Gate, fault.ClassOf(err), "%v", err)

	value := secret.NewValue([]byte("first-value-of-the-token"))
	for _, want := range []bool{true, false} {
		changed, err := c.EnsureSecret(ctx, key, value, "run-1")
		require.NoError(t, err)
		assert.Equal(t, want, changed)
	}
	got, err := c.SecretValue(ctx, key)
	require.NoError(t, err)
	assert.Equal(t, value.Reveal(), got.Reveal())

	other := kube.SecretKey{Namespace: key.Namespace, Name: key.Name, Key: "other"}
	_, err = c.EnsureSecret(ctx, other, secret.NewValue([]byte("of-somebody-else")), "run-2")
	require.NoError(t, err)
	changed, err := c.EnsureSecret(ctx, key, secret.NewValue([]byte("second-value-of-it")), "run-2")
	require.NoError(t, err)
	assert.True(t, changed)
	kept, err := c.SecretValue(ctx, other)
	require.NoError(t, err)
	assert.Equal(t, "of-somebody-else", string(kept.Reveal()), "other values are left alone")

	for _, step := range []struct {
		run  string
		want bool
	}{{"", false}, {"run-2", false}, {"run-1", true}, {"run-1", false}} {
		removed, err := c.RemoveSecret(ctx, key.Namespace, key.Name, step.run)
		require.NoError(t, err)
		assert.Equal(t, step.want, removed, "run %q", step.run)
	}
	apply(t, a, object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": "empty", "namespace": platform.Namespace}})
	_, err = c.SecretValue(ctx, kube.SecretKey{Namespace: platform.Namespace, Name: "empty", Key: "token"})
	assert.Equal(t, fault.Gate, fault.ClassOf(err))
}

func tokens(t *testing.T, a *apiserver, c *kube.Client) {
	apply(t, a, object{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": object{"name": "k8sadmin", "namespace": platform.Namespace}})
	var request struct {
		Status struct {
			Token string `json:"token"`
		} `json:"status"`
	}
	body := object{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": object{"audiences": []string{}}}
	require.NoError(t, a.admin.Do(t.Context(), http.MethodPost, "/api/v1"+inPlatform+"/serviceaccounts/k8sadmin/token", "", body, &request))
	user, err := c.CheckToken(t.Context(), secret.NewValue([]byte(request.Status.Token)))
	require.NoError(t, err)
	assert.Equal(t, "system:serviceaccount:"+platform.Namespace+":k8sadmin", user)

	_, err = c.CheckToken(t.Context(), secret.NewValue([]byte("no-token-of-this-cluster")))
	assert.Equal(t, fault.Auth, fault.ClassOf(err))
	assert.NotContains(t, err.Error(), "no-token-of-this-cluster")
}

// labelledPod is one that a kubelet would run on a node.
func labelledPod(name, node, ready string) object {
	o := pod(name, "Running", ready)
	o["metadata"].(object)["labels"] = object{"app": "etcd-sync"}
	o["spec"].(object)["nodeName"] = node
	return o
}

func podsByUID(t *testing.T, a *apiserver, c *kube.Client) {
	ctx := t.Context()
	list := func() []kube.Pod {
		pods, err := c.Pods(ctx, platform.Namespace, "app=etcd-sync")
		require.NoError(t, err)
		return pods
	}
	apply(t, a, pod("unrelated", "Running", "True"), labelledPod("sync-1", "", "True"), labelledPod("sync-2", "", "False"))
	pods := list()
	require.Len(t, pods, 2)
	assert.Equal(t, [2]bool{true, false}, [2]bool{pods[0].Ready, pods[1].Ready})
	assert.Equal(t, []string{"app"}, pods[0].Containers)
	assert.Contains(t, pods[1].Why, "ContainersNotReady")

	first := pods[0]
	deleted, err := c.DeletePod(ctx, first)
	require.NoError(t, err)
	assert.True(t, deleted)
	apply(t, a, labelledPod("sync-1", "", "True")) // another one of the same name
	deleted, err = c.DeletePod(ctx, first)
	require.NoError(t, err)
	assert.False(t, deleted, "another UID")
	assert.Len(t, list(), 2, "the new one is still there")
	gone := first
	gone.Name = "gone"
	deleted, err = c.DeletePod(ctx, gone)
	require.NoError(t, err)
	assert.False(t, deleted)

	stuck := labelledPod("sync-3", "", "True")
	stuck["metadata"].(object)["finalizers"] = []string{"example.com/stuck"}
	apply(t, a, stuck)
	for _, p := range list() {
		if p.Name == "sync-3" {
			_, err = c.DeletePod(ctx, p)
			require.NoError(t, err)
		}
	}
	for _, p := range list() {
		assert.Equal(t, p.Name == "sync-3", p.Deleting)
		assert.False(t, p.Deleting && p.Ready, "a Pod that is about to go is not ready")
	}
}

// kubelet answers for logs only, as the one of a node does.
func kubelet(t *testing.T, a *apiserver, answers map[string]string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, known := answers[strings.TrimPrefix(r.URL.Path, "/containerLogs"+inPlatform[len("/namespaces"):]+"/")]
		if !known {
			http.Error(w, "no such log", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	n := node("127.0.0.1", "True")
	n["status"].(object)["daemonEndpoints"] = object{"kubeletEndpoint": object{"Port": number}}
	apply(t, a, n)
}

func logs(t *testing.T, a *apiserver, c *kube.Client) {
	marker := "Start Sync update"
	long := strings.Repeat("x", 200<<10)
	kubelet(t, a, map[string]string{
		"log-found/app":  "begin\n" + long + "\nI0101 START SYNC UPDATE now\n" + long,
		"log-absent/app": "begin\nstart sync\nupdate\n",
		"log-late/app":   long + marker + "\nend\n", // beyond what is searched of a line
		"log-empty/app":  "",
	})
	two := labelledPod("log-two", "127.0.0.1", "True")
	two["spec"].(object)["containers"] = []object{{"name": "proxy", "image": "example.com/p"}, {"name": "app", "image": "example.com/a"}}
	apply(t, a, labelledPod("log-found", "127.0.0.1", "True"), labelledPod("log-absent", "127.0.0.1", "True"),
		labelledPod("log-late", "127.0.0.1", "True"), labelledPod("log-empty", "127.0.0.1", "True"), labelledPod("log-unscheduled", "", "False"),
		labelledPod("log-broken", "127.0.0.1", "True"), two)
	at := func(name string) kube.Pod {
		pods, err := c.Pods(t.Context(), platform.Namespace, "app=etcd-sync")
		require.NoError(t, err)
		for _, p := range pods {
			if p.Name == name {
				return p
			}
		}
		return kube.Pod{Namespace: platform.Namespace, Name: name, Containers: []string{"app"}}
	}
	for name, want := range map[string]bool{
		"log-found": true, "log-absent": false, "log-late": false, "log-empty": false, "log-unscheduled": false, "log-gone": false,
	} {
		found, err := c.LogHas(t.Context(), at(name), marker)
		require.NoError(t, err, name)
		assert.Equal(t, want, found, name)
	}
	_, err := c.LogHas(t.Context(), at("log-broken"), marker)
	require.Error(t, err, "a log that can't be read is not one without the line")
	kubelet(t, a, map[string]string{"log-two/proxy": "nothing", "log-two/app": marker})
	found, err := c.LogHas(t.Context(), at("log-two"), marker)
	require.NoError(t, err)
	assert.True(t, found, "every container is searched")
}

func lease(t *testing.T, a *apiserver, c *kube.Client) {
	_, found, err := c.Lease(t.Context(), platform.Namespace, "etcd-sync-mirror")
	require.NoError(t, err)
	assert.False(t, found)
	apply(t, a, object{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": object{"name": "etcd-sync-mirror", "namespace": platform.Namespace},
		"spec": object{"holderIdentity": "sync-2", "renewTime": "2026-11-26T01:02:03.000004Z", "leaseDurationSeconds": 15}})
	got, found, err := c.Lease(t.Context(), platform.Namespace, "etcd-sync-mirror")
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, kube.LeaseState{Holder: "sync-2", Renewed: time.Date(2026, 11, 26, 1, 2, 3, 4000, time.UTC), Duration: 15 * time.Second}, got)
}

func job(t *testing.T, a *apiserver, c *kube.Client) {
	read := func(name string) (kube.JobState, bool) {
		got, found, err := c.Job(t.Context(), platform.Namespace, name)
		require.NoError(t, err)
		return got, found
	}
	_, found := read("etcd-sync-bootstrap")
	assert.False(t, found)
	make := func(name string, status object) object {
		return object{"apiVersion": "batch/v1", "kind": "Job", "metadata": object{"name": name, "namespace": platform.Namespace},
			"spec": object{"template": object{"spec": object{"restartPolicy": "Never", "containers": []object{{"name": "a", "image": "example.com/a"}}}}}, "status": status}
	}
	start := object{"startTime": "2026-11-26T01:00:00Z"}
	apply(t, a, make("runs", start))
	got, found := read("runs")
	assert.True(t, found)
	assert.Equal(t, kube.JobState{}, got)
	apply(t, a, make("done", object{"startTime": "2026-11-26T01:00:00Z", "completionTime": "2026-11-26T01:01:00Z", "succeeded": 1, "conditions": []object{
		{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}}}))
	got, _ = read("done")
	assert.Equal(t, kube.JobState{Complete: true}, got)
	apply(t, a, make("failed", object{"startTime": "2026-11-26T01:00:00Z", "failed": 1, "conditions": []object{
		{"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"},
		{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "no token"}}}))
	got, _ = read("failed")
	assert.Equal(t, kube.JobState{Failed: true, Message: "BackoffLimitExceeded no token"}, got)
}

func deployment(t *testing.T, a *apiserver, c *kube.Client) {
	make := func(replicas int, status object) object {
		return object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": "etcd-sync", "namespace": platform.Namespace},
			"spec": object{"replicas": replicas, "selector": object{"matchLabels": object{"app": "etcd-sync"}},
				"template": object{"metadata": object{"labels": object{"app": "etcd-sync"}}, "spec": object{"containers": []object{{"name": "a", "image": "example.com/a"}}}}},
			"status": status}
	}
	_, found, err := c.Deployment(t.Context(), platform.Namespace, "etcd-sync")
	require.NoError(t, err)
	assert.False(t, found)
	full := object{"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
	for name, want := range map[string]kube.DeploymentState{
		"partial": {Wanted: 2, Ready: 1},
		"full":    {Wanted: 2, Ready: 2, Done: true},
	} {
		status := object{"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 1, "availableReplicas": 1}
		if name == "full" {
			status = full
		}
		apply(t, a, make(2, status))
		got, found, err := c.Deployment(t.Context(), platform.Namespace, "etcd-sync")
		require.NoError(t, err)
		assert.True(t, found)
		assert.Equal(t, want, got, name)
	}
}

func service(t *testing.T, a *apiserver, c *kube.Client) {
	make := func(name, ip string) object {
		spec := object{"ports": []object{{"port": 80}}, "selector": object{"app": "etcd-sync"}}
		if ip != "" {
			spec["clusterIP"] = ip
		}
		return object{"apiVersion": "v1", "kind": "Service", "metadata": object{"name": name, "namespace": platform.Namespace}, "spec": spec}
	}
	_, found, err := c.ServiceIP(t.Context(), platform.Namespace, "etcd-sync-monitor")
	require.NoError(t, err)
	assert.False(t, found)
	apply(t, a, make("etcd-sync-monitor", "10.4.7.7"), make("headless", "None"))
	ip, found, err := c.ServiceIP(t.Context(), platform.Namespace, "etcd-sync-monitor")
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, "10.4.7.7", ip)
	_, _, err = c.ServiceIP(t.Context(), platform.Namespace, "headless")
	assert.Equal(t, fault.Protocol, fault.ClassOf(err))
}

// certManager is as much of cert-manager's definitions as the tests need.
func certManager(kind, plural string) object {
	return object{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": object{"name": plural + ".cert-manager.io"},
		"spec": object{"group": "cert-manager.io", "scope": "Namespaced", "names": object{"kind": kind, "plural": plural},
			"versions": []object{{"name": "v1", "served": true, "storage": true, "subresources": object{"status": object{}},
				"schema": object{"openAPIV3Schema": object{"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}}
}

func lacking(t *testing.T, a *apiserver, c *kube.Client) {
	want := kube.Wanted{Namespace: platform.Namespace, Secrets: []string{"remote-etcd-ca", "remote-etcd-client"},
		Issuers: []string{"remote-etcd-issuer"}, Certificates: []string{"remote-etcd-client"}}
	lacks := func() []string {
		got, err := c.Lacking(t.Context(), want)
		require.NoError(t, err)
		return got
	}
	all := []string{"certificate remote-etcd-client", "issuer remote-etcd-issuer", "secret remote-etcd-ca", "secret remote-etcd-client"}
	assert.Equal(t, all, lacks(), "not even the kinds are there")
	apply(t, a, certManager("Issuer", "issuers"), certManager("Certificate", "certificates"))
	assert.Equal(t, all, lacks())
	made := func(kind, name, ready string) object {
		return object{"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": object{"name": name, "namespace": platform.Namespace},
			"spec": object{}, "status": object{"conditions": []object{{"type": "Ready", "status": ready, "reason": "Issuing", "message": "wait"}}}}
	}
	value := func(name, data string) object {
		return object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": name, "namespace": platform.Namespace}, "stringData": object{"tls.crt": data}}
	}
	apply(t, a, made("Issuer", "remote-etcd-issuer", "True"), made("Certificate", "remote-etcd-client", "False"), value("remote-etcd-ca", "x"),
		object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": "remote-etcd-client", "namespace": platform.Namespace}})
	assert.Equal(t, []string{"certificate remote-etcd-client: Issuing wait", "secret remote-etcd-client"}, lacks())
	apply(t, a, made("Certificate", "remote-etcd-client", "True"), value("remote-etcd-client", "x"))
	assert.Empty(t, lacks())
}

func pluginVersion(t *testing.T, a *apiserver, c *kube.Client) {
	ctx := t.Context()
	apply(t, a, platform.Definitions()...)
	eventually(t, 2*time.Minute, func(ctx context.Context) error { _, err := c.Published(ctx, "etcd-sync"); return err })
	none, err := c.Published(ctx, "etcd-sync")
	require.NoError(t, err)
	assert.Empty(t, none, "not published is no error")

	labels := object{"cpaas.io/module-name": "etcd-sync", "cpaas.io/module-type": "plugin"}
	config := func(ver string) object {
		return object{"apiVersion": "cluster.alauda.io/v1alpha1", "kind": "ModuleConfig", "metadata": object{"name": "etcd-sync-" + ver, "labels": labels},
			"spec": object{"version": ver, "config": object{"syncInterval": "60s"}}}
	}
	apply(t, a, config("v4.1.0"), config("v4.1.10"))
	none, err = c.Published(ctx, "etcd-sync")
	require.NoError(t, err)
	assert.Empty(t, none, "without a ModulePlugin it can't be installed")
	apply(t, a, object{"apiVersion": "cluster.alauda.io/v1alpha1", "kind": "ModulePlugin", "metadata": object{"name": "etcd-sync", "labels": labels}, "spec": object{}}, config("v4.1.9"))
	got, err := c.Published(ctx, "etcd-sync")
	require.NoError(t, err)
	require.Len(t, got, 3)
	assert.Equal(t, []string{"v4.1.10", "v4.1.9", "v4.1.0"}, []string{got[0].Version, got[1].Version, got[2].Version}, "newest first")
	assert.Equal(t, map[string]any{"syncInterval": "60s"}, got[0].Config)
	for latest, first := range map[string]string{"v4.1.9": "v4.1.9", "v4.1.11": "v4.1.10"} { // the second is not published (yet)
		apply(t, a, object{"apiVersion": "cluster.alauda.io/v1alpha1", "kind": "ModulePlugin", "metadata": object{"name": "etcd-sync", "labels": labels},
			"spec": object{}, "status": object{"latestVersion": latest}})
		got, err = c.Published(ctx, "etcd-sync")
		require.NoError(t, err)
		assert.Equal(t, first, got[0].Version, "the platform calls %s the latest", latest)
		assert.Len(t, got, 3)
	}

	choose := func() (string, map[string]any, error) {
		return "v4.1.9", map[string]any{"syncInterval": "60s", "more": "x"}, nil
	}
	_, found, err := c.Plugin(ctx, "etcd-sync")
	require.NoError(t, err)
	assert.False(t, found)
	_, err = c.EnsurePluginConfig(ctx, "etcd-sync", func() (string, map[string]any, error) { return "", nil, fmt.Errorf("no way") })
	require.ErrorContains(t, err, "no way")
	assert.Empty(t, moduleInfos(t, a))
	for _, want := range []bool{true, false} {
		state, err := c.EnsurePluginConfig(ctx, "etcd-sync", choose)
		require.NoError(t, err)
		assert.Equal(t, want, state.Created)
		assert.Equal(t, "v4.1.9", state.Version)
	}
	infos := moduleInfos(t, a)
	require.Len(t, infos, 1)
	assert.Equal(t, map[string]any{"syncInterval": "60s", "more": "x"}, infos[0]["spec"].(map[string]any)["config"])

	state, found, err := c.Plugin(ctx, "etcd-sync")
	require.NoError(t, err)
	assert.True(t, found)
	require.NoError(t, c.RemovePlugin(ctx, "etcd-sync", "another-uid"))
	assert.Len(t, moduleInfos(t, a), 1, "only what was seen")
	for range 2 {
		require.NoError(t, c.RemovePlugin(ctx, "etcd-sync", state.UID))
	}
	assert.Empty(t, moduleInfos(t, a))
}
