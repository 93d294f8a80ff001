package site

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a problem stops the site from being used.
type Severity string

// The severities. Only errors stop a run; a warning is printed and recorded.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Issue is one problem of a document. Messages never contain the value of a
// field that refers to a secret: they end in logs and in workflow history.
type Issue struct {
	Rule     string   `json:"rule"` // requirement id, see Rules
	Severity Severity `json:"severity"`
	Path     string   `json:"path,omitempty"`   // clusters[0].nodes[1].address; empty = the whole document
	Line     int      `json:"line,omitempty"`   // 1-based; 0 = unknown, the document did not come from a file
	Column   int      `json:"column,omitempty"` // 1-based, in characters
	Message  string   `json:"message"`
	Fix      string   `json:"fix,omitempty"`
	Source   string   `json:"source,omitempty"` // where the rule comes from
}

// Problems is everything that is wrong with one document: what Parse could not
// read and what Validate does not accept. It is an error only through Err,
// because warnings alone are none.
type Problems struct {
	File   string  `json:"file,omitempty"`
	Issues []Issue `json:"issues"`
}

// Errors counts the issues that stop the site from being used.
func (p Problems) Errors() int { return p.count(SeverityError) }

// Warnings counts the issues that do not.
func (p Problems) Warnings() int { return p.count(SeverityWarning) }

// Err returns p when it holds at least one error, else nil.
func (p Problems) Err() error {
	if p.Errors() == 0 {
		return nil
	}
	return p
}

// Error lists the problems, one a line, errors first.
func (p Problems) Error() string {
	lines := []string{fmt.Sprintf("%s: %s", cmp.Or(p.File, "site document"), p.summary())}
	for _, severity := range []Severity{SeverityError, SeverityWarning} {
		for _, i := range p.Issues {
			if i.Severity == severity {
				lines = append(lines, "  "+p.line(i))
			}
		}
	}
	if more := len(lines) - 1 - maxFaults; more > 0 {
		lines = append(lines[:1+maxFaults], fmt.Sprintf("  and %d more", more))
	}
	if slices.ContainsFunc(p.Issues, ofForm) {
		lines = append(lines, "  The rules are judged as soon as the document can be read.")
	}
	return strings.Join(lines, "\n")
}

// ofForm reports whether Parse found the issue.
func ofForm(i Issue) bool { return i.Rule >= "DOC-01" && i.Rule <= "DOC-04" }

// line is "file:3:5: error DR-14 platform.address: message. Fix: fix".
func (p Problems) line(i Issue) string {
	var b strings.Builder
	b.WriteString(cmp.Or(p.File, "site"))
	if i.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", i.Line, i.Column)
	}
	fmt.Fprintf(&b, ": %s %s", i.Severity, i.Rule)
	if i.Path != "" {
		b.WriteString(" " + i.Path)
	}
	b.WriteString(": " + strings.TrimSuffix(i.Message, "."))
	if i.Fix != "" {
		b.WriteString(". Fix: " + i.Fix)
	}
	return b.String()
}

func (p Problems) summary() string {
	return fmt.Sprintf("%s, %s", plural(p.Errors(), "error"), plural(p.Warnings(), "warning"))
}

func (p Problems) count(s Severity) int {
	n := 0
	for _, i := range p.Issues {
		if i.Severity == s {
			n++
		}
	}
	return n
}

// sorted orders issues as a reader of the file meets them.
func sorted(issues []Issue) []Issue {
	slices.SortStableFunc(issues, func(a, b Issue) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Rule, b.Rule))
	})
	return issues
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
