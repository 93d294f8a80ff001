package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
)

func TestTable(t *testing.T) {
	golden(t, "table.txt", written(t, Table, sample(), Options{}))
	golden(t, "table-all-80.txt", written(t, Table, sample(), Options{Width: 80, All: true}))
	golden(t, "table-color.txt", written(t, Table, sample(), Options{Width: 100, Color: true}))
	golden(t, "table-well.txt", written(t, Table, well(), Options{}))
	golden(t, "table-empty.txt", written(t, Table, checks.Report{Site: "moscow", Cluster: "west"}, Options{}))
}

func TestTableColoursAddNothingElse(t *testing.T) {
	assert.Equal(t, written(t, Table, sample(), Options{Width: 70}), ansi.Strip(written(t, Table, sample(), Options{Width: 70, Color: true})))
}

func TestTableKeepsToTheWidth(t *testing.T) {
	for _, width := range []int{minText + 20, 60, 80, 120} {
		for line := range strings.Lines(written(t, Table, sample(), Options{Width: width, All: true})) {
			assert.LessOrEqual(t, ansi.StringWidth(strings.TrimSuffix(line, "\n")), width, line)
		}
	}
}

func TestTheWorstComesFirst(t *testing.T) {
	groups := grouped(sample().Findings)
	var names []string
	for _, g := range groups {
		names = append(names, g.Node)
	}
	assert.Equal(t, []string{"cp-2", "w-1", "", "cp-1"}, names)
	var outcomes []checks.Outcome
	for _, f := range groups[0].Findings {
		outcomes = append(outcomes, f.Outcome)
	}
	assert.Equal(t, []checks.Outcome{checks.Fail, checks.Error, checks.Warn, checks.Waived, checks.Pass}, outcomes)
}

func TestManyNodesAreNamedInPart(t *testing.T) {
	assert.Equal(t, "", few(nil))
	assert.Equal(t, "a, b", few([]string{"a", "b"}))
	assert.Equal(t, "a, a, a, a, a, a, a, a, a, a and 490 more", few(slices.Repeat([]string{"a"}, 500)))
}

func TestAContradictionIsToldOnce(t *testing.T) {
	r := well()
	r.Notes = []checks.Conflict{{Rule: "CAP-08", Text: "5 or 3"}, {Rule: "CHK-13", Text: "the stub"}, {Rule: "PAR-30", Text: "5 or 3"}}
	assert.Contains(t, written(t, Table, r, Options{}), "  CAP-08, PAR-30  5 or 3\n")
	assert.Contains(t, written(t, HTML, r, Options{}), "<td>CAP-08, PAR-30</td><td>5 or 3</td>")
	assert.Len(t, r.Notes, 3)
}

func TestJSON(t *testing.T) {
	text := written(t, JSON, sample(), Options{})
	golden(t, "report.json", text)
	var back Document
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&back))
	assert.Equal(t, Document{Schema, clean(sample())}, back)
	assert.Contains(t, written(t, JSON, checks.Report{}, Options{}), `"findings": []`)
}

func TestHTML(t *testing.T) {
	text := written(t, HTML, sample(), Options{})
	golden(t, "report.html", text)
	assert.NotContains(t, text, "ZgotmplZ", "html/template refused a value")
	for _, outside := range []string{"<script", "http://", "https://", "src=", "@import", "url("} {
		assert.NotContains(t, text, outside, "the page stands alone")
	}
	golden(t, "report-well.html", written(t, HTML, well(), Options{}))
}

func TestJUnit(t *testing.T) {
	text := written(t, JUnit, sample(), Options{})
	golden(t, "report.xml", text)
	suites := parseJUnit(t, text)
	assert.Equal(t, []int{12, 2, 4, 3}, []int{suites.Tests, suites.Failures, suites.Errors, suites.Skipped})
	require.Len(t, suites.Suites, 4)
	byName := map[string]junitCase{}
	for _, s := range suites.Suites {
		for _, c := range s.Cases {
			byName[s.Name+" "+c.Name] = c
		}
	}
	assert.Equal(t, "in use: /dev/sda2, /swapfile", byName["cp-2 CHK-07 Swap is off"].Failure.Message)
	assert.Contains(t, byName["cp-2 CHK-07 Swap is off"].Failure.Text, "fix: swapoff -a")
	assert.Nil(t, byName["cp-2 CHK-24 No conflicting packages"].Failure, "what could not be told is no failure")
	assert.Equal(t, "packages: rpm was killed", byName["cp-2 CHK-24 No conflicting packages"].Error.Message)
	assert.Equal(t, "waived: accepted by Ivanova until 2026-12-31: hardened image, CHG-7", byName["cp-2 CHK-23 /tmp allows programs to run"].Skipped.Message)
	assert.Equal(t, "the load balancer was not probed in this run", byName["whole cluster LB-06 The load balancer checks its ports"].Skipped.Message)
	assert.Contains(t, byName["cp-2 CHK-10 systemd allows enough tasks"].Output, "warning")
	passed := byName["cp-1 CHK-03 The ip_vs kernel modules are loaded"]
	assert.True(t, passed.Failure == nil && passed.Error == nil && passed.Skipped == nil && passed.Output == "")
}

func TestNothingJudgedIsNotGood(t *testing.T) {
	suites := parseJUnit(t, written(t, JUnit, checks.Report{Site: "moscow"}, Options{}))
	assert.Equal(t, 1, suites.Errors)
	var back Document
	require.NoError(t, json.Unmarshal([]byte(written(t, JSON, checks.Report{}, Options{})), &back))
	assert.True(t, back.Blocking)
	assert.Contains(t, written(t, Table, checks.Report{}, Options{}), "not fit")
	assert.Contains(t, written(t, HTML, checks.Report{}, Options{}), "verdict bad")
}

func TestAnUnknownOutcomeIsAnError(t *testing.T) {
	r := well()
	r.Findings[0].Outcome = "splendid"
	for _, f := range Formats() {
		text := written(t, Format(f), r, Options{})
		assert.Contains(t, text, "unknown outcome", f)
	}
	assert.Equal(t, 1, parseJUnit(t, written(t, JUnit, r, Options{})).Errors)
	assert.True(t, clean(r).Blocking)
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	assert.ErrorContains(t, Write(io.Discard, "pdf", sample(), Options{}), "table json html junit")
}

func TestAFullDiskIsNoticed(t *testing.T) {
	for _, f := range Formats() {
		assert.ErrorIs(t, Write(full{}, Format(f), sample(), Options{}), errFull, f)
	}
}

var errFull = errors.New("no space left on device")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func parseJUnit(t testing.TB, text string) junitSuites {
	t.Helper()
	var out junitSuites
	require.NoError(t, xml.Unmarshal([]byte(text), &out))
	return out
}

// TestTheDocsShowARealReport keeps the example in docs/checks.md true.
func TestTheDocsShowARealReport(t *testing.T) {
	const file, begin, end = "../../docs/checks.md", "<!-- report -->\n```\n", "\n```\n"
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	head, rest, found := strings.Cut(string(data), begin)
	require.True(t, found)
	shown, tail, found := strings.Cut(rest, end)
	require.True(t, found)
	want := strings.TrimSuffix(written(t, Table, sample(), Options{Width: 110}), "\n")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(head+begin+want+end+tail), 0o644))
		return
	}
	assert.Equal(t, want, shown)
}
