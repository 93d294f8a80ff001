package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/acpflow/acpflow/checks"
)

// The elements that CI systems read (the JUnit XML of Ant, as Jenkins and
// GitLab take it): one suite per node, one case per rule.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Failure *junitResult `xml:"failure"`
	Error   *junitResult `xml:"error"`
	Skipped *junitResult `xml:"skipped"`
	Output  string       `xml:"system-out,omitempty"`
}

type junitResult struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

func writeJUnit(w io.Writer, r checks.Report) error {
	out := junitSuites{Name: fmt.Sprintf("acpflow preflight of %s/%s", r.Site, r.Cluster)}
	groups := grouped(r.Findings)
	if len(groups) == 0 { // an empty file would be green
		groups = []group{{Findings: []checks.Finding{{Rule: "acpflow", Title: "Something was judged", Outcome: checks.Error, Reason: headline(r)}}}}
	}
	for _, g := range groups {
		suite := suiteOf(r, g)
		out.Tests += suite.Tests
		out.Failures += suite.Failures
		out.Errors += suite.Errors
		out.Skipped += suite.Skipped
		out.Suites = append(out.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func suiteOf(r checks.Report, g group) junitSuite {
	tally := checks.Count(g.Findings)
	out := junitSuite{
		Name: g.Name(), Tests: tally.Total(), Failures: tally.Fail, Errors: tally.Error, Skipped: tally.Skipped + tally.Waived,
		Time: "0", Timestamp: r.Judged.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{
			{"site", r.Site}, {"cluster", r.Cluster}, {"profile", r.Profile}, {"judged", r.Judged.UTC().Format(time.RFC3339)},
		},
	}
	for _, f := range g.Findings {
		c := junitCase{Class: "acpflow." + r.Site + "." + r.Cluster + "." + g.Name(), Name: strings.TrimSpace(f.Rule + " " + f.Title), Time: "0"}
		result := &junitResult{Message: f.Reason, Text: details(f)}
		if f.Seen != "" {
			result.Message = f.Seen
		}
		switch f.Outcome {
		case checks.Fail:
			result.Type = "fail"
			c.Failure = result
		case checks.Error:
			result.Type = "error"
			c.Error = result
		case checks.Skipped:
			c.Skipped = &junitResult{Message: f.Reason}
		case checks.Waived:
			c.Skipped = &junitResult{Message: "waived: " + f.Reason, Text: details(f)}
		case checks.Warn:
			c.Output = "warning\n" + details(f)
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

// details are the lines of a finding that a person reads.
func details(f checks.Finding) string {
	var b strings.Builder
	for _, part := range parts(f) {
		fmt.Fprintf(&b, "%s: %s\n", part.name, part.text)
	}
	return b.String()
}

// part is one labelled text of a finding.
type part struct{ name, text string }

// parts are what a finding has to say beside its title.
func parts(f checks.Finding) []part {
	var out []part
	for _, p := range []part{{"seen", f.Seen}, {"nodes", few(f.Nodes)}, {"reason", f.Reason}, {"wanted", f.Want}, {"fix", f.Fix}, {"source", f.Source}} {
		if p.text != "" {
			out = append(out, p)
		}
	}
	return out
}

// few names the first of many nodes; the JSON has them all.
func few(nodes []string) string {
	const most = 10
	if len(nodes) <= most {
		return strings.Join(nodes, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(nodes[:most], ", "), len(nodes)-most)
}
