package workflows_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

var enableEast = workflows.Request{Site: "lab", Cluster: "east", Change: "CHG-2"}

// syncWorld is a pair whose standby offers one version of the synchronizer.
func syncWorld(t *testing.T, version string) *world {
	w := newWorld(t).ofPair()
	w.sides = newTwoSides(version)
	return w
}

func (w *world) enable() error { return w.runBook(workflows.EnableSyncName, enableEast) }

// begun is what every run does before it changes anything.
var begun = []string{"LoadSite", "RecordPlan", "ReadPlugin", "ReadPlugin", "LookUpPlatform", "CompareKeys", "ReadPlugin"}

func TestEnableSyncInEveryWay(t *testing.T) {
	ports := []string{"LookAtPort", "OpenPort", "LookAtPort", "OpenPort"}
	rest := []string{"WaitFirstSync", "RecreateSyncPod", "FetchCheck", "Prove", "ListServices", "RestartServices"}
	for version, own := range map[string][]string{
		"v4.1.0": {"InstallPlugin"},
		"v4.2.9": {"InstallPlugin"},
		"v4.3.0": {"InstallPlugin"},
		"v4.3.1": {"CopyToken", "InstallPlugin", "WaitBootstrap"},
		"v4.4.0": {"CopyToken", "InstallPlugin", "WaitBootstrap"},
	} {
		t.Run(version, func(t *testing.T) {
			w := syncWorld(t, version)
			require.NoError(t, w.enable())
			want := append(append(append(append([]string{}, begun...), ports...), own...), rest...)
			assert.Equal(t, want, w.done())
			assert.Equal(t, map[string]bool{"west": true, "east": true}, w.sides.forwarded)
			p := w.status()
			assert.Equal(t, workflows.Succeeded, p.Outcome)
			assert.Equal(t, "east", p.Cluster)
			sides := p.Steps[0].Evidence.Facts
			assert.Equal(t, "uid-west", sides["uid.west"])
			assert.Equal(t, "uid-east", sides["uid.east"])
			way, err := syncplugin.WayOf(version)
			require.NoError(t, err)
			assert.Equal(t, string(way), p.Steps[2].Evidence.Facts["way"])
			assert.Equal(t, version, p.Steps[2].Evidence.Facts["version"])
			assert.Equal(t, "1234", p.Steps[10].Evidence.Facts["compared"])
			if way != syncplugin.WayToken {
				assert.Contains(t, p.Steps[5].Evidence.Summary, "not needed: etcd-sync "+version)
			}
		})
	}
}

// What is deleted is what was seen: the Pod and its UID go from step to step.
func TestEnableSyncNamesWhatItDeletes(t *testing.T) {
	w := syncWorld(t, "v4.3.0")
	require.NoError(t, w.enable())
	var recreate activities.RecreateInput
	require.NoError(t, json.Unmarshal(w.sides.inputs["RecreateSyncPod"], &recreate))
	assert.Equal(t, "pod-1", recreate.Pod.UID)
	assert.Equal(t, syncplugin.WayLease, recreate.Way)
	assert.Equal(t, "east", recreate.Cluster)
	var services activities.ServicesInput
	require.NoError(t, json.Unmarshal(w.sides.inputs["RestartServices"], &services))
	assert.Equal(t, "es-uid", services.Groups[0].Pods[0].UID)
	var install activities.InstallSyncInput
	require.NoError(t, json.Unmarshal(w.sides.inputs["InstallPlugin"], &install))
	assert.Equal(t, []string{"west", "east", "v4.3.0"}, []string{install.Primary, install.Standby, install.Version})
}

// A retry of the restarts deletes only what the first try saw.
func TestEnableSyncRestartsOnce(t *testing.T) {
	w := syncWorld(t, "v4.1.0")
	w.breaks("RestartServices", fault.Stalled)
	w.after(time.Hour, func() {
		w.mends("RestartServices")
		w.onInput("ListServices", func(json.RawMessage) any {
			return activities.ServicesView{Groups: []activities.ServiceGroup{{Name: "Elasticsearch", Pods: []kube.Pod{{Name: "es-0", UID: "successor"}}}, {Name: "VictoriaMetrics"}}}
		})
		w.decide(workflows.Decision{Step: "sync.12-services", Action: workflows.Retry, By: "ops"})
	})
	require.NoError(t, w.enable())
	var services activities.ServicesInput
	require.NoError(t, json.Unmarshal(w.sides.inputs["RestartServices"], &services))
	assert.Equal(t, []activities.ServiceGroup{{Name: "Elasticsearch", Again: true, Want: 1}, {Name: "VictoriaMetrics"}}, services.Groups)
}

// One case per failing step: nothing after it runs, and an abort undoes what
// was begun, last first.
func TestEnableSyncParksAtTheFailingStep(t *testing.T) {
	closed := []string{"ReadPlugin", "ClosePort", "ReadPlugin", "ClosePort"}
	untoken := append([]string{"ReadPlugin", "RemoveToken"}, closed...)
	all := append([]string{"RemovePlugin"}, untoken...)
	cases := []struct {
		broken, step, next string
		undone             []string
	}{
		{"ReadPlugin", "sync.01-sides", "LookUpPlatform", nil},
		{"LookUpPlatform", "sync.01-sides", "CompareKeys", nil},
		{"CompareKeys", "sync.02-keys", "LookAtPort", nil},
		{"LookAtPort", "sync.04-port-primary", "OpenPort", []string{"ReadPlugin"}},
		{"OpenPort", "sync.04-port-primary", "CopyToken", []string{"ReadPlugin", "ClosePort"}},
		{"CopyToken", "sync.06-token", "InstallPlugin", untoken},
		{"InstallPlugin", "sync.07-install", "WaitBootstrap", all},
		{"WaitBootstrap", "sync.08-bootstrap", "WaitFirstSync", all},
		{"WaitFirstSync", "sync.09-first-sync", "RecreateSyncPod", all},
		{"RecreateSyncPod", "sync.10-recreate", "FetchCheck", all},
		{"FetchCheck", "sync.11-consistent", "ListServices", all},
		{"Prove", "sync.11-consistent", "ListServices", all},
		{"ListServices", "sync.12-services", "RestartServices", all},
		{"RestartServices", "sync.12-services", "", all},
	}
	for _, c := range cases {
		t.Run(c.broken, func(t *testing.T) {
			w := syncWorld(t, "v4.3.1")
			w.breaks(c.broken, fault.Failed)
			before := 0
			w.after(time.Hour, func() {
				p := w.status()
				require.NotNil(t, p.Gate)
				assert.Equal(t, c.step, p.Gate.Step)
				assert.Contains(t, p.Gate.Error, c.broken+" is broken. Fix: mend it")
				assert.Equal(t, c.broken == "ListServices" || c.broken == "RestartServices", len(p.Gate.Actions) == 3, "only the restart may be skipped: %v", p.Gate.Actions)
				assert.False(t, w.called(c.next), "%s must not run after %s failed", c.next, c.broken)
				before = len(w.done())
				w.decide(workflows.Decision{Step: c.step, Action: workflows.Abort, By: "ops", Reason: "test"})
			})
			var app *temporal.ApplicationError
			require.ErrorAs(t, w.enable(), &app)
			assert.Equal(t, workflows.ErrAborted, app.Type())
			assert.Equal(t, append([]string{}, c.undone...), w.done()[before:])
			assert.False(t, w.called(c.next))
			assert.False(t, w.sides.forwarded["west"] || w.sides.forwarded["east"])
			assert.False(t, w.sides.plugins["east"].Installed)
		})
	}
}

// refusedFor is how a run ends before it changed anything.
func refusedFor(t *testing.T, w *world, step, says string) {
	t.Helper()
	request := enableEast
	request.OnFailure = workflows.OnFailureAbort
	err := w.runBook(workflows.EnableSyncName, request)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	assert.Contains(t, app.Error(), "at step "+step)
	assert.Contains(t, app.Error(), says)
	for _, changes := range []string{"OpenPort", "CopyToken", "InstallPlugin", "RecreateSyncPod", "ClosePort", "RemovePlugin", "RemoveToken", "RestartServices"} {
		assert.False(t, w.called(changes), "%s must not have run", changes)
	}
}

func TestEnableSyncRefusesTheWrongWay(t *testing.T) {
	address := func(a activities.PlatformAddress) func(*world) {
		return func(w *world) { w.answer["LookUpPlatform"] = func() any { return a } }
	}
	said := map[string][]string{"192.0.2.2": {"192.0.2.20"}}
	for name, c := range map[string]struct {
		change     func(*world)
		step, says string
	}{
		"one cluster under two names": {func(w *world) {
			v := w.sides.plugins["east"]
			v.UID = "uid-west"
			w.sides.plugins["east"] = v
		}, "sync.01-sides", "are one cluster"},
		"the primary copies already": {func(w *world) { w.sides.install("west", true) }, "sync.01-sides", "opposite directions"},
		"leftovers on the primary": {func(w *world) {
			v := w.sides.plugins["west"]
			v.Pods = []kube.Pod{{Name: "etcd-sync-old"}}
			w.sides.plugins["west"] = v
		}, "sync.01-sides", "Pod etcd-sync-old"},
		"the name leads to the standby": {address(activities.PlatformAddress{Cluster: "east", Agreed: true, Answers: said}), "sync.01-sides", "leads to east: 192.0.2.2 says 192.0.2.20"},
		"the name leads to neither":     {address(activities.PlatformAddress{Answers: said}), "sync.01-sides", "to neither cluster"},
		"a cache is behind": {address(activities.PlatformAddress{Cluster: "west", Answers: said, Silent: map[string]string{"192.0.2.3": "timed out"}}),
			"sync.01-sides", "192.0.2.3 gives no answer: timed out"},
		"an unknown version": {func(w *world) { *w.sides = *newTwoSides("v4.7.0") }, "sync.03-version", `etcd-sync "v4.7.0"`},
		"no version":         {func(w *world) { *w.sides = *newTwoSides("latest") }, "sync.03-version", "no version of the form"},
		"not published": {func(w *world) { w.sides.plugins["east"] = activities.PluginView{UID: "uid-east"} },
			"sync.03-version", "not published on east. Fix: upload the package of " + syncplugin.Display + " to east: acpflow push --site lab --cluster east --package FILE"},
		"a removed one that still runs": {func(w *world) {
			v := w.sides.plugins["east"]
			v.Pods = []kube.Pod{{Name: "etcd-sync-old"}}
			w.sides.plugins["east"] = v
		}, "sync.03-version", "remains of one that was removed"},
		"other keys": {func(w *world) { w.breaks("CompareKeys", fault.Gate) }, "sync.02-keys", "CompareKeys is broken"},
	} {
		t.Run(name, func(t *testing.T) {
			w := syncWorld(t, "v4.1.0")
			c.change(w)
			refusedFor(t, w, c.step, c.says)
		})
	}
}

// A synchronizer that was there before, and ports that were open, stay on an abort.
func TestEnableSyncLeavesWhatWasThere(t *testing.T) {
	w := syncWorld(t, "v4.1.0")
	w.sides.install("east", true)
	w.sides.forwarded = map[string]bool{"west": true, "east": true}
	w.breaks("RestartServices", fault.Stalled)
	request := enableEast
	request.OnFailure = workflows.OnFailureAbort
	require.Error(t, w.runBook(workflows.EnableSyncName, request))
	assert.True(t, w.sides.plugins["east"].Installed)
	assert.Equal(t, map[string]bool{"west": true, "east": true}, w.sides.forwarded)
	assert.False(t, w.called("RemovePlugin") || w.called("ClosePort"))
}

// Ports stay open, and the token stays, under a synchronizer that nobody could remove.
func TestEnableSyncKeepsWhatThatNeedsWhichStays(t *testing.T) {
	w := syncWorld(t, "v4.3.1")
	w.breaks("WaitFirstSync", fault.Stalled)
	w.breaks("RemovePlugin", fault.Gate)
	w.after(time.Hour, func() {
		w.decide(workflows.Decision{Step: "sync.09-first-sync", Action: workflows.Abort, By: "ops", Reason: "test"})
	})
	w.after(2*time.Hour, func() {
		p := w.status()
		require.NotNil(t, p.Gate)
		assert.True(t, p.Gate.Undo)
		assert.Equal(t, "sync.07-install", p.Gate.Step)
		w.decide(workflows.Decision{Step: p.Gate.Step, Action: workflows.Skip, By: "ops", Reason: "it may stay"})
	})
	require.Error(t, w.enable())
	assert.False(t, w.called("ClosePort") || w.called("RemoveToken"))
	assert.Equal(t, map[string]bool{"west": true, "east": true}, w.sides.forwarded)
	for _, i := range []int{3, 4, 5} {
		assert.Contains(t, w.status().Steps[i].Evidence.Summary, "the synchronizer is still on east")
	}
}

// Once the platform has said that it runs, no look at its Pods shows any more
// that it has copied nothing.
func TestEnableSyncAsksBeforeItRemovesWhatHasRun(t *testing.T) {
	for broken, fresh := range map[string]bool{"InstallPlugin": true, "WaitFirstSync": false, "RestartServices": false} {
		t.Run(broken, func(t *testing.T) {
			w := syncWorld(t, "v4.1.0")
			w.breaks(broken, fault.Stalled)
			request := enableEast
			request.OnFailure = workflows.OnFailureAbort
			require.Error(t, w.runBook(workflows.EnableSyncName, request))
			var in activities.RemoveSyncInput
			require.NoError(t, json.Unmarshal(w.sides.inputs["RemovePlugin"], &in))
			assert.Equal(t, fresh, in.Fresh)
			assert.False(t, in.Proven)
			assert.Equal(t, []string{"west", "east"}, []string{in.Primary, in.Cluster}, "a proof needs both sides")
		})
	}
}

// later gives one answer for a while and then another.
func later[T any](times int, first, then T) func() any {
	return func() any {
		if times--; times >= 0 {
			return first
		}
		return then
	}
}

var (
	cleanCheck  = checkView("LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0\n")
	missedCheck = checkView("LOCAL ETCD missed keys: 1\n/registry/a\nLOCAL ETCD surplus keys: 0\n")
)

// A copy that is on its way is waited for, without a repair.
func TestEnableSyncWaitsForTheCopy(t *testing.T) {
	w := syncWorld(t, "v4.1.0")
	w.answer["FetchCheck"] = later(5, missedCheck, cleanCheck)
	w.answer["Prove"] = later(2, proof(func(p *etcd.Proof) { p.Missed = 3 }), proof(func(*etcd.Proof) {}))
	require.NoError(t, w.enable())
	assert.Equal(t, "pod-1+", w.sides.copier, "recreated once, by its step")
	assert.Equal(t, "0", w.status().Steps[10].Evidence.Facts["repairs"])
}

// Keys that stay missed are mended as often as the site allows, then a person is asked.
func TestEnableSyncMendsMissedKeys(t *testing.T) {
	w := syncWorld(t, "v4.1.0")
	w.answer["FetchCheck"] = func() any {
		if w.sides.copier == "pod-1++" {
			return cleanCheck
		}
		return missedCheck
	}
	require.NoError(t, w.enable())
	assert.Equal(t, "pod-1++", w.sides.copier)
	assert.Equal(t, "1", w.status().Steps[10].Evidence.Facts["repairs"])
}

func TestEnableSyncGivesUpOnWhatStaysDifferent(t *testing.T) {
	for name, c := range map[string]struct {
		check  activities.CheckView
		proof  etcd.Proof
		copier string
		says   []string
	}{
		"missed": {missedCheck, etcd.Proof{}, "pod-1+++", []string{"1 missed keys", "/registry/a", "after 30m0s and 2 repairs"}},
		"surplus": {checkView("LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 2\n/registry/x\n/registry/y\n"), etcd.Proof{}, "pod-1+",
			[]string{"2 surplus keys", "/registry/x", "acpflow deletes none", "0 repairs"}},
		"not understood": {checkView("all good"), etcd.Proof{}, "pod-1+", []string{"not understood", `"all good"`, "takes for good only what it understands"}},
		"the etcds differ": {cleanCheck, proof(func(p *etcd.Proof) {
			p.Different, p.Resources = 1, []etcd.ResourceDiff{{Resource: "configmaps", Different: 1, Samples: []etcd.Sample{{Key: "/registry/configmaps/team/a", Kind: etcd.Different}}}}
		}), "pod-1+++", []string{"1 different", "different /registry/configmaps/team/a"}},
		"an owner is missing": {cleanCheck, proof(func(p *etcd.Proof) {
			p.Orphans, p.Dangling = 1, []etcd.Dangling{{Key: "/registry/x/y", OwnerKind: "Machine", OwnerName: "m"}}
		}), "pod-1+++", []string{"/registry/x/y is owned by Machine m"}},
		"only the standby has it": {cleanCheck, proof(func(p *etcd.Proof) { p.Surplus = 1 }), "pod-1+", []string{"1 surplus", "acpflow deletes none"}},
		"a proof of nothing":      {cleanCheck, etcd.Proof{}, "pod-1+", []string{"not alike"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := syncWorld(t, "v4.1.0")
			w.answer["FetchCheck"] = func() any { return c.check }
			w.answer["Prove"] = func() any { return c.proof }
			request := enableEast
			request.OnFailure = workflows.OnFailureAbort
			err := w.runBook(workflows.EnableSyncName, request)
			require.Error(t, err)
			for _, text := range append(c.says, "at step sync.11-consistent") {
				assert.Contains(t, err.Error(), text)
			}
			assert.Equal(t, c.copier, w.sides.copier)
			assert.False(t, w.called("RestartServices"))
		})
	}
}

// Keys that nobody deletes: a run that is retried again and again must not come to
// the 51,200 events at which the server ends it, undoing nothing.
func TestEnableSyncLooksABoundedNumberOfTimes(t *testing.T) {
	w := syncWorld(t, "v4.1.0")
	w.answer["FetchCheck"] = func() any {
		return checkView("LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 1\n/registry/x\n")
	}
	tries := 0
	for i := range 300 {
		w.after(time.Duration(i+1)*5*time.Minute, func() {
			if p := w.status(); p.Gate != nil && tries <= 20 {
				tries++
				action := workflows.Retry
				if tries > 20 {
					action = workflows.Abort
				}
				w.decide(workflows.Decision{Step: p.Gate.Step, Action: action, By: "ops", Reason: "test"})
			}
		})
	}
	require.Error(t, w.enable())
	assert.Equal(t, 21, tries)
	looks := 0
	for _, name := range w.done() {
		if name == "FetchCheck" {
			looks++
		}
	}
	assert.Less(t, looks, 300, "of some 11 events each")
	assert.Greater(t, looks, 60)
}

func TestEnableSyncPlanShowsTheVeryCalls(t *testing.T) {
	plan, err := workflows.PlanOf(workflows.EnableSyncBook, site.Snapshot{Name: "lab", Site: thePair()}, "east")
	require.NoError(t, err)
	var calls []string
	for _, s := range plan.Steps {
		calls = append(calls, s.Calls...)
	}
	text := strings.Join(calls, "\n")
	for _, want := range []string{"kubectl -n cpaas-system get secret k8sadmin   # on west", "etcd-sync-active-cluster-token   # on east", "active VIP 192.0.2.10",
		"/check", `grep -i "Start Sync update"`, "with its UID as precondition", "service_name=cpaas-elasticsearch", "encryption-provider.conf"} {
		assert.Contains(t, text, want)
	}
}
