package pair_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/site"
)

// Nothing known is nothing well.
func TestNothingKnownPassesNothing(t *testing.T) {
	f := pair.Facts{Judged: now, Site: good().Site, Sides: []pair.Side{{Cluster: "west"}, {Cluster: "east"}}}
	for _, g := range pair.Judge(f) {
		assert.Equal(t, checks.Error, g.Outcome, "%+v", g)
	}
	for _, g := range pair.Judge(pair.Facts{Judged: now, Site: good().Site}) { // not even two sides
		assert.Equal(t, checks.Error, g.Outcome, "%+v", g)
	}
}

// Of a side that can't be reached nothing is known, but the rest still counts.
func TestDeadSide(t *testing.T) {
	f := good()
	f.Sides[0] = pair.Side{Cluster: "west", Taken: now, Fault: &pair.Fault{Class: "Unreachable", Message: "no route"}}
	assert.Equal(t, pair.Roles{Primary: "west", Standby: "east", By: pair.SyncSign}, f.Roles())
	for _, g := range pair.Judge(f) {
		switch {
		case g.Rule == "CARD-01" && g.Node == "west":
			assert.Equal(t, checks.Fail, g.Outcome)
		case g.Node == "west":
			assert.Equal(t, checks.Error, g.Outcome, "%+v", g)
			assert.Contains(t, g.Reason, "no route")
		case g.Node == "east":
			assert.Equal(t, checks.Pass, g.Outcome, "%+v", g)
		}
	}
}

func TestRolesByName(t *testing.T) {
	f := good()
	plugin(none, none)(&f)
	assert.Equal(t, pair.Roles{Primary: "west", Standby: "east", By: pair.NameSign}, f.Roles())
	plugin(none, unread)(&f)
	assert.Equal(t, "west", f.Roles().Primary)
	f.Address = pair.Unknown[pair.Address]("timed out")
	assert.Empty(t, f.Roles().Primary)
	assert.Contains(t, f.Roles().Why, "east carries the synchronizer is not known")
}

// A proof that looked for no owners does not say that all are there.
func TestOwnersThatWereNotLookedFor(t *testing.T) {
	f := good()
	assert.Contains(t, findings(f, pair.Equal)[0].Seen, "0 without their owner")
	f.Proof.Value.Mode, f.Proof.Value.Owners = "incremental", false
	assert.Contains(t, findings(f, pair.Equal)[0].Seen, "owners not looked for")
	f.Sides[1].Ledger.Value.Full = now.Add(-30 * time.Minute)
	assert.Contains(t, findings(f, pair.Equal)[0].Seen, "owners last looked for at 2026-06-15 11:30 UTC")
}

// Nobody acts on roles that only one sign tells.
func TestDoubt(t *testing.T) {
	assert.Empty(t, good().Doubt())
	for says, edit := range map[string]func(*pair.Facts){
		"points at east, which carries": func(f *pair.Facts) { f.Address.Value.Cluster = "east" },
		"whether west carries":          plugin(unread, carried),
		"opposite directions":           plugin(carried, carried),
		"timed out":                     func(f *pair.Facts) { f.Address = pair.Unknown[pair.Address]("timed out") },
		"tells neither side":            func(f *pair.Facts) { f.Address.Value.Cluster = "" },
		"was not read":                  func(f *pair.Facts) { f.Address = pair.Known[pair.Address]{} },
		"0 clusters are no pair":        func(f *pair.Facts) { f.Sides = nil },
	} {
		f := good()
		edit(&f)
		assert.Contains(t, f.Doubt(), says)
	}
}

// A waiver makes the absence one on purpose, while it holds and only where
// every side is known to be without.
func TestAbsentOnPurpose(t *testing.T) {
	f := good()
	plugin(none, none)(&f)
	f.Site.Waivers = []site.Waiver{{Rule: "DR-31", Reason: "upgrade to 4.2", Author: "ops@example.com", Expires: "2026-06-15"}}
	outcomes := map[string]checks.Finding{}
	for _, g := range pair.Judge(f) {
		outcomes[g.Rule] = g
	}
	assert.Equal(t, checks.Waived, outcomes["DR-31"].Outcome)
	assert.Equal(t, "accepted by ops@example.com until 2026-06-15: upgrade to 4.2", outcomes["DR-31"].Reason)
	for _, rule := range []string{"DR-32", "DR-33", "CARD-10"} {
		assert.Equal(t, checks.Skipped, outcomes[rule].Outcome, rule)
	}
	assert.Equal(t, checks.Pass, outcomes["DR-41-machine"].Outcome)
	assert.Equal(t, checks.Pass, outcomes["DR-41-proof"].Outcome, "what was proven is told")
	assert.False(t, checks.Count(pair.Judge(f)).Blocking())

	f.Proof.Value.Missed, f.Proof.Value.Clean = 7, false
	drift := findings(f, "DR-41-proof")[0]
	assert.Equal(t, checks.Warn, drift.Outcome)
	assert.Contains(t, drift.Seen, "7 missed, 0 surplus")
	assert.Contains(t, drift.Reason, "upgrade to 4.2")
	assert.False(t, checks.Count(pair.Judge(f)).Blocking())
	f.Proof = pair.Unknown[pair.Proof]("no route")
	assert.Equal(t, checks.Skipped, findings(f, "DR-41-proof")[0].Outcome)

	f.Judged = now.AddDate(0, 0, 1)
	ended := findings(f, "DR-31")[0]
	assert.Equal(t, checks.Fail, ended.Outcome)
	assert.Contains(t, ended.Seen, "the waiver of ops@example.com ended on 2026-06-15")

	f.Judged = now
	plugin(unread, none)(&f)
	assert.Equal(t, checks.Error, findings(f, "DR-31")[0].Outcome)
	assert.Equal(t, checks.Error, findings(f, "DR-32")[0].Outcome)
}

// Facts go through history and come back the same.
func TestFactsSurviveJSON(t *testing.T) {
	text, err := json.Marshal(good())
	require.NoError(t, err)
	var back pair.Facts
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, pair.Judge(good()), pair.Judge(back))

	var nothing []string // known to be nothing is not unknown
	text, err = json.Marshal(pair.Of(nothing))
	require.NoError(t, err)
	var none pair.Known[[]string]
	require.NoError(t, json.Unmarshal(text, &none))
	list, err := none.Get()
	require.NoError(t, err)
	assert.Empty(t, list)
}

func TestLedger(t *testing.T) {
	l := pair.Ledger{}
	for i := range 25 {
		at := now.Add(time.Duration(i) * time.Minute)
		l = l.With(pair.Past{At: at, Run: fmt.Sprint(i), Outcome: "succeeded"}, &pair.Good{At: at})
	}
	require.Len(t, l.Last, pair.MaxPast)
	assert.Equal(t, "24", l.Last[0].Run)
	assert.Equal(t, l, l.With(pair.Past{At: now.Add(24 * time.Minute), Run: "24", Outcome: "succeeded"}, &pair.Good{At: now.Add(24 * time.Minute)}), "twice")
	late := l.With(pair.Past{At: now.Add(23*time.Minute + time.Second), Run: "late"}, &pair.Good{At: now})
	assert.Equal(t, l.Good, late.Good)
	assert.Equal(t, "late", late.Last[1].Run)
}

// Repairs are counted once for each run, until a check is good.
func TestLedgerCountsRepairs(t *testing.T) {
	past := func(run string, minute, repairs int) pair.Past {
		return pair.Past{Run: run, At: now.Add(time.Duration(minute) * time.Minute), Repairs: repairs}
	}
	l := pair.Ledger{}.With(past("1", 1, 1), nil)
	l = l.With(past("2", 2, 1), nil).With(past("2", 2, 1), nil)
	assert.Equal(t, 2, l.Repairs, "the second was written twice")
	counting := l.With(past("3", 3, 1), nil).With(past("3", 4, 2), nil)
	assert.Equal(t, 4, counting.Repairs, "one run counts as it goes")
	assert.Equal(t, 4, counting.With(past("3", 3, 1), nil).With(past("3", 5, 2), nil).Repairs, "a late attempt changes nothing")
	for i := range pair.MaxPast + 1 {
		l = l.With(past(fmt.Sprint("idle", i), 3+i, 0), nil)
	}
	assert.Equal(t, 2, l.Repairs, "longer than the list of outcomes")
	good := l.With(past("good", 60, 1), &pair.Good{At: now.Add(time.Hour)})
	assert.Zero(t, good.Repairs)
	assert.Zero(t, good.With(past("good", 60, 1), &pair.Good{At: now.Add(time.Hour)}).Repairs)
	assert.Equal(t, 2, l.With(past("late", 0, 0), &pair.Good{At: now}).Repairs, "an older check knows nothing of the repairs since")
}

// The newest entry counts, whoever keeps it.
func TestWhichLedger(t *testing.T) {
	f := good()
	written := f.Sides[1].Ledger
	got, err := f.Ledger().Get()
	require.NoError(t, err)
	assert.NotNil(t, got.Good)

	f.Sides[0] = pair.Side{Cluster: "west", Taken: now, Fault: &pair.Fault{Message: "no route"}}
	assert.Equal(t, written, f.Ledger(), "a dead primary")

	f = good() // roles have changed: the new standby has none yet
	f.Sides[0].Ledger, f.Sides[1].Ledger = written, pair.Of(pair.Ledger{})
	assert.Equal(t, written, f.Ledger())

	older := pair.Of(pair.Ledger{Good: &pair.Good{At: now.Add(-48 * time.Hour)}, Last: []pair.Past{{At: now.Add(-2 * time.Hour), Run: "0"}}})
	f.Sides[1].Ledger = older
	assert.Equal(t, written, f.Ledger(), "the new standby's own is from before")
	f.Sides[0].Ledger = pair.Of(pair.Ledger{Last: []pair.Past{{At: now, Run: "2"}}})
	got, err = f.Ledger().Get()
	require.NoError(t, err)
	assert.Equal(t, "2", got.Last[0].Run)
	assert.Equal(t, now.Add(-48*time.Hour), got.Good.At, "the last good check is the newest of all")

	f = good() // the standby's can't be read
	f.Sides[0].Ledger, f.Sides[1].Ledger = older, pair.Unknown[pair.Ledger]("forbidden")
	assert.Equal(t, older, f.Ledger())
	_, err = f.Repairs()
	assert.ErrorContains(t, err, "forbidden", "repairs stand in the standby's only")
	f.Sides[0].Ledger = pair.Of(pair.Ledger{})
	_, err = f.Ledger().Get()
	assert.ErrorContains(t, err, "forbidden")

	f = good()
	f.Sides[0].Ledger, f.Sides[1].Ledger = written, pair.Of(pair.Ledger{})
	f.Sides[0] = pair.Side{Cluster: "west", Taken: now, Fault: &pair.Fault{Message: "no route"}}
	_, err = f.Ledger().Get()
	assert.ErrorContains(t, err, "west can't be read", "an empty ledger here does not mean that there is none")
}
