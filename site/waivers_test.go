package site

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var waiverNow = time.Date(2026, 5, 31, 12, 0, 0, 0, time.UTC)

func waive(change func(*Waiver)) func(*Site) {
	return func(s *Site) {
		w := Waiver{Rule: "CHK-23", Nodes: []string{"west-w1"}, Reason: "agreed with security", Author: "ops@example.com", Expires: "2026-05-31"}
		change(&w)
		s.Waivers = []Waiver{w}
	}
}

func atWaiverNow(bool) Material { return Material{Now: waiverNow} }

var waiverCases = []ruleCase{
	{rule: "DOC-09", name: "unknown rule", severity: SeverityError, path: "waivers[0].rule", says: "did you mean",
		bad: waive(func(w *Waiver) { w.Rule = "CHK-230" }), good: waive(func(w *Waiver) { w.Rule = "OS-13" })},
	{rule: "DOC-09", name: "a rule of the document", severity: SeverityError, path: "waivers[0].rule", says: "correct the document",
		bad: waive(func(w *Waiver) { w.Rule = "PAR-30" }), good: waive(func(*Waiver) {})},
	{rule: "DOC-09", name: "a gate of disaster recovery", severity: SeverityError, path: "waivers[0].rule", says: "no rule that can be waived",
		bad: waive(func(w *Waiver) { w.Rule = "DR-41" }), good: waive(func(*Waiver) {})},
	{rule: "DOC-09", name: "a guard against the loss of data", severity: SeverityError, path: "waivers[0].rule", says: "no rule that can be waived",
		bad: waive(func(w *Waiver) { w.Rule = "GEN-04" }), good: waive(func(w *Waiver) { w.Rule = "PKG-03" })},
	{rule: "DOC-09", name: "all systems in one", severity: SeverityError, path: "waivers[0].rule", says: "OS-13",
		bad: waive(func(w *Waiver) { w.Rule = "OS" }), good: waive(func(w *Waiver) { w.Rule = "OS-11" })},
	{rule: "DOC-09", name: "unknown node", severity: SeverityError, path: "waivers[0].nodes[0]", says: `did you mean "west-w1"`,
		bad: waive(func(w *Waiver) { w.Nodes[0] = "wets-w1" }), good: waive(func(w *Waiver) { w.Nodes = nil })},
	{rule: "DOC-09", name: "blank reason", severity: SeverityError, path: "waivers[0].reason", says: "blank",
		bad: waive(func(w *Waiver) { w.Reason = "  " }), good: waive(func(*Waiver) {})},
	{rule: "DOC-05", name: "waiver without author", severity: SeverityError, path: "waivers[0].author", says: "required",
		bad: waive(func(w *Waiver) { w.Author = "" }), good: waive(func(*Waiver) {})},
	{rule: "DOC-09", name: "no date", severity: SeverityError, path: "waivers[0].expires", says: "YYYY-MM-DD",
		bad: waive(func(w *Waiver) { w.Expires = "31.05.2026" }), good: waive(func(*Waiver) {})},
	{rule: "DOC-09", name: "ended yesterday", severity: SeverityWarning, path: "waivers[0].expires", says: "counts again", material: atWaiverNow,
		bad: waive(func(w *Waiver) { w.Expires = "2026-05-30" }), good: waive(func(w *Waiver) { w.Expires = "2026-05-31" })},
}

func TestWaivable(t *testing.T) {
	assert.Contains(t, Waivable(), "CHK-28")
	assert.NotContains(t, Waivable(), "CHK-29")
	for _, strict := range []string{"PKG-04", "GEN-04", "DANGER-01", "OS"} {
		assert.NotContains(t, Waivable(), strict)
	}
}
