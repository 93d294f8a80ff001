package safety

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/test/lab/workload"
)

// testAlone: the west is dead, and all that a failover looks at in the east works.
func testAlone(t *testing.T, r *rig) {
	require.NoError(t, r.Lab.PowerOffCluster(t.Context(), "west"))
	pool := ssh.NewPool() // nothing is open with the west any more
	t.Cleanup(pool.Close)
	r.hosts = &activities.Hosts{Pool: pool}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()

	c := &activities.Consistency{Hosts: r.hosts}
	look := func() activities.Owners {
		t.Helper()
		o, err := c.LookAtOwners(ctx, r.scope("east"))
		require.NoError(t, err)
		return o
	}
	clean := look()
	require.Zero(t, clean.Count, "%+v", clean)
	assert.Contains(t, clean.Summary, "every owner is there")
	// The garbage collector can't resolve a kind that nobody knows, so it leaves this alone.
	ghost := metav1.OwnerReference{APIVersion: "nowhere.example.com/v1", Kind: "Ghost", Name: "boss", UID: types.UID("00000000-0000-4000-8000-000000000001")}
	_, err := r.East.API.CoreV1().ConfigMaps(workload.Team(2)).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "dangles", OwnerReferences: []metav1.OwnerReference{ghost}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	found := look()
	assert.Equal(t, 1, found.Count)
	require.Len(t, found.Dangling, 1)
	assert.Equal(t, "/registry/configmaps/"+workload.Team(2)+"/dangles", found.Dangling[0].Key)
	assert.Contains(t, found.Tail, "without its owner Ghost boss")

	testMachines(ctx, t, r)

	e, err := r.safety().SnapshotEtcd(ctx, activities.SafetyInput{Scope: r.scope("east"), Run: "run-4", Label: "east"})
	require.NoError(t, err)
	assert.Contains(t, e.Summary, "a snapshot of etcd, revision")
	_, err = r.safety().CaptureDivergence(ctx, activities.DivergenceInput{PairInput: activities.PairInput{Site: r.doc, Primary: "east", Standby: "west"}, Run: "run-4"})
	require.Equal(t, fault.Unreachable, fault.ClassOf(err), "what is not there can't be captured: %v", err)
	_, err = c.LookAtOwners(ctx, r.scope("west"))
	require.Equal(t, fault.Unreachable, fault.ClassOf(err), "that it can't be told is no good sign")
	_, err = (&activities.Sides{Hosts: r.hosts}).CheckMachines(ctx, activities.MachinesInput{Scope: r.scope("west")})
	require.Error(t, err)
}

func testMachines(ctx context.Context, t *testing.T, r *rig) {
	sides := &activities.Sides{Hosts: r.hosts}
	look := func(before *activities.MachinesView) activities.MachinesView {
		t.Helper()
		v, err := sides.CheckMachines(ctx, activities.MachinesInput{Scope: r.scope("east"), Before: before})
		require.NoError(t, err)
		return v
	}
	machines := r.East.Dynamic.Resource(workload.Machines)
	first := look(nil)
	require.True(t, first.Clean(), "%+v", first)
	require.GreaterOrEqual(t, first.Total, seeded*workload.MachinesEach)
	require.True(t, look(&first).Clean())

	name := workload.Cluster(1) + "-1"
	_, err := machines.Patch(ctx, name, types.MergePatchType, []byte(`{"status":{"phase":"Failed"}}`), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	bad := look(&first)
	assert.False(t, bad.Clean())
	assert.Equal(t, []string{name + " Failed"}, bad.NotRunning)

	_, err = machines.Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/keep"]}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.NoError(t, machines.Delete(ctx, name, metav1.DeleteOptions{}))
	assert.Equal(t, []string{name}, look(&first).Deleting)
	_, err = machines.Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	assert.Equal(t, []string{name}, look(&first).Gone)
	require.NoError(t, workload.Seed(ctx, r.East.API, r.East.Dynamic, seeded))
	again := look(&first)
	assert.Equal(t, []string{name}, again.Gone, fmt.Sprintf("another object of that name: %+v", again))
	assert.True(t, look(&again).Clean())
}
