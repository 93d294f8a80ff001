// Package report writes the verdict of a check for people and for machines: a
// table for the terminal, JSON, one self-contained HTML page, and JUnit XML.
// It is pure: the same report gives the same bytes.
package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/acpflow/acpflow/checks"
)

// Format names a form of the report.
type Format string

// The forms.
const (
	Table Format = "table"
	JSON  Format = "json"
	HTML  Format = "html"
	JUnit Format = "junit"
)

// Formats lists the forms, the default first.
func Formats() []string {
	return []string{string(Table), string(JSON), string(HTML), string(JUnit)}
}

// Options are about the table only.
type Options struct {
	Width int  // columns of the terminal; 0 = don't wrap
	Color bool // with ANSI colours
	All   bool // also what passed or was skipped

	Head  string // first line instead of the verdict of a preflight
	Whole string // what findings about no node are about, instead of the whole cluster
}

// Write writes the report to w. What nodes said in it can neither steer a
// terminal nor leave its place in a document. The error is w's, or says that
// there is no such form.
func Write(w io.Writer, f Format, r checks.Report, o Options) error {
	r = clean(r)
	switch f {
	case Table:
		return writeTable(w, r, o)
	case JSON:
		return writeJSON(w, r)
	case HTML:
		return writeHTML(w, r)
	case JUnit:
		return writeJUnit(w, r)
	}
	return fmt.Errorf("there is no report format %q; there are: %v", f, Formats())
}

// group is what was found about one node; the empty node is the whole cluster.
type group struct {
	Node     string
	Findings []checks.Finding // worst first
	Tally    checks.Tally
}

// Name is the node, or says that the group is about all of them.
func (g group) Name() string {
	if g.Node == "" {
		return "whole cluster"
	}
	return g.Node
}

// blocking reports whether something in the group stops an install.
func (g group) blocking() bool { return g.Tally.Fail+g.Tally.Error > 0 }

// worst orders outcomes by how much they want a person.
var worst = []checks.Outcome{checks.Fail, checks.Error, checks.Warn, checks.Waived, checks.Pass, checks.Skipped}

// grouped keeps the order of the nodes, but those that stop an install come
// first; within a node the worst come first, else in the order of the document.
func grouped(findings []checks.Finding) []group {
	var out []group
	at := map[string]int{}
	for _, f := range findings {
		i, ok := at[f.Node]
		if !ok {
			i = len(out)
			at[f.Node] = i
			out = append(out, group{Node: f.Node})
		}
		out[i].Findings = append(out[i].Findings, f)
	}
	for i := range out {
		out[i].Tally = checks.Count(out[i].Findings)
		slices.SortStableFunc(out[i].Findings, func(a, b checks.Finding) int {
			return slices.Index(worst, a.Outcome) - slices.Index(worst, b.Outcome)
		})
	}
	slices.SortStableFunc(out, func(a, b group) int {
		switch {
		case a.blocking() == b.blocking():
			return 0
		case a.blocking():
			return -1
		}
		return 1
	})
	return out
}

// headline is the verdict in a few words.
func headline(r checks.Report) string {
	switch {
	case len(r.Findings) == 0:
		return "nothing was judged: not fit for an install"
	case r.Blocking:
		return "not fit for an install"
	case r.Tally.Warn > 0:
		return "fit for an install, with warnings"
	}
	return "fit for an install"
}

// counts tells a tally in words, worst first; what is zero is left out.
func counts(t checks.Tally) []string {
	var out []string
	for _, o := range worst {
		if n := countOf(t, o); n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, words[o]))
		}
	}
	return out
}

// words say how many findings had an outcome.
var words = map[checks.Outcome]string{
	checks.Fail: "failed", checks.Error: "could not be told", checks.Warn: "warned",
	checks.Waived: "waived", checks.Pass: "passed", checks.Skipped: "skipped",
}

func countOf(t checks.Tally, o checks.Outcome) int {
	return map[checks.Outcome]int{
		checks.Fail: t.Fail, checks.Error: t.Error, checks.Warn: t.Warn,
		checks.Waived: t.Waived, checks.Pass: t.Pass, checks.Skipped: t.Skipped,
	}[o]
}

// conflicts names each contradiction once, with all rules that it is about.
func conflicts(notes []checks.Conflict) []checks.Conflict {
	var out []checks.Conflict
	for _, n := range notes {
		i := slices.IndexFunc(out, func(c checks.Conflict) bool { return c.Text == n.Text })
		if i < 0 {
			out = append(out, n)
		} else {
			out[i].Rule += ", " + n.Rule
		}
	}
	return out
}
