package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

func TestMissedKeysAreRepaired(t *testing.T) {
	w := newCheckWorld(t)
	w.vendor = []activities.CheckView{vendorSays(3, 0), vendorSays(0, 0)}
	w.proofs = []etcd.Proof{proven(3, 0, 0), proven(0, 0, 0)}
	v := w.check()
	assert.False(t, v.Blocking)
	assert.Equal(t, 1, v.Repairs)
	assert.Equal(t, 1, w.count("RecreateSyncPod"))
	assert.NotNil(t, v.Good)
	assert.Empty(t, v.Note)
}

func TestRepairsAreBounded(t *testing.T) {
	w := newCheckWorld(t)
	w.vendor, w.proofs = []activities.CheckView{vendorSays(3, 0)}, []etcd.Proof{proven(3, 0, 0)}
	v := w.check()
	assert.True(t, v.Blocking)
	assert.Equal(t, site.DefaultRepairs, v.Repairs)
	assert.Equal(t, site.DefaultRepairs, w.count("RecreateSyncPod"))
	assert.Contains(t, v.Summary, "3 keys are still missed: nothing more is repaired, a person must look")
	assert.Equal(t, workflows.ChecksFailed, w.status().Outcome)
	require.Len(t, w.written, site.DefaultRepairs+1)
	for i, in := range w.written { // each is counted before it is done
		assert.Nil(t, in.Good)
		assert.Equal(t, min(i+1, site.DefaultRepairs), in.Past.Repairs)
	}
	assert.Equal(t, "repairing", w.written[0].Past.Outcome)
	assert.Equal(t, "checks-failed", w.written[site.DefaultRepairs].Past.Outcome)
}

// What a repair could make worse is left to people.
func TestSurplusAndDifferentKeysAreNeverRepaired(t *testing.T) {
	none := 0
	for name, c := range map[string]struct {
		vendor activities.CheckView
		proof  etcd.Proof
		note   string
		most   *int
	}{
		"surplus, says the vendor":  {vendor: vendorSays(0, 2), proof: proven(0, 0, 0)},
		"surplus, says the proof":   {vendor: vendorSays(1, 0), proof: proven(1, 1, 0), note: "1 are surplus"},
		"different":                 {vendor: vendorSays(0, 0), proof: proven(0, 0, 4)},
		"missed and surplus":        {vendor: vendorSays(1, 2), proof: proven(1, 2, 0), note: "nothing is repaired, a person must look"},
		"missed and different":      {vendor: vendorSays(1, 0), proof: proven(1, 0, 2), note: "2 different"},
		"the site allows no repair": {vendor: vendorSays(1, 0), proof: proven(1, 0, 0), note: "dr.sync.repairs is 0", most: &none},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCheckWorld(t)
			w.doc.DR.Sync.Repairs = c.most
			w.vendor, w.proofs = []activities.CheckView{c.vendor}, []etcd.Proof{c.proof}
			v := w.check()
			assert.True(t, v.Blocking)
			assert.False(t, w.called("RecreateSyncPod"))
			assert.False(t, w.called("WaitFirstSync"))
			assert.Contains(t, v.Note, c.note)
		})
	}
}

// The vendor's check is of one moment; only the own proof waits until what moves
// has settled. Its word alone recreates no Pod.
func TestTheVendorsWordAloneRepairsNothing(t *testing.T) {
	for note, edit := range map[string]func(*checkWorld){
		"names 3 missed keys, but acpflow's own proof finds none":                  func(*checkWorld) {},
		"names 3 missed keys, but nothing is repaired without acpflow's own proof": func(w *checkWorld) { w.unread["proof"] = true },
	} {
		w := newCheckWorld(t)
		w.vendor = []activities.CheckView{vendorSays(3, 0)}
		edit(w)
		v := w.check()
		assert.True(t, v.Blocking)
		assert.False(t, w.called("RecreateSyncPod"))
		assert.Contains(t, v.Note, note)
	}
	w := newCheckWorld(t)
	w.proofs = []etcd.Proof{proven(3, 0, 0), proven(0, 0, 0)}
	assert.Equal(t, 1, w.check().Repairs, "the own proof alone does")
}

// A monitor's checks share one bound: it counts from the last good check.
func TestRepairsAreBoundedOverManyChecks(t *testing.T) {
	after := func(repairs int) *checkWorld {
		w := newCheckWorld(t)
		w.vendor, w.proofs = []activities.CheckView{vendorSays(3, 0)}, []etcd.Proof{proven(3, 0, 0)}
		w.sides["east"].Ledger.Value.Repairs = repairs
		return w
	}
	w := after(site.DefaultRepairs - 1)
	assert.Equal(t, 1, w.check().Repairs)
	assert.Equal(t, 1, w.written[0].Past.Repairs)

	w = after(site.DefaultRepairs)
	v := w.check()
	assert.Zero(t, v.Repairs)
	assert.False(t, w.called("RecreateSyncPod"))
	assert.Contains(t, v.Summary, "the ledger (configmap cpaas-system/acpflow-sync-ledger) counts 2 repairs since the last good check")

	w = after(0)
	w.breaks("RecordCheck", "Auth")
	v = w.check()
	assert.Contains(t, v.Note, "not repaired, because the ledger can't count it: RecordCheck is broken")
	assert.Zero(t, v.Repairs)
	assert.False(t, w.called("RecreateSyncPod"))

	w = after(0)
	w.sides["east"].Ledger = pair.Unknown[pair.Ledger]("forbidden")
	assert.Contains(t, w.check().Note, "nobody knows how often it was tried: ")
	assert.False(t, w.called("RecreateSyncPod"))
}

// A repair that can't start gives the site's lease back soon, and says why.
func TestARepairThatCannotStartHoldsNobodyUp(t *testing.T) {
	w := newCheckWorld(t)
	w.vendor, w.proofs = []activities.CheckView{vendorSays(3, 0)}, []etcd.Proof{proven(3, 0, 0)}
	w.breaks("WaitFirstSync", "Stalled")
	v := w.check()
	assert.Contains(t, v.Note, "not repaired: WaitFirstSync is broken")
	assert.Zero(t, v.Repairs)
	assert.False(t, w.called("RecreateSyncPod"))
	assert.Equal(t, workflows.ChecksFailed, w.status().Outcome)

	w = newCheckWorld(t)
	w.proofs = []etcd.Proof{proven(3, 0, 0), proven(0, 0, 0)}
	var waited []time.Duration
	input(w, "WaitFirstSync", func(in activities.SyncPodInput) any {
		waited = append(waited, in.Settle)
		return activities.SyncPod{Pod: kube.Pod{Name: "etcd-sync-1", UID: "u1"}, Seen: []string{"u1"}}
	})
	input(w, "RecreateSyncPod", func(in activities.RecreateInput) any {
		waited = append(waited, in.Settle)
		return activities.SyncPod{Pod: kube.Pod{Name: "etcd-sync-2"}}
	})
	w.check()
	require.Len(t, waited, 2)
	for _, d := range waited {
		assert.LessOrEqual(t, d, 5*time.Minute)
		assert.Positive(t, d)
	}
}

// While the signs contradict one another the "standby" may be in service: what
// users deleted there looks missed, and must not be copied back.
func TestNothingIsRepairedWhileTheRolesAreInDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*checkWorld)
		note string
	}{
		"the domain points at the carrier": {func(w *checkWorld) { w.named = "east" }, "the platform's domain points at east"},
		"the domain points at neither":     {func(w *checkWorld) { w.named = "" }, "tells neither side"},
		"the domain is not known":          {func(w *checkWorld) { w.unread["name"] = true }, "name is broken"},
		"the other side's plugin is not known": {func(w *checkWorld) { w.sides["west"].Plugin = pair.Unknown[pair.Plugin]("forbidden") },
			"whether west carries the synchronizer is not known: forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCheckWorld(t)
			w.vendor, w.proofs = []activities.CheckView{vendorSays(3, 0)}, []etcd.Proof{proven(3, 0, 0)}
			c.edit(w)
			v := w.check()
			assert.False(t, w.called("RecreateSyncPod"))
			assert.Zero(t, v.Repairs)
			assert.Contains(t, v.Note, "nothing is repaired while the roles are in doubt")
			assert.Contains(t, v.Summary, c.note)
		})
	}
}

// A run that changes the site may be changing the very thing.
func TestNothingIsRepairedWhileAnotherRunHoldsTheSite(t *testing.T) {
	w := newCheckWorld(t)
	w.vendor, w.proofs = []activities.CheckView{vendorSays(3, 0)}, []etcd.Proof{proven(3, 0, 0)}
	w.env.RegisterWorkflowWithOptions(func(ctx workflow.Context, r workflows.Request) (*workflows.Progress, error) {
		with := func(id string) workflow.Context {
			return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id})
		}
		lease := workflow.ExecuteChildWorkflow(with(workflows.LeaseID("lab")), workflows.SiteLeaseName, activities.LeaseHolder{Site: "lab"})
		if err := lease.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
			return nil, err
		}
		var p workflows.Progress
		err := workflow.ExecuteChildWorkflow(with("check/lab"), workflows.CheckSyncName, r).Get(ctx, &p)
		return &p, err
	}, workflow.RegisterOptions{Name: "Both"})
	require.NoError(t, w.runBook("Both", checkRequest))
	var p workflows.Progress
	require.NoError(t, w.env.GetWorkflowResult(&p))
	v := p.Sync
	assert.True(t, v.Blocking)
	assert.False(t, w.called("RecreateSyncPod"))
	assert.Zero(t, v.Repairs)
	assert.Contains(t, v.Note, "not repaired: site lab is being changed by Install of cluster west")
}
