package safety

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

// warlock is what a workload cluster has of it.
func warlock(name string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"service_name": "warlock", "of": name}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}, Containers: []corev1.Container{{Name: "a", Image: "example.com/warlock"}}}},
	}}
	return d
}

// testWarlock: the pair's clusters play workload clusters, each reached by a
// kubeconfig.
func testWarlock(t *testing.T, r *rig) {
	kubeconfig := string(fetch(t, r.West.First, "/etc/kubernetes/admin.conf"))
	doc := r.doc
	doc.DR.Takeover.WorkloadClusters = nil
	add := func(name, text string) {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		doc.DR.Takeover.WorkloadClusters = append(doc.DR.Takeover.WorkloadClusters, site.WorkloadCluster{Name: name, Kubeconfig: site.Ref("file:" + path)})
	}
	server := func(text string) string {
		i := strings.Index(text, "server: ")
		return text[i+len("server: ") : i+strings.Index(text[i:], "\n")]
	}
	add("work", kubeconfig)
	add("bare", string(fetch(t, r.East.First, "/etc/kubernetes/admin.conf")))
	add("away", strings.Replace(kubeconfig, server(kubeconfig), "https://127.0.0.1:9", 1))
	add("runs", "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n"+
		"clusters: [{name: a, cluster: {server: 'https://127.0.0.1:9'}}]\nusers: [{name: a, user: {exec: {command: /bin/touch, args: [/tmp/ran], apiVersion: client.authentication.k8s.io/v1}}}]\n")
	add("wrong", "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n"+
		"clusters: [{name: a, cluster: {server: '"+server(kubeconfig)+"', "+strings.TrimSpace(line(kubeconfig, "certificate-authority-data"))+"}}]\nusers: [{name: a, user: {token: not-a-token-of-it}}]\n")
	a := &activities.Workloads{Hosts: r.hosts}
	in := func(name string) activities.WorkloadInput {
		return activities.WorkloadInput{Site: doc, Name: name, Settle: 5 * time.Minute}
	}

	bare, work := r.East.API, r.West.API // both come with one
	require.NoError(t, bare.AppsV1().Deployments("cpaas-system").Delete(t.Context(), "warlock", metav1.DeleteOptions{}))
	require.NoError(t, work.AppsV1().Deployments("cpaas-system").Delete(t.Context(), "warlock", metav1.DeleteOptions{}))
	labtest.Await(t, 4*time.Minute, "their warlock is gone", func() error {
		for _, name := range []string{"bare", "work"} {
			v, err := a.ListWarlock(t.Context(), in(name))
			if err != nil {
				return err
			}
			if v.Installed {
				return fmt.Errorf("%s: %s", name, v.Summary)
			}
		}
		return nil
	})
	none, err := a.ListWarlock(t.Context(), in("bare"))
	require.NoError(t, err)
	assert.False(t, none.Installed)
	assert.Equal(t, "warlock is not installed on bare", none.Summary)
	e, err := a.RestartWarlock(t.Context(), in("bare"))
	require.NoError(t, err)
	assert.Equal(t, "warlock has no Pod on bare", e.Summary)
	for name, class := range map[string]fault.Class{"away": fault.Unreachable, "runs": fault.BadInput, "wrong": fault.Auth, "unknown": fault.BadInput} {
		_, err := a.ListWarlock(t.Context(), in(name))
		assert.Equal(t, class, fault.ClassOf(err), "%s: %v", name, err)
		assert.NotContains(t, fmt.Sprint(err), "not-a-token-of-it")
		t.Logf("%v", err)
	}
	assert.NoFileExists(t, "/tmp/ran")

	apps, core := work.AppsV1(), work.CoreV1()
	_, err = core.Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "moved"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = apps.Deployments("cpaas-system").Create(t.Context(), warlock("warlock", 0), metav1.CreateOptions{})
	require.NoError(t, err)
	off, err := a.ListWarlock(t.Context(), in("work"))
	require.NoError(t, err)
	assert.False(t, off.Installed, "one that shall have no Pod is none")
	_, err = apps.DaemonSets("moved").Create(t.Context(), &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "warlock"}, Spec: appsv1.DaemonSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"service_name": "warlock"}},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"service_name": "warlock"}},
			Spec: corev1.PodSpec{NodeSelector: map[string]string{"no": "such"}, Containers: []corev1.Container{{Name: "a", Image: "example.com/warlock"}}}}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	empty, err := a.ListWarlock(t.Context(), in("work"))
	require.NoError(t, err)
	assert.True(t, empty.Installed)
	assert.Equal(t, "warlock is installed on work and has no Pod: see daemonset moved/warlock", empty.Summary)

	_, err = apps.Deployments("cpaas-system").Update(t.Context(), warlock("warlock", 2), metav1.UpdateOptions{})
	require.NoError(t, err)
	_, err = apps.Deployments("moved").Create(t.Context(), warlock("elsewhere", 1), metav1.CreateOptions{})
	require.NoError(t, err)
	restartWarlock(t, a, in("work"))
}

// restartWarlock restarts three Pods of two namespaces, once.
func restartWarlock(t *testing.T, a *activities.Workloads, in activities.WorkloadInput) {
	uids := func() (ready int, out map[string]bool, view activities.Warlock) {
		view, err := a.ListWarlock(t.Context(), in)
		require.NoError(t, err)
		out = map[string]bool{}
		for _, p := range view.Pods {
			if p.Ready {
				ready++
			}
			out[p.UID] = true
		}
		return ready, out, view
	}
	labtest.Await(t, 4*time.Minute, "warlock is ready", func() error {
		if ready, _, v := uids(); ready != 3 || len(v.Pods) != 3 {
			return fmt.Errorf("%d of %d", ready, len(v.Pods))
		}
		return nil
	})
	_, before, view := uids()
	in.Pods = view.Pods
	e, err := a.RestartWarlock(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, "work: warlock: 3 Pods restarted", e.Summary)
	ready, after, _ := uids()
	assert.Equal(t, 3, ready)
	for uid := range after {
		assert.False(t, before[uid])
	}
	_, err = a.RestartWarlock(t.Context(), in) // another attempt
	require.NoError(t, err)
	_, still, _ := uids()
	assert.Equal(t, after, still, "it deletes nothing that the first one made")

	late := in
	late.Settle, late.Pods = time.Millisecond, append(view.Pods, view.Pods[0]) // one more than there will ever be
	_, err = a.RestartWarlock(t.Context(), late)
	assert.Equal(t, fault.Stalled, fault.ClassOf(err), "%v", err)
}

// line is the line of a text that has the word.
func line(text, word string) string {
	for l := range strings.Lines(text) {
		if strings.Contains(l, word) {
			return l
		}
	}
	return ""
}
