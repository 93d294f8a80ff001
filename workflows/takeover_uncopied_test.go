package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/workflows"
)

// weeksAgo is 21 days before the runs of a takeoverWorld begin.
var weeksAgo = time.Date(2026, 5, 25, 12, 0, 0, 0, time.UTC)

// tookWest is westTook of weeks ago, changed.
func tookWest(change func(*activities.PairRecord)) activities.PairRecord {
	r := westTook(change)
	r.Since = weeksAgo
	return *r
}

// bareWorld is one in which nothing is copied to east.
func bareWorld(t *testing.T) *takeoverWorld {
	w := newTakeoverWorld(t).isDead()
	w.sides.install("east", false)
	return w
}

// the questions of a failover that tell of the data.
var told = []string{"failover.02-unreachable", "failover.06-last-good", "failover.13-point-dns"}

// Nobody made the old primary follow after the last takeover: whoever fails over to it
// must know that it is weeks behind, since when, and at every question.
func TestFailoverTellsThatNothingWasCopied(t *testing.T) {
	w := bareWorld(t)
	w.records["east"] = tookWest(nil)
	w.good.At = weeksAgo.Add(-time.Hour) // of the time when east followed last
	require.NoError(t, w.take(failover))
	const since = "UNVERIFIED: NOTHING has been copied to east since 2026-05-25 12:00:00 UTC, when west took over from it: what was written to west in the 504h"
	for _, step := range told {
		assert.Contains(t, w.asked(step), since, step)
		assert.NotContains(t, w.asked(step), "equal", "what an older check has found is of no use")
	}
	asked := w.asked("failover.06-last-good")
	assert.Contains(t, asked, "Go on although nothing is copied to east?")
	assert.Contains(t, asked, "There is no synchronizer on east that would have to be removed")
	assert.NotContains(t, asked, "is removed from east")
	asked = w.asked("failover.13-point-dns")
	assert.Contains(t, asked, "installs no synchronizer: there was none on east")
	assert.NotContains(t, asked, "installs the synchronizer again")
	r := w.status().Recovery
	assert.Contains(t, r.RPO.Text, since)
	assert.Nil(t, r.RPO.EqualAt)
	assert.False(t, r.RPO.Verified)
	assert.GreaterOrEqual(t, r.RPO.UnknownSeconds, (21 * 24 * time.Hour).Seconds())
	assert.Contains(t, r.Title, workflows.Unverified)
}

// An aborted failover puts the record back with a later time, so that it is accepted;
// what it tells of the data is as old as before.
func TestAbortedFailoverHidesNothingOfTheTime(t *testing.T) {
	w := bareWorld(t)
	w.records["east"] = tookWest(nil)
	w.breaks("PointPlatform", fault.Refused)
	w.aborted(failover)
	back := w.records["east"]
	require.True(t, back.Since.After(weeksAgo))

	w = bareWorld(t)
	w.records["east"], w.good = back, nil
	require.NoError(t, w.take(failover))
	assert.Contains(t, w.asked("failover.13-point-dns"), "NOTHING has been copied to east since 2026-05-25 12:00:00 UTC, when west took over from it")
}

func TestFailoverToASideWithoutASynchronizer(t *testing.T) {
	const nobody, equal = "east carries no synchronizer, and nobody knows since when NOTHING is copied to it; ", "both sides were known to be equal at "
	for name, c := range map[string]struct {
		record *activities.PairRecord
		good   time.Time // zero = no check is known
		says   string
	}{
		"no record":                  {nil, time.Time{}, nobody + "no check that found both sides equal is known"},
		"no record, a check just so": {nil, weeksAgo.AddDate(0, 0, 21).Add(-time.Minute), nobody + equal},
		"it followed by a reprotect": {new(tookWest(func(r *activities.PairRecord) { r.Mode = "reprotect" })), weeksAgo, nobody + equal},
		"equal since":                {new(tookWest(nil)), weeksAgo.AddDate(0, 0, 1), nobody + equal + "2026-05-26 12:00:00 UTC"},
		"it is the primary already": {new(tookWest(func(r *activities.PairRecord) {
			r.Primary, r.PrimaryUID, r.Standby, r.StandbyUID = "east", "uid-east", "west", "uid-west"
		})), time.Time{}, "NOTHING has been copied to east since 2026-05-25 12:00:00 UTC, when it took over from west: what was written to west after that is not on east"},
	} {
		t.Run(name, func(t *testing.T) {
			w := bareWorld(t)
			if c.record != nil {
				w.records["east"] = *c.record
			}
			if w.good.At = c.good; c.good.IsZero() {
				w.good = nil
			}
			require.NoError(t, w.take(failover))
			for _, step := range told {
				assert.Contains(t, w.asked(step), workflows.Unverified+": "+c.says, step)
			}
			assert.Contains(t, w.status().Recovery.RPO.Text, c.says)
		})
	}
}

// An earlier run of this failover has removed the synchronizer: what the ledger says
// is true still, and nobody is told that it is removed again.
func TestResumedFailoverIsNotToldThatNothingWasCopied(t *testing.T) {
	begun := activities.PairRecord{Primary: "east", PrimaryUID: "uid-east", Standby: "west", StandbyUID: "uid-west", Mode: "failover", Since: weeksAgo, Run: "failover/1"}
	w := bareWorld(t)
	w.records["east"] = begun
	require.NoError(t, w.take(failover))
	assert.Empty(t, w.asked("failover.06-last-good"), "a check of a minute ago is good enough")
	assert.NotContains(t, w.asked("failover.13-point-dns"), "NOTHING")

	w = bareWorld(t)
	w.records["east"] = begun
	w.good.At = weeksAgo
	require.NoError(t, w.take(failover))
	asked := w.asked("failover.06-last-good")
	assert.Contains(t, asked, "Go on although more than two checks' time")
	assert.Contains(t, asked, "There is no synchronizer on east")
	assert.NotContains(t, asked, "NOTHING")
}

func TestFailoverFromACarrierSaysWhatIsRemoved(t *testing.T) {
	w := newTakeoverWorld(t).isDead()
	w.records["east"] = tookWest(nil) // enabled by other means since
	w.good = nil
	require.NoError(t, w.take(failover))
	asked := w.asked("failover.06-last-good")
	assert.Contains(t, asked, "Next the synchronizer is removed from east, which ends the copying")
	assert.NotContains(t, asked, "NOTHING")
	assert.Contains(t, w.asked("failover.13-point-dns"), "installs the synchronizer again, but proves nothing while west is away")
}

// What protects the pair again after a takeover is reprotect: enable-sync refuses.
func TestTakeoverNamesWhatProtectsThePair(t *testing.T) {
	for verb, record := range map[string]func(*takeoverWorld){
		"enable-sync": func(*takeoverWorld) {},
		"reprotect":   func(w *takeoverWorld) { w.records["east"] = tookWest(nil) },
	} {
		w := newTakeoverWorld(t)
		w.sides.install("east", false)
		record(w)
		_, text := w.aborted(switchover)
		assert.Contains(t, text, "Fix: acpflow "+verb+" --cluster east first")

		w = bareWorld(t)
		record(w)
		w.breaks("WritePairRecord", fault.Conflict)
		w.answers = func(g workflows.Gate) *workflows.Decision {
			if g.Undo {
				w.mends("WritePairRecord")
				return &workflows.Decision{Step: g.Step, Action: workflows.Retry, By: "boss"}
			}
			return nil
		}
		require.Error(t, w.take(failover))
		assert.Contains(t, w.step("failover.07-remove-synchronizer").Evidence.Summary, "To protect the pair again: acpflow "+verb+" --cluster east")
	}
}
