package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
)

// A side answers as the primary when any sign says so; then nothing is done.
func TestReprotectRefusesWhileBothAnswerAsPrimary(t *testing.T) {
	said := map[string][]string{"192.0.2.2": {"192.0.2.20"}}
	address := func(a activities.PlatformAddress) func(*reprotectWorld) {
		return func(w *reprotectWorld) { w.answer["LookUpPlatform"] = func() any { return a } }
	}
	own := activities.PairRecord{Primary: "east", PrimaryUID: "uid-east", Standby: "west", StandbyUID: "uid-west", Mode: "switchover"}
	claims := func(older bool) func(*reprotectWorld) {
		return func(w *reprotectWorld) {
			r := own
			if r.Since = takenOver.AddDate(0, 0, 1); older {
				r.Since = takenOver.AddDate(0, -1, 0)
			}
			w.sides["east"].Record = &r
		}
	}
	for name, c := range map[string]struct {
		change func(*reprotectWorld)
		step   string // "" = nothing is refused
		says   string
	}{
		"the name leads to the old side": {address(activities.PlatformAddress{Cluster: "east", Agreed: true, Answers: said}), "reprotect.01-roles", "leads to east, so users work there"},
		"the name servers differ":        {address(activities.PlatformAddress{Answers: said}), "reprotect.01-roles", "the name servers differ"},
		"a cache has the old address":    {address(activities.PlatformAddress{Cluster: "west", Contradicted: true, Answers: said}), "reprotect.01-roles", "not every name server says that acp.example.com leads to west: 192.0.2.2 says 192.0.2.20"},
		"a name server is gone with the old side": {address(activities.PlatformAddress{Cluster: "west", Answers: said, Silent: map[string]string{"192.0.2.3": "timed out"}}),
			"reprotect.03-one-primary", "192.0.2.3 gives no answer: timed out"},
		"the new side is a standby":           {func(w *reprotectWorld) { w.world.sides.install("west", true) }, "reprotect.01-roles", "west carries the synchronizer, so it is the standby"},
		"the new side is away":                {func(w *reprotectWorld) { w.sides["west"].Reachable = false }, "reprotect.01-roles", "west must be the primary and does not answer: no route to host"},
		"one cluster under two names":         {func(w *reprotectWorld) { w.sides["east"].UID = "uid-west" }, "reprotect.01-roles", "are one cluster"},
		"the old side has a newer record":     {claims(false), "reprotect.01-roles", "both sides answer as the primary: west says so since 2026-06-01 10:00:00 UTC, and east since 2026-06-02 10:00:00 UTC"},
		"the old side has an older one":       {claims(true), "", ""},
		"the old side was installed anew":     {func(w *reprotectWorld) { w.sides["east"].UID = "uid-new" }, "reprotect.01-roles", "acpflow enable-sync --cluster east"},
		"the old side's nodes see themselves": {func(w *reprotectWorld) { w.breaks("LookUpOnNodes", fault.Gate) }, "reprotect.03-one-primary", "LookUpOnNodes is broken"},
		"it came back as the primary behind a fence": {func(w *reprotectWorld) {
			w.fenced = true
			claims(false)(w)
		}, "reprotect.03-one-primary", "both sides answer as the primary"},
		"another cluster stands behind the fence": {func(w *reprotectWorld) {
			w.fenced = true
			v := w.world.sides.plugins["east"]
			v.UID = "uid-new"
			w.world.sides.plugins["east"] = v
		}, "reprotect.03-one-primary", "acpflow enable-sync --cluster east"},
		"it came back as the primary": {func(w *reprotectWorld) {
			w.sides["east"].Reachable, w.away = false, 1
			claims(false)(w)
		}, "reprotect.03-one-primary", "both sides answer as the primary"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newReprotectWorld(t)
			c.change(w)
			if c.step == "" {
				assert.NoError(t, w.run())
				return
			}
			w.refusedAt(c.step, c.says)
			assert.Empty(t, w.acted, "nothing was changed")
			assert.Empty(t, w.written)
		})
	}
}
