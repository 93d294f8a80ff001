package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

//go:embed report.html.tmpl
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"parts": func(f checks.Finding) []htmlPart {
		var out []htmlPart
		for _, p := range parts(f) {
			out = append(out, htmlPart{p.name, p.text, p.name == "fix"})
		}
		return out
	},
	"mark":  func(o checks.Outcome) string { return marks[o].mark },
	"word":  func(o checks.Outcome) string { return words[o] },
	"count": countOf,
	"join":  strings.Join,
	"nodes": nodesOf,
}).Parse(pageText))

type htmlPart struct {
	Name, Text string
	Code       bool // shown as typed, to be copied
}

// htmlPage is what the template reads.
type htmlPage struct {
	checks.Report
	Headline string
	When     string
	Filters  []htmlFilter
	Groups   []htmlGroup
	Waived   []htmlWaiver
}

type htmlFilter struct {
	Outcome checks.Outcome
	Count   int
	On      bool // shown at first
}

type htmlGroup struct {
	ID     string // of the section; never a node's own text
	Title  string
	Counts string
	Open   bool
	group
}

type htmlWaiver struct {
	site.Waiver
	Ended bool
}

func writeHTML(w io.Writer, r checks.Report) error {
	r.Notes = conflicts(r.Notes)
	p := htmlPage{Report: r, Headline: headline(r), When: r.Judged.UTC().Format("2 January 2006, 15:04:05 UTC")}
	for _, o := range worst {
		calm := o == checks.Pass || o == checks.Skipped
		p.Filters = append(p.Filters, htmlFilter{o, countOf(r.Tally, o), !calm})
	}
	for i, g := range grouped(r.Findings) {
		p.Groups = append(p.Groups, htmlGroup{
			ID: fmt.Sprintf("n%d", i), Title: g.Name(), Counts: strings.Join(counts(g.Tally), ", "),
			Open: g.blocking() || g.Tally.Warn+g.Tally.Waived > 0, group: g,
		})
	}
	for _, w := range r.Waivers {
		p.Waived = append(p.Waived, htmlWaiver{w, ended(w.Expires, r.Judged)})
	}
	return page.Execute(w, p)
}

// Machine is the time for <time datetime>.
func (p htmlPage) Machine() string { return p.Judged.UTC().Format(time.RFC3339) }
