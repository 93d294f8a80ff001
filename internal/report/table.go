package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/acpflow/acpflow/checks"
)

// minText is the narrowest column that text is wrapped into, whatever the
// terminal's width.
const minText = 20

// marks and colours of the outcomes. The word stands beside the mark: colour
// and shape alone tell some people nothing.
var marks = map[checks.Outcome]struct{ mark, color string }{
	checks.Fail:    {"✖", "\x1b[31m"},
	checks.Error:   {"?", "\x1b[35m"},
	checks.Warn:    {"!", "\x1b[33m"},
	checks.Waived:  {"~", "\x1b[36m"},
	checks.Pass:    {"✔", "\x1b[32m"},
	checks.Skipped: {"-", "\x1b[2m"},
}

const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	plain = "\x1b[0m"
)

// table collects the lines of the terminal's report.
type table struct {
	b strings.Builder
	o Options
}

func writeTable(w io.Writer, r checks.Report, o Options) error {
	t := &table{o: o}
	head := o.Head
	if head == "" {
		head = fmt.Sprintf("Preflight of cluster %s, site %s: %s", r.Cluster, r.Site, headline(r))
	}
	t.say(t.paint(bold, head))
	judged := "judged " + r.Judged.UTC().Format("2006-01-02 15:04:05 UTC")
	if o.Head == "" {
		judged = "profile " + r.Profile + ", " + judged
	}
	t.say(judged)
	for _, g := range grouped(r.Findings) {
		t.group(g)
	}
	t.conflicts(conflicts(r.Notes))
	t.waivers(r)
	t.b.WriteString("\n")
	t.say(t.total(r.Tally))
	_, err := io.WriteString(w, t.b.String())
	return err
}

// group is one node: its counts, then what a person must see of it.
func (t *table) group(g group) {
	t.b.WriteString("\n")
	name := g.Name()
	if g.Node == "" && t.o.Whole != "" {
		name = t.o.Whole
	}
	t.say(t.paint(bold, name) + "  " + strings.Join(counts(g.Tally), ", "))
	for _, e := range t.entries(g.Findings) {
		t.entry(e)
	}
}

// entry is one finding, or several rules that could not be told for one reason.
type entry struct {
	checks.Finding
	also []string // further rules
}

// entries leaves out what is well unless it was asked for. A node that can't be
// read has all rules in error for one reason, which is said once.
func (t *table) entries(findings []checks.Finding) []entry {
	var out []entry
	for _, f := range findings {
		if !t.o.All && (f.Outcome == checks.Pass || f.Outcome == checks.Skipped) {
			continue
		}
		if n := len(out); n > 0 && f.Outcome == checks.Error && out[n-1].Outcome == checks.Error && out[n-1].Reason == f.Reason && f.Seen == "" && out[n-1].Seen == "" {
			out[n-1].also = append(out[n-1].also, f.Rule)
			continue
		}
		out = append(out, entry{Finding: f})
	}
	return out
}

func (t *table) entry(e entry) {
	look := marks[e.Outcome]
	head := fmt.Sprintf("  %s %-7s ", look.mark, e.Outcome)
	if len(e.also) > 0 {
		t.hanging(t.paint(look.color, head), fmt.Sprintf("%s  %s", t.paint(bold, fmt.Sprintf("%d rules", len(e.also)+1)), e.Reason))
		t.labelled("rules", strings.Join(slices.Concat([]string{e.Rule}, e.also), " "))
		t.labelled("fix", e.Fix)
		return
	}
	t.hanging(t.paint(look.color, head), t.paint(bold, e.Rule)+"  "+e.Title)
	if e.Outcome == checks.Pass || e.Outcome == checks.Skipped {
		t.labelled("seen", e.Seen)
		t.labelled("reason", e.Reason)
		return
	}
	for _, p := range parts(e.Finding) {
		t.labelled(p.name, p.text)
	}
}

const labelIndent = "            "

func (t *table) labelled(name, text string) {
	for i, l := range strings.Split(text, "\n") {
		if l == "" {
			continue
		}
		label := fmt.Sprintf("%-7s ", name)
		if i > 0 {
			label = strings.Repeat(" ", len(label))
		}
		t.hanging(labelIndent+t.paint(dim, label), l)
	}
}

func (t *table) conflicts(notes []checks.Conflict) {
	if len(notes) == 0 {
		return
	}
	t.b.WriteString("\n")
	t.say(t.paint(bold, "The vendor's document contradicts itself"))
	for _, n := range notes {
		t.hanging(fmt.Sprintf("  %-7s  ", n.Rule), strings.ReplaceAll(n.Text, "\n", " "))
	}
}

func (t *table) waivers(r checks.Report) {
	if len(r.Waivers) == 0 {
		return
	}
	t.b.WriteString("\n")
	t.say(t.paint(bold, "Waivers of the site document"))
	for _, w := range r.Waivers {
		text := fmt.Sprintf("%s, by %s until %s: %s", nodesOf(w.Nodes), w.Author, w.Expires, w.Reason)
		if ended(w.Expires, r.Judged) {
			text = "ENDED; " + text
		}
		t.hanging(fmt.Sprintf("  %-7s  ", w.Rule), text)
	}
}

func nodesOf(nodes []string) string {
	if len(nodes) == 0 {
		return "every node"
	}
	return strings.Join(nodes, ", ")
}

// ended reports whether the last valid day of a waiver has passed; a date that
// can't be read covers nothing.
func ended(expires string, at time.Time) bool {
	last, err := time.Parse(time.DateOnly, expires)
	return err != nil || !at.UTC().Before(last.AddDate(0, 0, 1))
}

func (t *table) total(tally checks.Tally) string {
	var out []string
	for _, o := range worst {
		if n := countOf(tally, o); n > 0 {
			out = append(out, t.paint(marks[o].color, fmt.Sprintf("%s %d %s", marks[o].mark, n, words[o])))
		}
	}
	if len(out) == 0 {
		return "0 findings"
	}
	return strings.Join(out, " · ")
}

func (t *table) paint(color, s string) string {
	if !t.o.Color {
		return s
	}
	return color + s + plain
}

// hanging writes text after a head; further lines stand under its beginning.
func (t *table) hanging(head, text string) {
	indent := ansi.StringWidth(head)
	if t.o.Width > 0 && indent > max(t.o.Width/2, minText) { // a head that leaves no room beside it
		t.b.WriteString(strings.TrimRight(head, " ") + "\n")
		head, indent = "    ", 4
	}
	for i, l := range t.wrap(text, indent) {
		if i > 0 {
			head = strings.Repeat(" ", indent)
		}
		t.b.WriteString(strings.TrimRight(head+l, " ") + "\n")
	}
}

// wrap breaks text at blanks, and words that are longer than a line anywhere.
func (t *table) wrap(text string, indent int) []string {
	if t.o.Width <= 0 {
		return []string{text}
	}
	width := max(t.o.Width-indent, minText)
	var lines []string
	current := ""
	for _, word := range strings.Split(text, " ") {
		if current != "" && ansi.StringWidth(current)+1+ansi.StringWidth(word) <= width {
			current += " " + word
			continue
		}
		if current != "" {
			lines = append(lines, current)
		}
		pieces := strings.Split(ansi.Hardwrap(word, width, true), "\n")
		lines = append(lines, pieces[:len(pieces)-1]...)
		current = pieces[len(pieces)-1]
	}
	return append(lines, current)
}

// say writes a paragraph.
func (t *table) say(text string) { t.hanging("", text) }
