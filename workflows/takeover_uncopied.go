package workflows

import (
	"fmt"
	"time"

	"github.com/acpflow/acpflow/activities"
)

// A failover may lead to a side that nothing has been copied to for weeks, because no
// reprotect followed the last takeover. There may be nothing better left, so it is not
// refused; but whoever approves it must know.

// bare reports whether the new side carried no synchronizer when the run came to it.
func (t *takeover) bare() bool {
	return t.identity != nil && !t.identity.Sides[t.to.Name].Synchronizer
}

// uncopied is bare, where it was no earlier run of this failover that removed the
// synchronizer.
func (t *takeover) uncopied() bool {
	r := t.before
	begun := r != nil && isTakeover(r) && !r.Done && t.own(r)
	return !t.planned && t.bare() && !begun
}

// own reports whether it is the new side that a record names as the primary.
func (t *takeover) own(r *activities.PairRecord) bool {
	return r.PrimaryUID == t.identity.Sides[t.to.Name].UID
}

// ended is the takeover since which nothing has been copied to the new side, by that
// side's own record; nil = not known. A check that found both sides equal later tells
// that something was copied after it.
func (t *takeover) ended() *activities.PairRecord {
	if r := t.before; t.uncopied() && r != nil && isTakeover(r) && (t.good == nil || !t.good.At.After(r.TakenAt())) {
		return r
	}
	return nil
}

// nothingSince says since when nothing was copied, in the RPO statement.
func (t *takeover) nothingSince(r *activities.PairRecord, now time.Time) string {
	if t.own(r) {
		return fmt.Sprintf("NOTHING has been copied to %[1]s since %[2]s, when it took over from %[3]s: what was written to %[3]s after that is not on %[1]s",
			t.to.Name, stamp(r.TakenAt()), t.from.Name)
	}
	return fmt.Sprintf("NOTHING has been copied to %[1]s since %[2]s, when %[3]s took over from it: what was written to %[3]s in the %[4]s after that is not on %[1]s",
		t.to.Name, stamp(r.TakenAt()), t.from.Name, t.since(r.TakenAt(), now))
}

// unknownEnd begins the RPO statement where nothing is copied and no record says since
// when.
func (t *takeover) unknownEnd() string {
	if !t.uncopied() {
		return ""
	}
	return t.to.Name + " carries no synchronizer, and nobody knows since when NOTHING is copied to it; "
}

// rpo is what is known of the data before a failover.
func (t *takeover) rpo(now time.Time) *RPO {
	out := &RPO{Text: t.knownOfData(now)}
	if r := t.ended(); r != nil {
		out.UnknownSeconds = t.since(r.TakenAt(), now).Seconds()
	} else if t.good != nil {
		out.EqualAt, out.UnknownSeconds = &t.good.At, t.since(t.good.At, now).Seconds()
	}
	return out
}

// accounted reports whether so little time is unknown that nobody need be asked.
func (t *takeover) accounted(now time.Time) bool {
	return !t.uncopied() && t.good != nil && t.since(t.good.At, now) <= 2*t.site.DR.Sync.Interval()
}

// goOn is the question about what is not accounted for.
func (t *takeover) goOn(now time.Time) string {
	although, next := "more than two checks' time of data is not accounted for", "Next the synchronizer is removed from "+t.to.Name+", which ends the copying"
	if t.uncopied() {
		although = "nothing is copied to " + t.to.Name
	}
	if t.bare() {
		next = "There is no synchronizer on " + t.to.Name + " that would have to be removed"
	}
	return fmt.Sprintf("Go on although %s? %s. Nothing brings it back to %s later: it can only be compared, and copied by hand, when %s is back (acpflow reprotect captures the difference before it is overwritten). %s",
		although, t.knownOfData(now), t.to.Name, t.from.Name, next)
}

// anAbort says, in the last question, what an abort puts back.
func (t *takeover) anAbort() string {
	switch {
	case t.bare():
		return "An abort now opens the ports and installs no synchronizer: there was none on " + t.to.Name
	case t.planned:
		return "An abort now opens the ports and installs the synchronizer again, and proves that both sides are alike"
	}
	return "An abort now opens the ports and installs the synchronizer again, but proves nothing while " + t.from.Name + " is away"
}

// protect is what makes the new side the standby: after a takeover by the old one that
// is reprotect, because enable-sync captures nothing; so it is after one by hand, of
// which the records don't know.
func (t *takeover) protect() string {
	from, to := t.identity.Sides[t.from.Name], t.identity.Sides[t.to.Name]
	verb := EnableSyncBook.Verb
	last := lastSettled(from.Record, to.Record)
	if tookOver(side{t.from.Name, t.uid(t.from)}, side{t.to.Name, to.UID}, from.Record, to.Record) != nil || last != nil && last.PrimaryUID == to.UID {
		verb = ReprotectBook.Verb
	}
	return "acpflow " + verb + " --cluster " + t.to.Name
}
