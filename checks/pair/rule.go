package pair

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

// Rule is one line of the card.
type Rule struct {
	ID     string // a requirement's where one fits, else CARD-…
	Title  string
	Want   string
	Fix    string
	Source string // heading of the document

	// One of the two judges: about each side, or about the pair.
	side func(Facts, Side) verdict
	both func(Facts) verdict
}

// Headings of the document.
const (
	headPair  = "Global disaster recovery"
	headSync  = "Global disaster recovery › Enable etcd sync"
	headCheck = "Global disaster recovery › Check the sync status"
	headFail  = "Global disaster recovery › Disaster recovery"
	headCard  = "acpflow's own, beyond the document"
)

// Rules lists all, in the order of the card.
func Rules() []Rule {
	return slices.Concat(rulesOfRoles, rulesOfSync, rulesOfKeys, rulesOfTrust, rulesOfWays, rulesOfContents)
}

// verdict is a Finding without what the rule itself says.
type verdict struct {
	outcome      checks.Outcome
	seen, reason string
	fix          string
}

func pass(format string, args ...any) verdict {
	return verdict{outcome: checks.Pass, seen: fmt.Sprintf(format, args...)}
}

func warn(format string, args ...any) verdict {
	return verdict{outcome: checks.Warn, seen: fmt.Sprintf(format, args...)}
}

func fail(format string, args ...any) verdict {
	return verdict{outcome: checks.Fail, seen: fmt.Sprintf(format, args...)}
}

func skipped(reason string) verdict { return verdict{outcome: checks.Skipped, reason: reason} }

func unknown(err error) verdict { return verdict{outcome: checks.Error, reason: err.Error()} }

func (v verdict) withFix(fix string) verdict { v.fix = fix; return v }

// Judge applies every rule: one finding per rule, or one per side, whose name
// then stands in Node. A rule that can't be judged gives Error, never Pass.
func Judge(f Facts) []checks.Finding {
	var out []checks.Finding
	absent, onPurpose := f.absentOnPurpose()
	for _, r := range Rules() {
		switch {
		case onPurpose && slices.Contains(needSync, r.ID):
			out = append(out, r.finding("", r.withoutSync(f, absent.Reason)))
		case r.both != nil:
			out = append(out, r.finding("", r.both(f)))
		default:
			for _, s := range f.Sides {
				out = append(out, r.finding(s.Cluster, r.ofSide(f, s)))
			}
		}
	}
	return out
}

// withoutSync is what a rule about the synchronizer says while it is absent on
// purpose. What a proof found is still told, but only as a warning: while nothing
// is copied both sides drift apart.
func (r Rule) withoutSync(f Facts, reason string) verdict {
	if r.ID == Equal && f.Proof.Value != nil {
		v := judgeProof(f)
		if v.outcome != checks.Pass {
			v.outcome, v.seen = checks.Warn, cmp.Or(v.seen, v.reason)
			v.reason = "the synchronizer is absent on purpose: " + reason
		}
		return v
	}
	return skipped("the synchronizer is absent on purpose: " + reason)
}

// ofSide knows nothing of a side that can't be reached.
func (r Rule) ofSide(f Facts, s Side) verdict {
	if s.Fault != nil && r.ID != reachable {
		return unknown(fmt.Errorf("the side can't be reached: %s", s.Fault.Message))
	}
	return r.side(f, s)
}

func (r Rule) finding(side string, v verdict) checks.Finding {
	f := checks.Finding{Rule: r.ID, Title: r.Title, Node: side, Source: r.Source,
		Outcome: v.outcome, Seen: v.seen, Reason: v.reason, Want: r.Want}
	switch {
	case v.outcome == checks.Pass || v.outcome == checks.Skipped:
	case v.fix != "":
		f.Fix = v.fix
	case v.outcome == checks.Error: // the rule's own fix may destroy what is well
		f.Fix = "find out why this can't be told, then check again"
	default:
		f.Fix = r.Fix
	}
	return f
}

// absentOnPurpose tells the waiver under which no side carries the synchronizer,
// for example during an upgrade. A side that is not known may carry it.
func (f Facts) absentOnPurpose() (site.Waiver, bool) {
	for _, s := range f.Sides {
		if p, err := s.Plugin.Get(); err != nil || p.Present {
			return site.Waiver{}, false
		}
	}
	return site.WaiverFor(f.Site.Waivers, Installed, "", f.Judged)
}

// endedWaiver names one that once accepted the absence.
func (f Facts) endedWaiver() string {
	for _, w := range f.Site.Waivers {
		if _, holds := site.WaiverFor([]site.Waiver{w}, Installed, "", f.Judged); w.Rule == Installed && !holds {
			return fmt.Sprintf("; the waiver of %s ended on %s", w.Author, w.Expires)
		}
	}
	return ""
}

// age says how long ago, for a person.
func age(now, then time.Time) string {
	d := now.Sub(then)
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

// some lists the first few of many.
func some(all []string) string {
	const most = 5
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}
