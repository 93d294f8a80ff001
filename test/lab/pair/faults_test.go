package pair

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/test/lab/workload"
)

// order makes the synchronizer fail until the test ends.
func (r *rig) order(f lab.SyncFaults) {
	require.NoError(r, r.Lab.BreakSync(r.Context(), "east", f))
	r.Cleanup(func() { require.NoError(r, r.Lab.MendSync(context.Background(), "east")) })
}

// recreatePod deletes one Pod and waits until its successor has copied all.
func (r *rig) recreatePod() {
	old := r.pods()[0]
	require.NoError(r, r.East.API.CoreV1().Pods(platformNamespace).Delete(r.Context(), old.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &old.UID}}))
	labtest.Await(r, patience, "the Pod goes", func() error {
		for _, p := range r.pods() {
			if p.UID == old.UID {
				return fmt.Errorf("%s is there", p.Name)
			}
		}
		return nil
	})
	r.awaitLog("Start Sync update")
}

func (r *rig) writeWest(name, value string) {
	maps := r.West.API.CoreV1().ConfigMaps("team")
	o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"a": value}}
	_, err := maps.Create(r.Context(), o, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = maps.Update(r.Context(), o, metav1.UpdateOptions{})
	}
	require.NoError(r, err)
}

// readEast is the value in the east, "" while there is none.
func (r *rig) readEast(name string) string {
	o, err := r.East.API.CoreV1().ConfigMaps("team").Get(r.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return ""
	}
	require.NoError(r, err)
	return o.Data["a"]
}

func (r *rig) awaitEast(name, value string) {
	r.Helper()
	labtest.Await(r, patience, name, func() error {
		if got := r.readEast(name); got != value {
			return fmt.Errorf("it is %q in the east, want %q", got, value)
		}
		return nil
	})
}

// ownerOrder: the garbage collector takes what comes before its owner, and a
// new Pod brings it back.
func (r *rig) ownerOrder() {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Minute)
	defer cancel()
	require.NoError(r, workload.AwaitCollector(ctx, r.East.Dynamic))
	r.order(lab.SyncFaults{OwnerOrder: true})
	require.NoError(r, workload.SeedCluster(r.Context(), r.West.Dynamic, "orphaned"))
	var want strings.Builder
	fmt.Fprintf(&want, "LOCAL ETCD missed keys: %d\n", workload.MachinesEach)
	for i := range workload.MachinesEach {
		fmt.Fprintf(&want, "/registry/platform.tkestack.io/machines/orphaned-%d\n", i+1)
	}
	r.awaitCheck(want.String() + "LOCAL ETCD surplus keys: 0\n")
	r.recreatePod()
	r.awaitCheck(clean)
	machine, err := r.East.Dynamic.Resource(workload.Machines).Get(r.Context(), "orphaned-1", metav1.GetOptions{})
	require.NoError(r, err)
	owner, err := r.East.Dynamic.Resource(workload.Clusters).Get(r.Context(), "orphaned", metav1.GetOptions{})
	require.NoError(r, err)
	require.Equal(r, owner.GetUID(), machine.GetOwnerReferences()[0].UID)
}

func (r *rig) surplus() {
	const key = "/registry/configmaps/team/only-in-the-east"
	r.order(lab.SyncFaults{Surplus: []string{key}})
	r.recreatePod()
	r.awaitCheck("LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 1\n" + key + "\n")
	r.recreatePod()
	r.awaitCheck("LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 1\n" + key + "\n")
	require.NoError(r, r.Lab.MendSync(r.Context(), "east"))
	require.NoError(r, r.East.API.CoreV1().ConfigMaps("team").Delete(r.Context(), "only-in-the-east", metav1.DeleteOptions{}))
	r.awaitCheck(clean)
}

func (r *rig) stale() {
	r.writeWest("stale-1", "old")
	r.awaitEast("stale-1", "old")
	r.order(lab.SyncFaults{Stale: []string{"/registry/configmaps/team/stale-"}})
	r.writeWest("stale-1", "new")
	r.writeWest("stale-2", "created")
	r.writeWest("other", "marker") // comes after the change, so that has been seen
	r.awaitEast("other", "marker")
	r.awaitEast("stale-2", "created")
	require.Equal(r, "old", r.readEast("stale-1"))
	r.awaitCheck(clean)
	require.NoError(r, r.Lab.MendSync(r.Context(), "east"))
	r.recreatePod()
	r.awaitEast("stale-1", "new")
}

func (r *rig) checkText() {
	r.order(lab.SyncFaults{CheckText: "everything is fine, trust me"})
	r.awaitCheck("everything is fine, trust me")
}

func (r *rig) stopped() {
	r.awaitCheck(clean)
	r.order(lab.SyncFaults{Stopped: true})
	r.writeWest("unseen", "x")
	time.Sleep(3 * time.Second)
	require.Empty(r, r.readEast("unseen"))
	r.awaitCheck(clean)
	require.NoError(r, r.Lab.MendSync(r.Context(), "east"))
	r.awaitEast("unseen", "x")
}

func (r *rig) lag() {
	r.order(lab.SyncFaults{LagSeconds: 6})
	start := time.Now()
	r.writeWest("late", "x")
	r.awaitEast("late", "x")
	require.Greater(r, time.Since(start), 5*time.Second)
}

// awaitError waits until /check and the log of the Pod that should mirror tell
// a failure, and that Pod is not ready.
func (r *rig) awaitError(text string) {
	r.Helper()
	labtest.Await(r, patience, "the error "+text, func() error {
		answer, err := r.check()
		if err != nil {
			return err
		}
		if !strings.HasPrefix(answer, "error: ") || !strings.Contains(answer, text) {
			return fmt.Errorf("/check says %q", answer)
		}
		for _, p := range r.pods() {
			for _, c := range p.Status.Conditions {
				if c.Type == corev1.PodReady && c.Status == corev1.ConditionFalse {
					return nil
				}
			}
		}
		return errors.New("all Pods are ready")
	})
	r.awaitLog(text)
}

// etcdPort changes how the west's balancer treats port 2379: not at all, or
// as HTTP, and back.
func (r *rig) etcdPort() {
	balancer, err := r.Lab.Node("west-lb")
	require.NoError(r, err)
	const file = "/etc/haproxy/haproxy.cfg"
	_, err = balancer.Script(r.Context(), "cp "+file+" /root/before; sed -i 's/^listen west-2379$/&\\n\\tmode http/' "+file+"; systemctl restart haproxy")
	require.NoError(r, err)
	r.awaitError("HTTP response to HTTPS client")
	_, err = balancer.Script(r.Context(), "sed -i 's/bind .*:2379$/bind 127.0.0.1:2379/' "+file+"; systemctl restart haproxy")
	require.NoError(r, err)
	r.awaitError("connection refused")
	_, err = balancer.Script(r.Context(), "mv /root/before "+file+"; systemctl restart haproxy")
	require.NoError(r, err)
	r.awaitCheck(clean)
}

// cutOff: a primary out of reach is an error, and its return is no difference.
func (r *rig) cutOff() {
	require.NoError(r, r.Lab.Cut(r.Context(), "west"))
	r.Cleanup(func() { require.NoError(r, r.Lab.Rejoin(context.Background(), "west")) })
	r.awaitError("primary")
	require.NoError(r, r.Lab.Rejoin(r.Context(), "west"))
	r.writeWest("after", "the cut")
	r.awaitEast("after", "the cut")
	r.awaitCheck(clean)
}

func (r *rig) ownDomain() {
	require.NoError(r, r.Lab.PointPlatform(r.Context(), "east"))
	resolver := r.Lab.Describe().DNS.Resolver
	host, _, _ := strings.Cut(resolver, ":")
	labtest.Await(r, patience, "the cache forgets", func() error {
		out, err := r.East.First.Exec(r.Context(), "nslookup", r.Site.Platform.Address, host)
		if err == nil && !strings.Contains(out, r.East.Cluster.Endpoint.VIP) {
			err = fmt.Errorf("%s", out)
		}
		return err
	})
	old := r.pods()[0]
	require.NoError(r, r.East.API.CoreV1().Pods(platformNamespace).Delete(r.Context(), old.Name, metav1.DeleteOptions{}))
	r.awaitError("leads to this cluster itself")
	require.NoError(r, r.Lab.PointPlatform(r.Context(), "west"))
	r.awaitCheck(clean)
}

func (r *rig) faults() {
	r.Run("surplus keys", func(t *testing.T) { r.with(t).surplus() })
	r.Run("stale values", func(t *testing.T) { r.with(t).stale() })
	r.Run("an unknown answer of /check", func(t *testing.T) { r.with(t).checkText() })
	r.Run("it stops silently", func(t *testing.T) { r.with(t).stopped() })
	r.Run("it is late", func(t *testing.T) { r.with(t).lag() })
	r.Run("the balancer and port 2379", func(t *testing.T) { r.with(t).etcdPort() })
	r.Run("the primary's site is cut off", func(t *testing.T) { r.with(t).cutOff() })
	r.Run("the domain leads to the standby itself", func(t *testing.T) { r.with(t).ownDomain() })
	r.Run("owners come late", func(t *testing.T) { r.with(t).ownerOrder() })
}
