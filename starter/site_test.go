package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
)

// runSite runs "acpflow site ARGS" and returns what it printed and its exit code.
func runSite(stdin string, args ...string) (out string, code int) {
	cmd := newSiteCmd()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var b bytes.Buffer
	cmd.SetOut(&b)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetArgs(args)
	err := cmd.Execute()
	return b.String(), exitCode(err)
}

func TestSiteInitThenValidate(t *testing.T) {
	for _, pair := range []bool{false, true} {
		file := filepath.Join(t.TempDir(), "moscow.yaml")
		args := []string{"init", "--output", file}
		if pair {
			args = append(args, "--dr")
		}
		_, code := runSite("", args...)
		require.Equal(t, exitOK, code)
		_, code = runSite("", args...)
		assert.Equal(t, exitBadInput, code, "an existing file stays as it is")

		out, code := runSite("", "validate", "--no-material", file)
		assert.Equal(t, exitOK, code, out)
		assert.Contains(t, out, "site moscow can be used")
		out, code = runSite("", "validate", file)
		assert.Equal(t, exitBadInput, code)
		assert.Contains(t, out, "DOC-07", "the secrets of the example are not there")
	}
}

func TestSiteValidateReportsEveryFile(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	require.NoError(t, os.WriteFile(bad, []byte("name: moscow\nplatfrom: {}\n"), 0o600))
	out, code := runSite(string(site.Example()), "validate", "--no-material", bad, "-")
	assert.Equal(t, exitBadInput, code)
	assert.Contains(t, out, bad+":2:1: error DOC-02")
	assert.Contains(t, out, "-: site moscow can be used")
}

func TestSiteValidateJSON(t *testing.T) {
	broken := strings.Replace(string(site.Example()), "192.0.2.12", "192.0.2.11", 1)
	out, code := runSite(broken, "validate", "--no-material", "-o", "json", "-")
	assert.Equal(t, exitBadInput, code)
	var verdicts []siteVerdict
	require.NoError(t, json.Unmarshal([]byte(out), &verdicts))
	require.Len(t, verdicts, 1)
	assert.False(t, verdicts[0].OK)
	require.Equal(t, 1, verdicts[0].Errors)
	issue := verdicts[0].Issues[0]
	assert.Equal(t, "API-10", issue.Rule)
	assert.Equal(t, "clusters[0].nodes[1].address", issue.Path)
	line := strings.Split(broken, "\n")[issue.Line-1]
	assert.Equal(t, "192.0.2.11", line[issue.Column-1:][:len("192.0.2.11")], "line and column point at the address")

	out, code = runSite(string(site.Example()), "validate", "--no-material", "-o", "json", "-")
	assert.Equal(t, exitOK, code)
	require.NoError(t, json.Unmarshal([]byte(out), &verdicts))
	assert.True(t, verdicts[0].OK)
	assert.Len(t, verdicts[0].SHA256, 64)
}

func TestSiteValidateWithoutAFile(t *testing.T) {
	_, code := runSite("", "validate", "/nonexistent/moscow.yaml")
	assert.Equal(t, exitCouldNot, code)
	_, code = runSite("", "validate")
	assert.Equal(t, exitBadInput, code)
	_, code = runSite("", "validate", "-o", "xml", "-")
	assert.Equal(t, exitBadInput, code)
}

func TestSiteSchemaIsJSON(t *testing.T) {
	out, code := runSite("", "schema")
	require.Equal(t, exitOK, code)
	var schema map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &schema))
	assert.Equal(t, site.SchemaID, schema["$id"])
}

func TestSiteRulesNamesEveryRule(t *testing.T) {
	out, code := runSite("", "rules")
	require.Equal(t, exitOK, code)
	for _, r := range site.Rules() {
		assert.Contains(t, out, r.ID+" ")
	}
	out, code = runSite("", "rules", "-o", "json")
	require.Equal(t, exitOK, code)
	var rules []site.RuleInfo
	require.NoError(t, json.Unmarshal([]byte(out), &rules))
	assert.Equal(t, site.Rules(), rules)
}
