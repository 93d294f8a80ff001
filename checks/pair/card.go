package pair

import (
	"slices"
	"time"

	"github.com/acpflow/acpflow/checks"
)

// slow are rules whose facts rarely change and take a command on every node; a
// monitor reads them once an hour.
var slow = []string{"DR-22", "DR-24", "CARD-04", "CARD-05", "CARD-07", "CARD-09", "DR-15", "DR-10", "DR-30", "DR-07", "DR-34"}

// Card is the verdict on a pair.
type Card struct {
	Roles    Roles            `json:"roles"`
	Tally    checks.Tally     `json:"tally"`
	Blocking bool             `json:"blocking"`
	Findings []checks.Finding `json:"findings"`         // slim: see Full
	Good     *Good            `json:"good,omitempty"`   // all was equal in this check
	Known    *Good            `json:"known,omitempty"`  // the last time all was equal, this check included
	Deep     time.Time        `json:"deep,omitzero"`    // when the slow facts were read
	Lately   bool             `json:"lately,omitempty"` // by an earlier check
}

// Make judges the facts. When they are without the slow ones, what an earlier
// card found about them stands, or nothing is known.
func Make(f Facts, earlier *Card) Card {
	findings := Judge(f)
	out := Card{Roles: f.Roles(), Deep: f.Judged}
	if earlier != nil && !f.dead() {
		findings, out.Deep, out.Lately = carry(findings, earlier.Findings), earlier.Deep, true
	}
	out.Tally = checks.Count(findings)
	out.Blocking = out.Tally.Blocking()
	out.Good = f.good(findings)
	if l, err := f.Ledger().Get(); err == nil {
		out.Known = l.Good
	}
	if out.Good != nil {
		out.Known = out.Good
	}
	out.Findings = slim(findings)
	return out
}

// dead reports whether a side can't be reached: then nothing of it stands.
func (f Facts) dead() bool {
	return slices.ContainsFunc(f.Sides, func(s Side) bool { return s.Fault != nil })
}

// carry takes what the earlier card says of slow rules in place of "not read".
func carry(now, earlier []checks.Finding) []checks.Finding {
	for i, f := range now {
		if !slices.Contains(slow, f.Rule) || f.Outcome != checks.Error {
			continue
		}
		at := slices.IndexFunc(earlier, func(e checks.Finding) bool { return e.Rule == f.Rule && e.Node == f.Node })
		if at >= 0 {
			now[i] = Full(earlier[at])
		}
	}
	return now
}

// Carries reports whether a later check may leave out the slow facts: nothing
// about them is wrong or unknown, so no repair has to be noticed.
func (c Card) Carries() bool {
	return !c.Deep.IsZero() && !slices.ContainsFunc(c.Findings, func(f checks.Finding) bool {
		return slices.Contains(slow, f.Rule) && f.Blocking()
	})
}

// good is the proof that all was equal, judged together with the vendor's word
// and with clear roles.
func (f Facts) good(findings []checks.Finding) *Good {
	for _, g := range findings {
		if slices.Contains([]string{"DR-01", Installed, VendorSay, Equal}, g.Rule) && g.Outcome != checks.Pass {
			return nil
		}
	}
	roles, p := f.Roles(), f.Proof.Value
	standby, ok := f.side(roles.Standby)
	if !ok || p == nil || standby.Plugin.Value == nil {
		return nil
	}
	return &Good{At: p.Taken, Primary: p.Primary, Standby: p.Standby, Digest: p.Digest, Compared: p.Compared,
		Plugin: standby.Plugin.Value.Version, From: roles.Primary, To: roles.Standby}
}

// slim leaves out what a rule says of every finding; Full puts it back.
func slim(findings []checks.Finding) []checks.Finding {
	out := make([]checks.Finding, len(findings))
	for i, f := range findings {
		f.Title, f.Want, f.Source = "", "", ""
		out[i] = f
	}
	return out
}

// Full puts back into a card's finding what its rule says.
func Full(f checks.Finding) checks.Finding {
	for _, r := range Rules() {
		if r.ID == f.Rule {
			f.Title, f.Want, f.Source = r.Title, r.Want, r.Source
		}
	}
	return f
}
