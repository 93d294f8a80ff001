package report

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

// clean makes every text of a report printable, and an outcome that nobody
// knows an error: no form of the report may show it as good.
func clean(r checks.Report) checks.Report {
	for _, s := range []*string{&r.Site, &r.Cluster, &r.Profile} {
		*s = line(*s)
	}
	r.Findings = slices.Clone(r.Findings)
	for i := range r.Findings {
		f := &r.Findings[i]
		for _, s := range []*string{&f.Rule, &f.Title, &f.Node, &f.Seen, &f.Want, &f.Reason, &f.Source} {
			*s = line(*s)
		}
		f.Fix = text(f.Fix)
		if !slices.Contains(worst, f.Outcome) {
			f.Reason = strings.TrimSpace("unknown outcome " + strconv.QuoteToASCII(string(f.Outcome)) + " " + f.Reason)
			f.Outcome = checks.Error
		}
	}
	r.Tally = checks.Count(r.Findings)
	r.Blocking = r.Blocking || r.Tally.Blocking()
	r.Notes = slices.Clone(r.Notes)
	for i := range r.Notes {
		r.Notes[i] = checks.Conflict{Rule: line(r.Notes[i].Rule), Text: text(r.Notes[i].Text)}
	}
	waivers := make([]site.Waiver, len(r.Waivers))
	for i, w := range r.Waivers {
		var nodes []string
		for _, n := range w.Nodes {
			nodes = append(nodes, line(n))
		}
		waivers[i] = site.Waiver{Rule: line(w.Rule), Nodes: nodes, Reason: line(w.Reason), Author: line(w.Author), Expires: line(w.Expires)}
	}
	r.Waivers = waivers
	return r
}

// line is s on one line, with everything that does not print written out:
// control and format characters (ANSI, bidi) and bytes that are no UTF-8.
func line(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			const hex = "0123456789abcdef"
			b.WriteString(`\x` + string(hex[s[i]>>4]) + string(hex[s[i]&15]))
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += size
	}
	return b.String()
}

// text is line for what may have several lines, as a fix with two commands.
func text(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = line(lines[i])
	}
	return strings.Join(lines, "\n")
}
