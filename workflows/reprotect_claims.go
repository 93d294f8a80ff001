package workflows

import (
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/activities"
)

// A takeover that people make by hand is recorded by nobody, so what acpflow had
// written before it names the wrong side for ever. Where every name server leads to
// the new primary and that follows nobody, such a record is not a second claim, but
// no clock tells when a name was moved by hand: people must say that the record is
// the older one, and they are asked in the question about what is overwritten.

// against reports whether a record says that somebody else than one is the primary.
func against(record *activities.PairRecord, one activities.SideIdentity) bool {
	return record != nil && record.PrimaryUID != one.UID
}

// claims judges by what the last takeover left on each side. A side claims to be
// the primary by its own record, unless the other side's is newer.
func (r *reprotecting) claims(first, second *activities.PairRecord, one, two activities.SideIdentity) error {
	switch {
	case first == nil:
		return nil
	case against(first, one):
		if first.Primary != r.standby.Name || two.UID != "" && first.PrimaryUID != two.UID || first.StandbyUID != "" && first.StandbyUID != one.UID {
			return r.refuse(fmt.Sprintf("correct the site document if it has the sides mixed up; when a cluster was installed anew, delete the record: kubectl -n cpaas-system delete configmap acpflow-pair   # on %s", r.primary.Name),
				"the record of %s says that %s (%s) is the primary and %s (%s) its standby since %s, which are not these clusters", r.primary.Name, first.Primary, first.PrimaryUID, first.Standby, first.StandbyUID, stamp(first.TakenAt()))
		}
	case two.UID != "" && first.StandbyUID != "" && first.StandbyUID != two.UID:
		return r.refuse("if it was installed anew, there is nothing to capture: acpflow enable-sync --cluster "+r.standby.Name,
			"%s is another cluster (%s) than the one that %s took over from (%s)", r.standby.Name, two.UID, r.primary.Name, first.StandbyUID)
	case second != nil && second.PrimaryUID == two.UID && !second.TakenAt().Before(first.TakenAt()):
		return r.refuse(fmt.Sprintf("find out who took over last, and leave the name where the newest data is. If that is %s: acpflow reprotect --cluster %s. If it is %s, by a takeover that was made by hand after %s, the record of %s is out of date: kubectl -n cpaas-system delete configmap acpflow-pair   # on %s, then retry",
			r.standby.Name, r.primary.Name, r.primary.Name, stamp(second.TakenAt()), r.standby.Name, r.standby.Name),
			"both sides answer as the primary: %s says so since %s, and %s since %s", r.primary.Name, stamp(first.TakenAt()), r.standby.Name, stamp(second.TakenAt()))
	}
	return nil
}

// outdated are the records, by side, that are wrong unless the roles are: those that
// name another primary, where no newer record of the new primary says otherwise.
func (r *reprotecting) outdated(sides activities.Identity) map[string]*activities.PairRecord {
	one := sides.Sides[r.primary.Name]
	first, second := recordOf(one), recordOf(sides.Sides[r.standby.Name])
	out := map[string]*activities.PairRecord{}
	if first != nil && !against(first, one) {
		return out // claims has held the other side's record against it
	}
	if against(first, one) {
		out[r.primary.Name] = first
	}
	if against(second, one) {
		out[r.standby.Name] = second
	}
	return out
}

// doubt is what people must answer because of outdated records; "" = there are none.
func (r *reprotecting) doubt() string {
	var said []string
	taken := false
	mine, other := r.older[r.primary.Name], r.older[r.standby.Name]
	if mine != nil && other != nil && mine.Run == other.Run && mine.TakenAt().Equal(other.TakenAt()) {
		said = append(said, r.says(r.primary.Name+" and "+r.standby.Name, mine))
		taken = isTakeover(mine)
	} else {
		for _, name := range []string{r.primary.Name, r.standby.Name} {
			if record := r.older[name]; record != nil {
				said = append(said, r.says(name, record))
				taken = taken || isTakeover(record)
			}
		}
	}
	if len(said) == 0 {
		return ""
	}
	text := fmt.Sprintf("BUT %s. Is that older than a takeover that was made by hand, by which %s (UID %s) is the primary in place of %s (UID %s)? ",
		strings.Join(said, ", and "), r.primary.Name, r.uid(r.primary), r.standby.Name, r.uid(r.standby))
	if taken { // and no reprotect since has made the new primary its standby
		text += fmt.Sprintf("By that takeover nothing has been copied to %s since, unless somebody enabled it. ", r.primary.Name)
	}
	return text + fmt.Sprintf("If nobody made one, %s holds what users wrote last, and approving this loses it: abort then.", r.standby.Name)
}

func (r *reprotecting) says(on string, record *activities.PairRecord) string {
	end := ""
	if !record.Done && isTakeover(record) {
		end = ", which did not come to its end"
	}
	return fmt.Sprintf("the record on %s says that %s (UID %s) is the primary since %s, by the %s of run %s%s",
		on, record.Primary, record.PrimaryUID, stamp(record.TakenAt()), record.Mode, record.Run, end)
}

// asked notes which doubt people have before their eyes.
func (r *reprotecting) asked() {
	doubt := r.doubt()
	r.answered = &doubt
}

// newDoubt reports whether the records say by now what people were not asked about.
func (r *reprotecting) newDoubt() bool {
	doubt := r.doubt()
	return doubt != "" && r.answered != nil && *r.answered != doubt
}

// sameDoubt refuses an approval that was given before the records said what they do.
func (r *reprotecting) sameDoubt() error {
	if !r.newDoubt() {
		return nil
	}
	return r.refuse("find out who wrote it; retry and approve what is asked then, or abort", "the records of who is primary have changed since people were asked: %s", r.doubt())
}

// stillOwed is what the new record must carry on: what a person let go, and restarts
// that older records know of. A restart is never wrong; ports that they owe
// are those of other roles.
func (r *reprotecting) stillOwed() []activities.Owed {
	if r.record != nil {
		return slices.DeleteFunc(slices.Clone(r.record.Owed), r.void)
	}
	var out []activities.Owed
	for _, name := range []string{r.primary.Name, r.standby.Name} {
		if r.older[name] == nil {
			continue
		}
		for _, o := range r.older[name].Owed {
			if isRestart(o) && !slices.ContainsFunc(out, o.Same) {
				out = append(out, o)
			}
		}
	}
	return out
}

// recordOf is a side's record; nil where it has none.
func recordOf(s activities.SideIdentity) *activities.PairRecord {
	if s.Record == nil || s.Record.PrimaryUID == "" && s.Record.Primary == "" {
		return nil
	}
	return s.Record
}

// saidBy is what the roles are told by, besides the name.
func (r *reprotecting) saidBy(sides activities.Identity) string {
	record := recordOf(sides.Sides[r.primary.Name])
	switch {
	case len(r.outdated(sides)) > 0:
		return "but a record says otherwise, which people are asked about before anything is overwritten"
	case record == nil:
		return "and no takeover is recorded"
	}
	return fmt.Sprintf("and the %s of %s says so", record.Mode, stamp(record.TakenAt()))
}
