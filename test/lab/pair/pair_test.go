// Package pair tests the lab's pair: two clusters, and a synchronizer between
// them that mirrors for real and fails on demand.
package pair

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/acpflow/acpflow/test/lab/labtest"
)

const (
	platformNamespace = "cpaas-system"
	patience          = 4 * time.Minute // with anything that takes seconds on a machine of its own
)

var modules = schema.GroupVersionResource{Group: "cluster.alauda.io", Version: "v1alpha1", Resource: "moduleinfoes"}

// rig is the pair and what the tests do with it.
type rig struct {
	*testing.T
	*labtest.Pair
}

// clean is what /check says when there is nothing to say.
const clean = "LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0\n"

func TestPair(t *testing.T) {
	r := &rig{t, labtest.InstallPair(t, "t-sync")}
	r.installPlugin("v4.1.0", nil)
	r.awaitLog("Start Sync update")
	r.awaitCheck(clean)
	t.Run("what is written in the west is read in the east", func(t *testing.T) { r.with(t).mirrors() })
	t.Run("both sides hold the same", func(t *testing.T) { r.with(t).same() })
	t.Run("the services that a failover restarts", func(t *testing.T) { r.with(t).services() })
	r.faults()
	t.Run("removal", func(t *testing.T) { r.with(t).removePlugin() })
	t.Run("with a lease, as from 4.3.0", func(t *testing.T) { r.with(t).leaseWay() })
	t.Run("with a token, as from 4.3.1", func(t *testing.T) { r.with(t).tokenWay() })
}

func (r *rig) with(t *testing.T) *rig { return &rig{t, r.Pair} }

// installPlugin installs the synchronizer in the east.
func (r *rig) installPlugin(version string, config map[string]any) {
	if config == nil {
		config = map[string]any{}
	}
	_, err := r.East.Dynamic.Resource(modules).Create(r.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cluster.alauda.io/v1alpha1", "kind": "ModuleInfo",
		"metadata": map[string]any{"name": "temporary", "labels": map[string]any{
			"cpaas.io/cluster-name": "global", "cpaas.io/module-name": "etcd-sync", "cpaas.io/module-type": "plugin"}},
		"spec": map[string]any{"version": version, "config": config},
	}}, metav1.CreateOptions{})
	require.NoError(r, err)
	labtest.Await(r, patience, "the plugin runs", func() error {
		list, err := r.East.Dynamic.Resource(modules).List(r.Context(), metav1.ListOptions{LabelSelector: "cpaas.io/module-name=etcd-sync"})
		if err != nil {
			return err
		}
		for _, m := range list.Items {
			if phase, _, _ := unstructured.NestedString(m.Object, "status", "phase"); phase == "Running" {
				return nil
			}
		}
		return fmt.Errorf("%d ModuleInfos, none is Running", len(list.Items))
	})
}

// pods of the synchronizer that are not on their way out.
func (r *rig) pods() []corev1.Pod {
	list, err := r.East.API.CoreV1().Pods(platformNamespace).List(r.Context(), metav1.ListOptions{LabelSelector: "app=etcd-sync"})
	require.NoError(r, err)
	var out []corev1.Pod
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			out = append(out, p)
		}
	}
	return out
}

// logs of a Pod, by the API.
func (r *rig) logs(pod string) (string, error) {
	stream, err := r.East.API.CoreV1().Pods(platformNamespace).GetLogs(pod, &corev1.PodLogOptions{}).Stream(r.Context())
	if err != nil {
		return "", err
	}
	defer stream.Close()
	text, err := io.ReadAll(stream)
	return string(text), err
}

// awaitLog waits until the log of one of the Pods says something, and returns
// the Pod's name.
func (r *rig) awaitLog(text string) string {
	found := ""
	labtest.Await(r, patience, "the log says "+text, func() error {
		said := ""
		for _, p := range r.pods() {
			log, err := r.logs(p.Name)
			if err != nil {
				return err
			}
			if strings.Contains(log, text) {
				found = p.Name
				return nil
			}
			said += log
		}
		return fmt.Errorf("it says %q", said)
	})
	return found
}

// check is GET /check at the Service's address, from the node.
func (r *rig) check() (string, error) {
	service, err := r.East.API.CoreV1().Services(platformNamespace).Get(r.Context(), "etcd-sync-monitor", metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	answer, err := r.East.First.Exec(r.Context(), "bash", "-c", "exec 3<>/dev/tcp/"+service.Spec.ClusterIP+
		`/80 && printf 'GET /check HTTP/1.0\r\nHost: monitor\r\n\r\n' >&3 && cat <&3`)
	if err != nil {
		return "", err
	}
	_, body, _ := strings.Cut(answer, "\r\n\r\n")
	return body, nil
}

func (r *rig) awaitCheck(want string) {
	r.Helper()
	labtest.Await(r, patience, "/check", func() error {
		got, err := r.check()
		if err == nil && got != want {
			err = fmt.Errorf("it says %q, want %q", got, want)
		}
		return err
	})
}

// mirrors: objects and Secrets, changes and deletions, and nothing of the
// excluded namespaces.
func (r *rig) mirrors() {
	west, east := r.West.API.CoreV1(), r.East.API.CoreV1()
	_, err := west.Namespaces().Create(r.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}}, metav1.CreateOptions{})
	require.NoError(r, err)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "password"}, StringData: map[string]string{"a": "from the west"}}
	secret, err = west.Secrets("team").Create(r.Context(), secret, metav1.CreateOptions{})
	require.NoError(r, err)
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"a": "1"}}
	_, err = west.ConfigMaps("team").Create(r.Context(), settings, metav1.CreateOptions{})
	require.NoError(r, err)
	_, err = west.ConfigMaps(platformNamespace).Create(r.Context(), settings.DeepCopy(), metav1.CreateOptions{})
	require.NoError(r, err)

	labtest.Await(r, patience, "the Secret arrives", func() error {
		got, err := east.Secrets("team").Get(r.Context(), "password", metav1.GetOptions{})
		if err != nil {
			return err
		}
		require.Equal(r, secret.UID, got.UID)
		require.Equal(r, "from the west", string(got.Data["a"]))
		return nil
	})
	settings.Data["a"] = "2"
	_, err = west.ConfigMaps("team").Update(r.Context(), settings, metav1.UpdateOptions{})
	require.NoError(r, err)
	require.NoError(r, west.Secrets("team").Delete(r.Context(), "password", metav1.DeleteOptions{}))
	labtest.Await(r, patience, "the change and the deletion arrive", func() error {
		got, err := east.ConfigMaps("team").Get(r.Context(), "settings", metav1.GetOptions{})
		if err != nil {
			return err
		}
		_, err = east.Secrets("team").Get(r.Context(), "password", metav1.GetOptions{})
		if got.Data["a"] != "2" || err == nil {
			return fmt.Errorf("settings %v, the Secret is there: %v", got.Data, err == nil)
		}
		return nil
	})
	_, err = east.ConfigMaps(platformNamespace).Get(r.Context(), "settings", metav1.GetOptions{})
	require.Error(r, err, "an excluded namespace is not mirrored")
	r.awaitCheck(clean)
}

// services have Pods under the labels that the runbooks use (DR-34, DR-43).
func (r *rig) services() {
	for _, side := range []*labtest.Side{r.West, r.East} {
		for _, name := range []string{"cpaas-elasticsearch", "alertmanager", "vmselect", "vminsert", "cluster-transformer", "warlock"} {
			list, err := side.API.CoreV1().Pods(platformNamespace).List(r.Context(), metav1.ListOptions{LabelSelector: "service_name=" + name})
			require.NoError(r, err)
			require.NotEmpty(r, list.Items, "%s has no Pods of %s", side.Cluster.Name, name)
		}
		dns, err := side.API.AppsV1().Deployments("kube-system").Get(r.Context(), "coredns", metav1.GetOptions{})
		require.NoError(r, err)
		require.NotZero(r, dns.Status.ReadyReplicas)
	}
}
