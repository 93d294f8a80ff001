package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/factstore"
	"github.com/acpflow/acpflow/internal/report"
	"github.com/acpflow/acpflow/site"
)

func TestChecksListNamesEveryRule(t *testing.T) {
	out, stderr, code := runCommand(t, "checks", "list", "-o", "json")
	require.Zero(t, code, stderr)
	var rules []ruleInfo
	require.NoError(t, json.Unmarshal([]byte(out), &rules))
	table, _, _ := runCommand(t, "checks", "list")
	long, _, _ := runCommand(t, "checks", "list", "--long")
	require.Len(t, rules, len(checks.Rules()))
	for i, r := range checks.Rules() {
		assert.Equal(t, r.ID, rules[i].ID)
		assert.NotEmpty(t, rules[i].Source, r.ID)
		assert.NotEmpty(t, rules[i].Profiles, r.ID)
		assert.Contains(t, table, "\n"+r.ID+" ")
		assert.Contains(t, table, r.Title)
		assert.Contains(t, long, r.ID+"  "+r.Title+"\n")
	}
}

func TestChecksListOfAProfile(t *testing.T) {
	for _, p := range site.Profiles() {
		out, stderr, code := runCommand(t, "checks", "list", "--profile", p, "-o", "json")
		require.Zero(t, code, stderr)
		var rules []ruleInfo
		require.NoError(t, json.Unmarshal([]byte(out), &rules))
		want := slices.DeleteFunc(checks.Rules(), func(r checks.Rule) bool { return !r.In(p) })
		assert.Len(t, rules, len(want), p)
	}
	_, stderr, code := runCommand(t, "checks", "list", "--profile", "acp-9")
	assert.Equal(t, exitBadInput, code)
	assert.Contains(t, stderr, site.DefaultProfile)
}

func TestChecksExplain(t *testing.T) {
	out, stderr, code := runCommand(t, "checks", "explain", "chk-07", "CHK-10")
	require.Zero(t, code, stderr)
	for _, text := range []string{"CHK-07  Swap is off\n", "swapoff -a", "Node preprocessing › OS and kernel", "must pass", "\n\nCHK-10  ", "waivers: [{rule: CHK-07"} {
		assert.Contains(t, out, text)
	}
	for _, r := range checks.Rules() {
		out, stderr, code := runCommand(t, "checks", "explain", r.ID)
		require.Zero(t, code, stderr)
		for _, text := range []string{r.Title, r.Source, r.Fix, r.Conflict, r.Condition, r.JudgedBy} {
			assert.Contains(t, strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(text), " "), r.ID)
		}
		assert.NotContains(t, out, "%!", r.ID)
	}
	_, stderr, code = runCommand(t, "checks", "explain", "CHK-99")
	assert.Equal(t, exitBadInput, code)
	assert.Contains(t, stderr, "CHK-07")
	_, stderr, code = runCommand(t, "checks", "explain", "swap")
	assert.Equal(t, exitBadInput, code)
	assert.Contains(t, stderr, "acpflow checks list")
}

func TestWantedIsToldByProfileWhereItDiffers(t *testing.T) {
	r := ruleInfo{Judged: true, Profiles: []string{"a", "b"}, Wanted: map[string]string{"a": "2 ms", "b": "10 ms"}}
	assert.Equal(t, []ruleLine{{"wanted", "a             2 ms"}, {"", "b             10 ms"}}, wantedLines(r))
	r.Wanted["b"] = "2 ms"
	assert.Equal(t, []ruleLine{{"wanted", "2 ms"}}, wantedLines(r))
	assert.Empty(t, wantedLines(ruleInfo{}))
}

func TestChecksDiff(t *testing.T) {
	out, stderr, code := runCommand(t, "checks", "diff", "acp-4.1-seed", "acp-4.2", "-o", "json")
	require.Zero(t, code, stderr)
	var got []checks.Difference
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	want, err := checks.Diff("acp-4.1-seed", "acp-4.2")
	require.NoError(t, err)
	assert.ElementsMatch(t, want, got)
	text, _, _ := runCommand(t, "checks", "diff", "acp-4.1-seed", "acp-4.2")
	for _, d := range want {
		assert.Contains(t, text, d.Rule+"  "+d.Title)
	}
	same, _, code := runCommand(t, "checks", "diff", "acp-4.2", "acp-4.2", "-o", "json")
	assert.Zero(t, code)
	assert.Equal(t, "[]\n", same)
	for _, bad := range [][]string{{"acp-4.2"}, {"acp-4.2", "acp-9"}, {"acp-4.2", ""}} {
		_, _, code = runCommand(t, append([]string{"checks", "diff"}, bad...)...)
		assert.Equal(t, exitBadInput, code, bad)
	}
}

func TestDifferencesSayWhenARuleIsMissing(t *testing.T) {
	newer := checks.Rule{Profiles: []string{"acp-4.2"}}
	assert.Equal(t, "has no such rule", demandText(newer, "acp-4.1", ""))
	assert.Equal(t, "10 ms", demandText(newer, "acp-4.2", "10 ms"))
	assert.Contains(t, demandText(newer, "acp-4.2", ""), "depends on the node")
}

func TestChecksCollectorPrintsTheScript(t *testing.T) {
	out, _, code := runCommand(t, "checks", "collector")
	assert.Zero(t, code)
	assert.Equal(t, checks.Collector(), out)
}

func TestCompletion(t *testing.T) {
	out, _, code := runCommand(t, cobra.ShellCompRequestCmd, "checks", "explain", "CHK-2")
	require.Zero(t, code)
	assert.Contains(t, out, "CHK-20\t")
	assert.NotContains(t, out, "CHK-07")
	out, _, _ = runCommand(t, cobra.ShellCompRequestCmd, "checks", "diff", "acp-4.1", "")
	assert.Contains(t, out, "acp-4.2\n")
	assert.NotContains(t, out, "acp-4.1\n")
	out, _, _ = runCommand(t, cobra.ShellCompRequestCmd, "checks", "judge", "--profile", "")
	assert.Contains(t, out, "acp-4.3\n")
	out, _, _ = runCommand(t, cobra.ShellCompRequestCmd, "checks", "judge", "-o", "")
	assert.Contains(t, out, "junit\n")
}

// recorded is a folder of facts of m1, the node of configSite.
func recorded(t *testing.T, nodes ...checks.NodeRecord) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "facts")
	require.NoError(t, factstore.Save(dir, checks.Record{Judged: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC), Nodes: nodes}))
	return dir
}

func TestChecksJudge(t *testing.T) {
	facts := recorded(t, checks.NodeRecord{Node: "m1", Fault: "no route to host\x1b[2J"}, checks.NodeRecord{Node: "stranger", Fault: "?"})
	args := []string{"checks", "judge", "--facts", facts, "--site", siteFile(t, configSite)}

	out, stderr, code := runCommand(t, args...)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "no route to host")
	assert.NotContains(t, out+stderr, "\x1b", "nothing steers the terminal")
	assert.Contains(t, out, "profile acp-4.1-seed, judged 2026-03-10 12:00:00 UTC")
	assert.Contains(t, stderr, "cluster west is not fit for an install")
	assert.Contains(t, stderr, "stranger")

	again, _, _ := runCommand(t, args...)
	assert.Equal(t, out, again, "the same facts give the same verdict")

	out, _, code = runCommand(t, append(args, "-o", "json", "--profile", "acp-4.3", "--cluster", "west")...)
	assert.Equal(t, exitFailed, code)
	var doc report.Document
	require.NoError(t, json.Unmarshal([]byte(out), &doc))
	assert.Equal(t, "acp-4.3", doc.Profile)
	assert.Positive(t, doc.Tally.Error)

	file := filepath.Join(t.TempDir(), "report.xml")
	out, _, code = runCommand(t, append(args, "--out", file)...)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "no route to host", "people see the table")
	xml, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(xml), "<testsuites", "the file's name tells the form")
}

func TestChecksJudgeRefuses(t *testing.T) {
	facts, doc := recorded(t, checks.NodeRecord{Node: "m1", Fault: "x"}), siteFile(t, configSite)
	for name, args := range map[string][]string{
		"no facts":         {"--site", doc},
		"no site":          {"--facts", facts},
		"no such facts":    {"--facts", "/nonexistent", "--site", doc},
		"no such site":     {"--facts", facts, "--site", "/nonexistent.yaml"},
		"unknown cluster":  {"--facts", facts, "--site", doc, "--cluster", "east"},
		"unknown profile":  {"--facts", facts, "--site", doc, "--profile", "acp-9"},
		"unknown form":     {"--facts", facts, "--site", doc, "-o", "pdf"},
		"no folder":        {"--facts", facts, "--site", doc, "--out", "/nonexistent/report.html"},
		"unknown argument": {"--facts", facts, "--site", doc, "again"},
	} {
		out, stderr, code := runCommand(t, append([]string{"checks", "judge"}, args...)...)
		assert.Equal(t, exitBadInput, code, name)
		assert.NotEmpty(t, stderr, name)
		assert.Empty(t, out, name)
	}
}

func TestTheVerdictIsTheExitCode(t *testing.T) {
	for _, c := range []struct {
		outcome checks.Outcome
		want    int
	}{
		{checks.Pass, exitOK}, {checks.Warn, exitOK}, {checks.Skipped, exitOK}, {checks.Waived, exitOK}, {checks.Fail, exitFailed}, {checks.Error, exitFailed},
	} {
		findings := []checks.Finding{{Rule: "CHK-07", Node: "m1", Outcome: c.outcome}}
		tally := checks.Count(findings)
		cmd := &cobra.Command{}
		cmd.SetOut(&bytes.Buffer{})
		f := reportFlags{}
		require.NoError(t, f.check())
		err := f.write(cmd, checks.Report{Findings: findings, Tally: tally, Blocking: tally.Blocking()})
		assert.Equal(t, c.want, exitCode(err), c.outcome)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	cmd := &cobra.Command{}
	cmd.SetOut(full)
	f := reportFlags{format: "json"}
	assert.Equal(t, exitCouldNot, exitCode(f.write(cmd, checks.Report{})), "a report that could not be written")
}

func TestAReportReplacesTheLastOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, replaceFile(file, []byte("first, long")))
	require.NoError(t, replaceFile(file, []byte("second")))
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "second", string(data))
	entries, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing is left behind")
	assert.Error(t, replaceFile(filepath.Join(file, "x"), nil))
}
