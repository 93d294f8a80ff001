package pair

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/test/lab/workload"
)

// orphans makes a cluster with Machines on the primary and waits until the
// standby's real garbage collector has taken the Machines, which came before their owner.
func (r *rig) orphans(t *testing.T, cluster string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	require.NoError(t, workload.AwaitCollector(ctx, r.East.Dynamic))
	require.NoError(t, workload.SeedCluster(ctx, r.West.Dynamic, cluster))
	labtest.Await(t, 3*time.Minute, "the owner is there and the Machines are not", func() error {
		if _, err := r.East.Dynamic.Resource(workload.Clusters).Get(ctx, cluster, metav1.GetOptions{}); err != nil {
			return err
		}
		for i := range workload.MachinesEach {
			machine := fmt.Sprintf("%s-%d", cluster, i+1)
			if _, err := r.East.Dynamic.Resource(workload.Machines).Get(ctx, machine, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				return fmt.Errorf("%s is there, or cannot be read: %w", machine, err)
			}
		}
		return nil
	})
}

// Objects that arrive before their owners are collected as garbage: the check
// has the Pod recreated, the documented way, and they are there.
func TestMissedKeysAreRepaired(t *testing.T) {
	r := built(t)
	r.seeded(t)
	mend := r.breaks(t, lab.SyncFaults{OwnerOrder: true})
	r.orphans(t, "orphaned")
	mend()
	v := r.Check(t, 0, "--full")
	assert.Equal(t, 1, v.Repairs, v.Summary)
	assert.Empty(t, pairs.Failing(v))
	_, err := r.East.Dynamic.Resource(workload.Machines).Get(t.Context(), "orphaned-1", metav1.GetOptions{})
	require.NoError(t, err)
}

// Where no repair is allowed, missed keys are told, and stay so until one is.
func TestMissedKeysAreToldWhereNoRepairIsAllowed(t *testing.T) {
	r := built(t)
	r.seeded(t)
	r.Edit(t, func(s *site.Site) { s.DR.Sync.Repairs = new(0) })
	mend := r.breaks(t, lab.SyncFaults{OwnerOrder: true})
	r.orphans(t, "lost")
	mend()
	v := r.Check(t, 1, "--full")
	assert.Zero(t, v.Repairs)
	assert.NotEmpty(t, v.Note)
	assert.Contains(t, pairs.Failing(v), pair.Equal)
	assert.Equal(t, workload.MachinesEach, v.Proof.Missed)
	r.Edit(t, func(s *site.Site) { s.DR.Sync.Repairs = new(1) })
	assert.Equal(t, 1, r.Check(t, 0, "--full").Repairs)
}

// Keys that only the standby has are never deleted and never repaired.
func TestSurplusKeysAreOnlyTold(t *testing.T) {
	r := built(t)
	r.seeded(t)
	extra := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "only-here"}}
	_, err := r.East.API.CoreV1().ConfigMaps(team).Create(t.Context(), extra, metav1.CreateOptions{})
	require.NoError(t, err)
	v := r.Check(t, 1, "--full")
	assert.Equal(t, 1, v.Proof.Surplus)
	assert.Zero(t, v.Repairs)
	assert.Contains(t, pairs.Failing(v), pair.Equal)
	assert.Contains(t, pairs.Failing(v), pair.VendorSay)
	_, err = r.East.API.CoreV1().ConfigMaps(team).Get(t.Context(), extra.Name, metav1.GetOptions{})
	require.NoError(t, err, "nobody deletes it")
	require.NoError(t, r.East.API.CoreV1().ConfigMaps(team).Delete(t.Context(), extra.Name, metav1.DeleteOptions{}))
	r.Clean(t)
}

// Stale values lie under a clean check of the vendor's: only the proof sees them.
func TestOnlyTheProofSeesStaleValues(t *testing.T) {
	r := built(t)
	r.seeded(t)
	r.write(t, "stale", "old")
	r.arrives(t, "stale", "old")
	mend := r.breaks(t, lab.SyncFaults{Stale: []string{"/registry/configmaps/" + team + "/stale"}})
	r.write(t, "stale", "new")
	r.write(t, "marker", "after it")
	r.arrives(t, "marker", "after it")
	v := r.Check(t, 1, "--full")
	assert.Equal(t, checks.Pass, pairs.Found(v, pair.VendorSay).Outcome, "%+v", pairs.Found(v, pair.VendorSay))
	assert.Equal(t, []string{pair.Equal}, pairs.Failing(v))
	assert.Equal(t, 1, v.Proof.Different)
	require.Len(t, v.Resources, 1)
	assert.Equal(t, "configmaps", v.Resources[0].Resource)
	assert.Zero(t, v.Repairs, "different values are never repaired")
	t.Run("the next, incremental check has not forgotten", func(t *testing.T) {
		assert.Contains(t, pairs.Failing(r.Check(t, 1)), pair.Equal)
	})
	mend()
	r.write(t, "stale", "newer")
	r.arrives(t, "stale", "newer")
	r.Clean(t)
}

// What the vendor's check says and acpflow does not understand is not good.
func TestUnknownCheckTextIsNotGood(t *testing.T) {
	r := built(t)
	r.breaks(t, lab.SyncFaults{CheckText: "everything is fine, trust me"})
	v := r.Check(t, 1)
	f := pairs.Found(v, pair.VendorSay)
	assert.Equal(t, checks.Error, f.Outcome, "%+v", f)
	assert.Contains(t, f.Seen+f.Reason, "trust me")
}

// A mirror that stops without a word keeps its last clean answer: the canary
// does not arrive, and the proof misses what was written since.
func TestAMirrorThatStoppedSilentlyIsSeen(t *testing.T) {
	r := built(t)
	r.seeded(t)
	r.Edit(t, func(s *site.Site) { s.DR.Sync.Repairs = new(0) }) // a new Pod would copy all once more
	mend := r.breaks(t, lab.SyncFaults{Stopped: true})
	r.write(t, "unseen", "x")
	v := r.Check(t, 1)
	assert.Equal(t, checks.Pass, pairs.Found(v, pair.VendorSay).Outcome, "the vendor's check sees nothing")
	assert.Contains(t, pairs.Failing(v), "CARD-10", "the canary")
	assert.Contains(t, pairs.Failing(v), pair.Equal, "the proof")
	mend()
	r.arrives(t, "unseen", "x")
	r.Clean(t)
}

// Slow is told with its seconds.
func TestLagIsMeasured(t *testing.T) {
	r := built(t)
	mend := r.breaks(t, lab.SyncFaults{LagSeconds: 15})
	v := r.Check(t, 1)
	assert.Contains(t, pairs.Failing(v), "CARD-10")
	mend()
	time.Sleep(16 * time.Second) // what is under way
	f := pairs.Found(r.Clean(t), "CARD-10")
	assert.Equal(t, checks.Pass, f.Outcome)
	assert.Regexp(t, `\d`, f.Seen)
}

// A dead primary: the check says when both sides were last equal.
func TestADeadPrimaryLeavesTheLedger(t *testing.T) {
	r := built(t)
	r.Clean(t)
	require.NoError(t, r.Lab.PowerOffCluster(t.Context(), west))
	t.Cleanup(func() { require.NoError(t, r.Lab.PowerOnCluster(context.WithoutCancel(t.Context()), west)) })
	v := r.Check(t, 1)
	require.NotNil(t, v.Known, v.Summary)
	assert.Positive(t, v.Known.Primary.Revision)
	assert.Contains(t, v.Summary, "both sides were last equal at")

	require.NoError(t, r.Lab.PowerOnCluster(t.Context(), west))
	labtest.Await(t, 3*time.Minute, "both sides are equal again", func() error {
		_, errs, code, err := harness.CLI(t.Context(), r.Server, "check", "--site", name)
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d %s", code, errs)
		}
		return err
	})
}
