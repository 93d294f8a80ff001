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

// takenFrom refuses to overwrite a side that the other one took over from.
func (s *syncing) takenFrom(primary, standby activities.PluginView) error {
	if !s.heeded() {
		return nil
	}
	r := tookOver(side{s.primary.Name, primary.UID}, side{s.standby.Name, standby.UID}, primary.Record, standby.Record)
	if r == nil {
		return nil
	}
	return gateFault("enable the synchronizer on "+s.standby.Name, "acpflow reprotect --cluster "+s.standby.Name+": it captures what only "+s.standby.Name+" holds, and asks, before it is overwritten",
		"%s took over from %s with the %s of %s (run %s), and no reprotect has followed: what was written to %s and is not on %s would be lost",
		s.primary.Name, s.standby.Name, r.Mode, stamp(r.TakenAt()), r.Run, s.standby.Name, s.primary.Name)
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
