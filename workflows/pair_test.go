package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/etcd"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// pairWorld is a world with a pair in it: which sides are installed, and where
// the platform's name leads.
type pairWorld struct {
	*world
	installed map[string]activities.InstallState
	name      string // cluster
}

func newPairWorld(t *testing.T) *pairWorld {
	w := &pairWorld{world: newWorld(t), installed: map[string]activities.InstallState{}}
	w.ofPair()
	w.answer["CheckNodes"] = func() any { return w.reports() }
	w.answer["ObserveInstall"] = func() any { return w.installed[w.target] }
	w.answer["PointPlatform"] = func() any { w.name = w.target; return activities.Evidence{Summary: "points"} }
	w.answer["LookUpPlatform"] = func() any { return activities.PlatformAddress{Cluster: w.name, Agreed: true} }
	w.answer["Prove"] = func() any { return cleanProof() }
	return w
}

// reports are those of the side that is checked, all good.
func (w *pairWorld) reports() activities.NodeReports {
	doc := thePair()
	c, _ := doc.Cluster(w.target)
	var out activities.NodeReports
	for _, n := range c.Nodes {
		out.Nodes = append(out.Nodes, activities.NodeReport{Node: n.Name, Tally: checks.Tally{Pass: 1}, Facts: activities.NodeFacts{Node: n.Name, Machine: "x86_64"}})
	}
	return out
}

func cleanProof() etcd.Proof {
	at := etcd.Position{ClusterID: "1", Revision: 7}
	return etcd.Proof{Mode: etcd.Full, Primary: at, Standby: at, Compared: 100}
}

func (w *pairWorld) has(cluster string, synchronizer bool) {
	w.installed[cluster] = activities.InstallState{Cluster: cluster, Installed: true, UID: "uid-" + cluster, Synchronizer: synchronizer, Summary: cluster + " is installed"}
}

func (w *pairWorld) run(r workflows.Request) error { return w.runBook(workflows.InstallPairName, r) }

// key leaves out what belongs to one side's install, but its first and last call.
func (w *pairWorld) key() []string {
	var out []string
	for _, call := range w.meant() {
		name, _, _ := strings.Cut(call, " ")
		switch name {
		case "CheckParameters", "PointPlatform", "RecordContract", "CopyKeys", "RemoveKeys", "CompareKeys", "Prove", "ConfigureInstaller", "UploadPackage", "RestoreTemporary":
			out = append(out, call)
		}
	}
	return out
}

func TestInstallPairRunsInOrder(t *testing.T) {
	w := newPairWorld(t)
	require.NoError(t, w.run(request))
	calls := w.key()
	want := []string{"CheckParameters", "PointPlatform west", "UploadPackage", "ConfigureInstaller west", "RestoreTemporary west",
		"RecordContract west", "PointPlatform east", "CopyKeys", "UploadPackage", "ConfigureInstaller east", "RestoreTemporary east",
		"RecordContract east", "PointPlatform west", "CompareKeys"}
	require.GreaterOrEqual(t, len(calls), len(want))
	assert.Equal(t, want, calls[:len(want)])
	assert.Equal(t, "Prove", calls[len(calls)-1])
	assert.Equal(t, "west", w.name)
	p := w.status()
	assert.Equal(t, workflows.Succeeded, p.Outcome)
	finished, total := p.Counts()
	assert.Equal(t, total, finished)
}

// stepIDs lists a plan's steps, without those of EnableSync, which has tests of its own.
func TestInstallPairPlan(t *testing.T) {
	plan, err := workflows.PlanOf(workflows.InstallPairBook, site.Snapshot{Name: "lab", Site: thePair()}, "east")
	require.NoError(t, err)
	ids := map[string]workflows.StepInfo{}
	for _, s := range plan.Steps {
		ids[s.ID] = s
	}
	assert.Equal(t, []string{"diff <(acpflow installer-config --site lab.yaml --cluster east) <(acpflow installer-config --site lab.yaml --cluster west)"},
		ids["pair.01-contract-parameters"].Calls)
	assert.Contains(t, ids, "east.execute.02-upload")
	assert.Contains(t, ids, "west.verify.05-platform-url")
	assert.Contains(t, ids["pair.03-point-dns-to-primary"].Title, "leads to east")
	assert.True(t, ids["pair.05-point-dns-to-standby"].Always)
	assert.True(t, ids["pair.06-copy-encryption-key"].Reversible)
	assert.Less(t, slices.IndexFunc(plan.Steps, named("pair.06-copy-encryption-key")), slices.IndexFunc(plan.Steps, named("west.prepare.01-check-nodes")),
		"the key is there before the standby is installed (DR-21)")
}

func named(id string) func(workflows.StepInfo) bool {
	return func(s workflows.StepInfo) bool { return s.ID == id }
}

// One case per failing step: nothing after it runs, and an abort takes back what
// it may. The platform's name always goes back to the primary.
func TestInstallPairParksAndUndoes(t *testing.T) {
	upload, extract, setup := "RemoveUploadedPackage", "RemoveExtractedPackage", "RemoveInstaller"
	cases := []struct {
		broken string
		side   string // fails on this side only; "" = at once
		step   string
		next   string // must not have run
		undone []string
	}{
		{"CheckParameters", "", "pair.01-contract-parameters", "ObserveInstall west", nil},
		{"ObserveInstall", "", "pair.02-observe", "PointPlatform west", nil},
		{"PointPlatform", "", "pair.03-point-dns-to-primary", "CheckNodes west", nil},
		{"RunSetup", "", "west.execute.05-setup", "RecordContract west", []string{setup, extract, upload}},
		{"WatchInstaller", "", "west.execute.08-progress", "RecordContract west", nil},
		{"RecordContract", "", "pair.04-record-contract", "PointPlatform east", nil},
		{"CopyKeys", "", "pair.06-copy-encryption-key", "CheckNodes east", []string{"PointPlatform west", "RemoveKeys"}},
		{"CheckNodes", "east", "east.prepare.01-check-nodes", "ConfigureInstaller east", []string{"PointPlatform west", "RemoveKeys"}},
		{"UploadPackage", "east", "east.execute.02-upload", "ConfigureInstaller east", []string{"PointPlatform west", upload, "RemoveKeys"}},
		{"ConfigureInstaller", "east", "east.execute.07-configure", "WatchInstaller east", []string{"PointPlatform west"}},
		{"WatchInstaller", "east", "east.execute.08-progress", "CheckNodesReady east", []string{"PointPlatform west"}},
		{"CheckPods", "east", "east.verify.04-pods", "RecordContract east", []string{"PointPlatform west"}},
		{"RecordContract", "east", "pair.07-record-contract", "CompareKeys", []string{"PointPlatform west"}},
		{"CompareKeys", "", "pair.09-compare-encryption-keys", "Prove", []string{"PointPlatform west"}},
	}
	for _, c := range cases {
		t.Run(c.step, func(t *testing.T) {
			w := newPairWorld(t)
			if c.side == "" {
				w.breaks(c.broken, fault.Conflict)
			} else { // the primary is done by then
				w.during["CopyKeys"] = func() { w.fail[c.broken] = permanent(c.broken, fault.Conflict) }
			}
			w.after(time.Hour, func() {
				p := w.status()
				require.NotNil(t, p.Gate)
				assert.Equal(t, c.step, p.Gate.Step)
				assert.NotContains(t, w.meant(), c.next)
				before := len(w.meant())
				w.decide(workflows.Decision{Step: c.step, Action: workflows.Abort, By: "ops", Reason: "test"})
				w.after(time.Minute, func() {
					assert.Equal(t, c.undone, slices.Clone(w.meant()[before:]))
				})
			})
			err := w.run(request)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			assert.Equal(t, workflows.ErrAborted, app.Type())
			assert.NotContains(t, w.meant(), c.next)
			if slices.Contains(w.meant(), "PointPlatform east") {
				assert.Equal(t, "west", w.name, "the name must lead to the primary again")
			}
		})
	}
}

func TestInstallPairCancelledPointsBack(t *testing.T) {
	w := newPairWorld(t)
	w.during["CopyKeys"] = func() { w.fail["WatchInstaller"] = permanent("WatchInstaller", fault.Stalled) }
	w.after(time.Hour, w.env.CancelWorkflow)
	err := w.run(request)
	assert.True(t, temporal.IsCanceledError(err), "%v", err)
	assert.Equal(t, "west", w.name)
}

// A run after an abort installs only what is missing.
func TestInstallPairGoesOnWithAnInstalledPrimary(t *testing.T) {
	w := newPairWorld(t)
	w.has("west", false)
	require.NoError(t, w.run(request))
	assert.NotContains(t, w.meant(), "ConfigureInstaller west")
	assert.Contains(t, w.meant(), "ConfigureInstaller east")
	assert.Contains(t, w.meant(), "RecordContract west")
	p := w.status()
	for _, s := range p.Steps {
		if strings.HasPrefix(s.ID, "west.") {
			assert.Equal(t, workflows.Done, s.State, s.ID)
			assert.Equal(t, "not needed: west is installed and healthy", s.Evidence.Summary)
		}
	}
}

// The standby is never served to users because of a run that finds it installed.
func TestInstallPairLeavesTheNameAloneWhenBothAreInstalled(t *testing.T) {
	w := newPairWorld(t)
	w.has("west", false)
	w.has("east", true)
	w.name = "west"
	require.NoError(t, w.run(request))
	assert.NotContains(t, w.meant(), "PointPlatform east")
	assert.False(t, w.called("CopyKeys"))
	assert.False(t, w.called("UploadPackage"))
	assert.True(t, w.called("CompareKeys"))
	assert.True(t, w.called("Prove"))
}

// After a failover the old primary may look like one that is to be finished.
func TestInstallPairAsksBeforeItTurnsAFailoverBack(t *testing.T) {
	w := newPairWorld(t)
	w.has("west", false)
	w.has("east", false)
	w.name = "east"
	w.after(time.Hour, func() {
		p := w.status()
		require.NotNil(t, p.Gate)
		assert.Contains(t, p.Gate.Question, "east is the primary now")
		assert.False(t, w.called("PointPlatform"))
		w.decide(workflows.Decision{Step: p.Gate.Step, Action: workflows.Abort, By: "ops", Reason: "there was one"})
	})
	require.Error(t, w.run(request))
	assert.Equal(t, "east", w.name)
	assert.False(t, w.called("PointPlatform"))
}

func TestInstallPairRefusesWhatItCannotFinish(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*pairWorld)
		want    string
	}{
		"the primary is the standby": {func(w *pairWorld) { w.has("west", true); w.has("east", false) }, "west carries the synchronizer"},
		"only the other side":        {func(w *pairWorld) { w.has("east", false) }, "--cluster east"},
		"only the standby": {func(w *pairWorld) { w.has("east", true) },
			"west is bare and east is still its standby: make east the primary first (failover, DR-41, DR-42); nothing is to be installed yet"},
		"one cluster twice": {func(w *pairWorld) {
			w.has("west", false)
			w.has("east", false)
			w.installed["east"] = w.installed["west"]
		}, "the same cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPairWorld(t)
			c.prepare(w)
			r := request
			r.OnFailure = workflows.OnFailureAbort
			assert.ErrorContains(t, w.run(r), c.want)
			assert.False(t, w.called("PointPlatform"))
			assert.False(t, w.called("CheckNodes"))
		})
	}
}

// A run that was terminated, or lost its lease, leaves the name at a standby that
// is not whole. Nothing is more urgent than to say so.
func TestInstallPairSaysThatTheNameWasLeftAtTheStandby(t *testing.T) {
	const warning = "acp.example.com leads to east: point it at west first"
	for name, c := range map[string]struct {
		broken  string
		leads   string
		silent  bool // no name server answers
		want    string
		without string
	}{
		"left behind":    {broken: "east", leads: "east", want: warning},
		"as it shall be": {broken: "east", leads: "west", without: "leads to"},
		"a failover":     {broken: "west", leads: "east", without: "leads to"}, // east is whole
		"not known":      {broken: "east", silent: true, want: "Where acp.example.com leads is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPairWorld(t)
			w.has("west", false)
			w.has("east", false)
			w.name = c.leads
			w.answer["ObserveInstall"] = func() any {
				if w.target == c.broken {
					return permanent("ObserveInstall", fault.Gate)
				}
				return w.installed[w.target]
			}
			if c.silent {
				w.breaks("LookUpPlatform", fault.BadInput)
			}
			r := request
			r.OnFailure = workflows.OnFailureAbort
			err := w.run(r)
			require.ErrorContains(t, err, "ObserveInstall is broken")
			assert.ErrorContains(t, err, c.want)
			if c.without != "" {
				assert.NotContains(t, err.Error(), c.without)
			}
			assert.False(t, w.called("PointPlatform"))
		})
	}
}

func TestInstallPairIsNotDoneWhileTheSidesDiffer(t *testing.T) {
	w := newPairWorld(t)
	w.answer["Prove"] = func() any { p := cleanProof(); p.Missed = 1; return p }
	r := request
	r.OnFailure = workflows.OnFailureAbort
	err := w.run(r)
	assert.ErrorContains(t, err, "1 missed")
	assert.Equal(t, "west", w.name)
}
