// Package takeover_test shows that the lab is what a takeover needs: names that
// are looked up as in a real cluster, a log store that may refuse, the cluster
// behind the platform's name, workload clusters, and name servers that fail.
package takeover_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

const (
	platformNamespace = "cpaas-system"
	patience          = 2 * time.Minute
)

// rig is a pair that the cases share, one after another.
type rig struct {
	*testing.T
	*labtest.Pair
}

func TestTakeoverLab(t *testing.T) {
	p := labtest.InstallPairWith(t, lab.Options{Name: "t-lab5", Clusters: labtest.PairPlans(), Workloads: []string{"shop"}})
	for _, c := range []struct {
		name string
		run  func(*rig)
	}{
		{"lookup in a Pod", (*rig).lookupInAPod},
		{"stale CoreDNS", (*rig).staleCoreDNS},
		{"pinned CoreDNS", (*rig).pinnedCoreDNS},
		{"log store refuses", (*rig).logStoreRefuses},
		{"workload cluster", (*rig).workloadCluster},
		{"name servers", (*rig).nameServers},
		{"stale secondary", (*rig).staleSecondary},
		{"resolver keeps", (*rig).resolverKeeps},
		{"balancer reload", (*rig).balancerReload},
		{"Pods never ready", (*rig).podsNeverReady},
		{"Machines", (*rig).machines},
		{"API server restarts", (*rig).apiServerRestarts},
		{"cluster behind the name", (*rig).clusterBehindTheName},
	} {
		if !t.Run(c.name, func(t *testing.T) { c.run(&rig{t, p}) }) {
			return // the next case would find a lab that is not as it was
		}
	}
}

// vip of a cluster.
func (r *rig) vip(cluster string) string {
	for _, c := range r.Lab.Clusters() {
		if c.Name == cluster {
			return c.VIP
		}
	}
	require.FailNow(r, "no cluster", cluster)
	return ""
}

// inPod runs a command in the first Pod of sentry, as kubectl exec does.
func (r *rig) inPod(s *labtest.Side, command ...string) (string, error) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	pods, err := s.API.CoreV1().Pods(platformNamespace).List(ctx, metav1.ListOptions{LabelSelector: "app=sentry"})
	require.NoError(r, err)
	require.NotEmpty(r, pods.Items)
	request := s.API.CoreV1().RESTClient().Post().Resource("pods").Namespace(platformNamespace).Name(pods.Items[0].Name).
		SubResource("exec").VersionedParams(&corev1.PodExecOptions{Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(s.Config, "GET", request.URL().String())
	require.NoError(r, err)
	var out, errs bytes.Buffer // one for both would be written by two goroutines at once
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &errs})
	return out.String() + errs.String(), err
}

// restart deletes the Pods with a label and waits for ready successors.
func (r *rig) restart(s *labtest.Side, namespace, selector string) {
	r.Helper()
	pods := s.API.CoreV1().Pods(namespace)
	old, err := pods.List(r.Context(), metav1.ListOptions{LabelSelector: selector})
	require.NoError(r, err)
	require.NotEmpty(r, old.Items)
	was := map[string]bool{}
	for _, p := range old.Items {
		was[string(p.UID)] = true
		require.NoError(r, pods.Delete(r.Context(), p.Name, metav1.DeleteOptions{}))
	}
	require.Eventually(r, func() bool {
		now, err := pods.List(r.Context(), metav1.ListOptions{LabelSelector: selector})
		if err != nil || len(now.Items) != len(old.Items) {
			return false
		}
		for _, p := range now.Items {
			if was[string(p.UID)] || p.Status.Phase != corev1.PodRunning {
				return false
			}
		}
		return true
	}, patience, 200*time.Millisecond)
}

// eventually tries until it succeeds.
func (r *rig) eventually(what string, try func() error) {
	r.Helper()
	labtest.Await(r, patience, what, try)
}

// pointTo moves the platform's name, and back when the case ends.
func (r *rig) pointTo(cluster string) {
	r.Helper()
	require.NoError(r, r.Lab.PointPlatform(r.Context(), cluster))
	r.Cleanup(func() {
		require.NoError(r, r.Lab.PointPlatform(context.Background(), "west"))
		require.Eventually(r, func() bool { // the next case begins with empty caches
			out, err := r.East.First.Exec(context.Background(), "getent", "ahostsv4", lab.Domain)
			return err == nil && strings.HasPrefix(out, r.vip("west")+" ")
		}, patience, 200*time.Millisecond)
	})
}
