package workflows

import (
	"slices"

	"github.com/acpflow/acpflow/activities"
)

// A side that was taken over from holds what was written to it after the copying had
// ended, on its own. The synchronizer overwrites that without a word. So only reprotect
// makes such a side the standby: it captures what only that side holds, and asks.

const readRecordCall = "kubectl -n cpaas-system get configmap acpflow-pair   # on both sides: no takeover that no reprotect followed"

func always() bool { return true }

// heeding makes the steps refuse what the record of either side forbids, where when
// says so. In a reprotect, and in the undo of a takeover, they don't: those have
// judged the records already.
func (s *syncing) heeding(when func() bool) *syncing {
	s.heeds = when
	return s
}

func (s *syncing) heeded() bool { return s.heeds != nil && s.heeds() }

// takenFrom refuses to overwrite a side that the other one took over from, and one that
// is the primary itself by what was recorded last: then people have moved the name by
// hand, and it holds what users wrote until they did.
func (s *syncing) takenFrom(primary, standby activities.PluginView) error {
	if !s.heeded() {
		return nil
	}
	young, old := side{s.primary.Name, primary.UID}, side{s.standby.Name, standby.UID}
	refuse := func(format string, args ...any) error {
		return gateFault("enable the synchronizer on "+old.name, "acpflow reprotect --cluster "+old.name+": it captures what only "+old.name+" holds, and asks, before it is overwritten", format, args...)
	}
	if r := tookOver(young, old, primary.Record, standby.Record); r != nil {
		return refuse("%s took over from %s with the %s of %s (run %s), and no reprotect has followed: what was written to %s and is not on %s would be lost",
			young.name, old.name, r.Mode, stamp(r.TakenAt()), r.Run, old.name, young.name)
	}
	r := lastSettled(primary.Record, standby.Record)
	switch {
	case r == nil || r.PrimaryUID != old.uid:
		return nil
	case mayHaveMoved(r):
		return refuse("the %s of %s (run %s) told the name to lead to %s at %s and did not come to its end, and no record tells how %s became the primary after it: what was written to %s and is not on %s would be lost",
			r.Mode, stamp(r.TakenAt()), r.Run, old.name, stamp(*r.Moved), young.name, old.name, young.name)
	}
	return refuse("by the %s of %s (run %s) %s is the primary itself, and no record tells how %s became it: what was written to %s and is not on %s would be lost",
		r.Mode, stamp(r.TakenAt()), r.Run, old.name, young.name, old.name, young.name)
}

// side is a cluster of a pair: its name in the site document and its UID.
type side struct{ name, uid string }

// tookOver is the newest record by which one side took over from the other and which
// no reprotect has followed; nil = there is none. The one side is known by its name,
// too: it may have been installed anew, and is empty then. The other one is not: what
// was installed anew holds nothing that could be lost.
func tookOver(young, old side, records ...*activities.PairRecord) *activities.PairRecord {
	var took *activities.PairRecord
	for _, r := range records {
		if r != nil && isTakeover(r) && (r.PrimaryUID == young.uid || r.Primary == young.name) && (r.StandbyUID == old.uid || r.StandbyUID == "") &&
			(took == nil || r.TakenAt().After(took.TakenAt())) {
			took = r
		}
	}
	followed := func(r *activities.PairRecord) bool {
		return r != nil && r.Mode == ModeReprotect && r.PrimaryUID == young.uid && r.StandbyUID == old.uid && r.TakenAt().After(took.TakenAt())
	}
	if took == nil || slices.ContainsFunc(records, followed) {
		return nil
	}
	return took
}

func isTakeover(r *activities.PairRecord) bool {
	return r.Mode == ModeSwitchover || r.Mode == ModeFailover
}

// lastSettled is the record of the roles that were taken last. A takeover that ended
// before it told the name to move settles nothing.
func lastSettled(records ...*activities.PairRecord) *activities.PairRecord {
	var last *activities.PairRecord
	for _, r := range records {
		if r != nil && (r.Done || !isTakeover(r) || mayHaveMoved(r)) && (last == nil || r.TakenAt().After(last.TakenAt())) {
			last = r
		}
	}
	return last
}
