package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// drillWorld is a healthy pair that may rehearse with a name of its own.
type drillWorld struct {
	*checkWorld
	name   string // the cluster that the canary leads to
	pages  []activities.PageInput
	writes []string
}

func newDrillWorld(t *testing.T) *drillWorld {
	w := &drillWorld{checkWorld: newCheckWorld(t)}
	w.doc.DR.Drill = &site.Drill{Canary: "acpflow-drill.example.com"}
	w.doc.DR.Sync.Canary = &site.Canary{Namespace: "acpflow-canary"} // which a drill writes nothing to
	w.on("IdentifySides", func() any {
		return activities.Identity{Evidence: activities.Evidence{Summary: "two clusters"}, Sides: map[string]activities.SideIdentity{
			"west": {UID: "uid-west", Reachable: true}, "east": {UID: "uid-east", Reachable: true, Synchronizer: true}}}
	})
	for _, name := range []string{"PointName", "RemoveName", "CheckPage"} {
		w.on(name, func() any { return activities.Evidence{Summary: name + " done"} })
	}
	input(w.checkWorld, "PointName", func(in activities.NameInput) any {
		assert.Equal(t, "acpflow-drill.example.com", in.Name)
		w.name = in.To
		w.writes = append(w.writes, "point "+in.Name+" at "+in.To)
		return activities.Evidence{Summary: "it leads there"}
	})
	input(w.checkWorld, "RemoveName", func(in activities.NameInput) any {
		w.name = ""
		w.writes = append(w.writes, "remove "+in.Name)
		return activities.Evidence{Summary: "it has no address"}
	})
	input(w.checkWorld, "CheckPage", func(in activities.PageInput) any {
		w.pages = append(w.pages, in)
		return activities.Evidence{Summary: "the page is right"}
	})
	return w
}

func (w *drillWorld) drill(r workflows.Request) error { return w.runBook(workflows.DrillName, r) }

// onlyCanary are all activities that a drill may use; those that write change
// nothing but the canary's name.
var onlyCanary = []string{"LoadSite", "ObservePair", "CompareSides", "JudgePair", "IdentifySides", "PointName", "CheckPage", "RemoveName"}

func TestDrillRehearsesAndLeavesNothing(t *testing.T) {
	w := newDrillWorld(t)
	require.NoError(t, w.drill(checkRequest))
	p := w.status()
	assert.Equal(t, workflows.Succeeded, p.Outcome)
	assert.Equal(t, []string{"point acpflow-drill.example.com at east", "remove acpflow-drill.example.com"}, w.writes)
	for _, name := range w.done() {
		assert.Contains(t, onlyCanary, name)
	}
	require.Len(t, w.pages, 1)
	assert.Equal(t, []string{"east", "uid-east", "acpflow-drill.example.com"}, []string{w.pages[0].To, w.pages[0].UID, w.pages[0].Canary})
	assert.True(t, w.pages[0].Drill, "the platform's name leads to the primary")
	assert.False(t, p.Sync.Blocking)
	assert.Nil(t, w.asked[0].Since, "from the first key on")
	require.Len(t, w.asked, 1, "both checks are one comparison")
	require.NotNil(t, p.Recovery)
	assert.Equal(t, []string{workflows.ModeDrill, "west", "east", "uid-west", "uid-east"},
		[]string{p.Recovery.Mode, p.Recovery.From, p.Recovery.To, p.Recovery.FromUID, p.Recovery.ToUID})
	plan := w.step("drill.07-plan").Evidence
	want, err := workflows.PlanOf(workflows.SwitchoverBook, site.Snapshot{Name: "lab", SHA256: "5111", Site: w.doc}, "east")
	require.NoError(t, err)
	assert.Equal(t, want.Digest(), plan.Facts["digest"], "the very plan of a switchover")
	assert.Equal(t, strings.Join(want.CriticalPath().Steps, " "), plan.Facts["criticalPath"])
}

// In a blackout window the run ends well, and has not even looked.
func TestDrillInABlackout(t *testing.T) {
	begun := time.Date(2026, 6, 5, 23, 30, 0, 0, time.UTC) // a Friday
	for name, c := range map[string]struct {
		window site.Blackout
		dark   bool
	}{
		"in it, over midnight": {site.Blackout{Days: []site.Day{"fri"}, From: "22:00", To: "06:00", Reason: "batch"}, true},
		"on another day":       {site.Blackout{Days: []site.Day{"sat"}, From: "22:00", To: "06:00", Reason: "batch"}, false},
		"in another zone":      {site.Blackout{From: "01:00", To: "02:00", Zone: "Europe/Berlin", Reason: "batch"}, true},
		"over":                 {site.Blackout{From: "22:00", To: "23:30", Reason: "batch"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDrillWorld(t)
			w.doc.DR.Drill.Blackout = []site.Blackout{c.window}
			w.env.SetStartTime(begun)
			require.NoError(t, w.drill(checkRequest))
			p := w.status()
			assert.Equal(t, workflows.Succeeded, p.Outcome)
			if !c.dark {
				assert.True(t, w.called("PointName"))
				return
			}
			assert.Equal(t, []string{"LoadSite"}, w.done())
			assert.Contains(t, p.Steps[0].Evidence.Summary, "no drill now, blackout "+c.window.From+" to "+c.window.To+": batch")
			for _, s := range p.Steps[1:] {
				assert.Equal(t, workflows.Done, s.State)
				assert.Contains(t, s.Evidence.Summary, "not needed: blackout", s.ID)
			}
		})
	}
}

// Whatever ends the drill, the canary is gone.
func TestDrillAlwaysRemovesTheCanary(t *testing.T) {
	for _, broken := range []string{"PointName", "CheckPage"} {
		t.Run(broken, func(t *testing.T) {
			w := newDrillWorld(t)
			w.breaks(broken, fault.Stalled)
			require.Error(t, w.drill(checkRequest))
			assert.Equal(t, workflows.Aborted, w.status().Outcome)
			assert.Equal(t, "remove acpflow-drill.example.com", w.writes[len(w.writes)-1])
			assert.Empty(t, w.name)
		})
	}
	t.Run("RemoveName", func(t *testing.T) { // its own step and the undo: a person must say that it may stay
		w := newDrillWorld(t)
		w.breaks("RemoveName", fault.Unreachable)
		w.after(time.Hour, func() {
			g := w.status().Gate
			require.NotNil(t, g)
			assert.True(t, g.Undo)
			assert.Equal(t, "drill.08-canary-name", g.Step)
			w.mends("RemoveName")
			w.decide(workflows.Decision{Step: g.Step, Action: workflows.Retry, By: "ops"})
		})
		require.Error(t, w.drill(checkRequest))
		assert.Empty(t, w.name)
	})
	t.Run("cancelled", func(t *testing.T) {
		w := newDrillWorld(t)
		w.during["CheckPage"] = w.env.CancelWorkflow
		require.Error(t, w.drill(checkRequest))
		assert.Empty(t, w.name)
		assert.Equal(t, workflows.Cancelled, w.status().Outcome)
	})
}

// A pair that is not well is the drill's result, not its end.
func TestDrillOfAPairThatIsNotWell(t *testing.T) {
	w := newDrillWorld(t)
	w.vendor[0], w.proofs[0] = vendorSays(3, 0), proven(3, 0, 0)
	require.NoError(t, w.drill(checkRequest))
	assert.Equal(t, workflows.ChecksFailed, w.status().Outcome)
	assert.False(t, w.called("RecreateSyncPod"), "nothing is repaired")
	assert.Equal(t, []string{"point acpflow-drill.example.com at east", "remove acpflow-drill.example.com"}, w.writes)
}

// Without a primary there is nothing to rehearse but the card.
func TestDrillWithoutAPrimary(t *testing.T) {
	w := newDrillWorld(t)
	*w.sides["west"] = pair.Side{Cluster: "west", Taken: time.Now(), Fault: &pair.Fault{Class: "Unreachable", Message: "no route to host"}}
	require.NoError(t, w.drill(checkRequest))
	assert.Equal(t, workflows.ChecksFailed, w.status().Outcome)
	assert.Contains(t, w.step("drill.06-identify").Evidence.Summary, "not needed: west can't be reached")
	assert.False(t, w.called("CheckPage"))
}

// Without a canary no name is touched.
func TestDrillWithoutACanary(t *testing.T) {
	for _, d := range []*site.Drill{nil, {}} {
		w := newDrillWorld(t)
		w.doc.DR.Drill = d
		require.NoError(t, w.drill(checkRequest))
		assert.Empty(t, w.writes)
		assert.Len(t, w.pages, 1)
		assert.Contains(t, w.step("drill.08-canary-name").Evidence.Summary, "not needed: the site has no dr.drill.canary")
	}
}

func TestDrillPlan(t *testing.T) {
	doc := thePair()
	doc.DR.Drill = &site.Drill{Canary: "acpflow-drill.example.com"}
	plan, err := workflows.PlanOf(workflows.DrillBook, site.Snapshot{Name: "lab", Site: doc}, "")
	require.NoError(t, err)
	canary := plan.Steps[slices.IndexFunc(plan.Steps, named("drill.08-canary-name"))]
	assert.True(t, canary.Always && canary.Reversible)
	for _, s := range plan.Steps {
		assert.Equal(t, strings.Contains(s.ID, "canary"), s.Effect != workflows.Read, s.ID)
	}
}
