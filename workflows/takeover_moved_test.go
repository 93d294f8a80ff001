package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// recording keeps what is written on east, in order. on says what a write meets; nil =
// it is accepted.
func (w *takeoverWorld) recording(on func(activities.PairRecord) error) *[]activities.PairRecord {
	var all []activities.PairRecord
	instead(w.world, "WritePairRecord", func(in activities.WriteRecordInput) any {
		if on != nil {
			if err := on(in.Record); err != nil {
				return err
			}
		}
		w.records[in.Cluster] = in.Record
		if in.Cluster == "east" {
			all = append(all, in.Record)
		}
		return activities.Evidence{Summary: "recorded"}
	})
	return &all
}

// The record says that the name moves before it is told to, once, and keeps it. That
// it is there by then is one of the invariants.
func TestRecordSaysThatTheNameMoves(t *testing.T) {
	for _, book := range []string{switchover, failover} {
		t.Run(book, func(t *testing.T) {
			w, _ := held(t, book)
			w.breaks("PointPlatform", fault.Refused)
			tried := w.turns(pointStep[book],
				func(workflows.Gate) workflows.Action { return workflows.Approve },
				func(workflows.Gate) workflows.Action { w.mends("PointPlatform"); return workflows.Retry },
			)
			all := w.recording(nil)
			require.NoError(t, w.take(book))
			assert.Zero(t, *tried)
			require.Len(t, *all, 3, "12, 13 and the end: a second try writes it no more")
			first := (*all)[1]
			assert.Nil(t, (*all)[0].Moved)
			require.NotNil(t, first.Moved)
			assert.Equal(t, first.Since, *first.Moved)
			assert.Equal(t, first.Moved, (*all)[2].Moved)
		})
	}
}

// A name that the record does not tell of is not told to move; everything is undone.
func TestNameStaysWhereTheRecordCanNotSayThatItMoves(t *testing.T) {
	for _, book := range []string{switchover, failover} {
		t.Run(book, func(t *testing.T) {
			w, _ := held(t, book)
			w.recording(func(r activities.PairRecord) error {
				if r.Moved != nil {
					return permanent("the API of east", fault.Unreachable)
				}
				return nil
			})
			step, text := w.aborted(book)
			assert.Equal(t, pointStep[book], step)
			assert.Contains(t, text, "the API of east")
			assert.NotContains(t, w.meant(), "PointPlatform east")
			assert.NotContains(t, w.records, "east")
			assert.True(t, w.sides.plugins["east"].Installed)
		})
	}
}

// A look that refuses the move leaves a record by which the name never moved.
func TestRecordDoesNotSayThatARefusedNameMoves(t *testing.T) {
	w, _ := held(t, switchover)
	left := w.turns(pointStep[switchover],
		func(workflows.Gate) workflows.Action { w.open["west 2379"] = true; return workflows.Approve },
		func(g workflows.Gate) workflows.Action {
			assert.Contains(t, g.Error, "is open")
			assert.Equal(t, "east", w.records["east"].Primary)
			assert.Nil(t, w.records["east"].Moved)
			return workflows.Abort
		},
	)
	require.Error(t, w.take(switchover))
	assert.Zero(t, *left)
}

// What was seen before a write that took long need not be so any more.
func TestSlowRecordIsFollowedByAnotherLook(t *testing.T) {
	w, _ := held(t, switchover)
	tries := 0
	w.recording(func(r activities.PairRecord) error {
		if tries++; r.Moved != nil && tries < 12 {
			return temporal.NewApplicationError("the API of east", string(fault.Unreachable))
		}
		w.open["west 2379"] = r.Moved != nil
		return nil
	})
	_, text := w.aborted(switchover)
	assert.Contains(t, text, "port 2379 of 192.0.2.10 (west) is open")
	assert.NotContains(t, w.meant(), "PointPlatform east")
	w.untouched()
}

// A person who is asked to change the name may do it at any time from then on, so the
// record says so before. One who has not done it, and aborts, takes that back.
func TestRecordSaysThatAPersonIsAskedToMoveTheName(t *testing.T) {
	w, _ := held(t, switchover)
	w.doc.DR.DNS = &site.DNS{Driver: site.DNSManual, TTL: 30, Zone: "example.com", Authoritative: []string{"192.0.2.2"}}
	w.breaks("PointPlatform", fault.Gate)
	left := w.turns(pointStep[switchover],
		func(workflows.Gate) workflows.Action {
			assert.Nil(t, w.records["east"].Moved)
			return workflows.Approve
		},
		func(workflows.Gate) workflows.Action {
			assert.NotNil(t, w.records["east"].Moved)
			return workflows.Abort
		},
	)
	require.Error(t, w.take(switchover))
	assert.Zero(t, *left)
	assert.NotContains(t, w.records, "east")
	w.untouched()
}

// What an earlier run said stays said: in the records of the one that follows it, and
// after its abort.
func TestRecordKeepsThatTheNameMoved(t *testing.T) {
	moved := new(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	said := func(change func(*activities.PairRecord)) activities.PairRecord {
		r := activities.PairRecord{Primary: "east", PrimaryUID: "uid-east", Standby: "west", StandbyUID: "uid-west", Mode: workflows.ModeFailover, Since: weeksAgo, Run: "first"}
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		before activities.PairRecord
		want   *time.Time
	}{
		"half done":                {said(func(r *activities.PairRecord) { r.Moved = moved }), moved},
		"done":                     {said(func(r *activities.PairRecord) { r.Done = true }), &weeksAgo},
		"terminated before":        {said(func(*activities.PairRecord) {}), nil},
		"west took over":           {tookWest(func(r *activities.PairRecord) { r.Moved = moved }), nil},
		"a reprotect has followed": {said(func(r *activities.PairRecord) { r.Mode, r.Moved = "reprotect", moved }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := bareWorld(t)
			w.records["east"] = c.before
			w.breaks("PointPlatform", fault.Refused)
			all := w.recording(nil)
			w.aborted(failover)
			assert.Equal(t, c.want, (*all)[0].Moved)
			back := w.records["east"]
			if assert.Equal(t, c.before.Mode, back.Mode); c.want != nil {
				assert.Equal(t, c.want, back.Moved)
			} else {
				assert.Equal(t, c.before.Moved, back.Moved, "what this run said is taken back")
			}
		})
	}
}

// A run that finds the name moved says so from its first record on, whoever moved it.
func TestFinishedTakeoverSaysThatTheNameMoved(t *testing.T) {
	w := terminated(t, "switchover")
	begun := w.records["east"]
	begun.Since = weeksAgo
	w.records["east"] = begun
	all := w.recording(nil)
	require.NoError(t, w.take(switchover))
	require.Len(t, *all, 2)
	for _, r := range *all {
		assert.Equal(t, &weeksAgo, r.Moved)
	}
}
