package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

func capacityJSON(t *testing.T, args ...string) (capacityAnswer, int) {
	t.Helper()
	out, stderr, code := runCommand(t, append([]string{"capacity", "-o", "json"}, args...)...)
	var a capacityAnswer
	require.NoError(t, json.Unmarshal([]byte(out), &a), stderr)
	return a, code
}

func TestCapacityIsThePlan(t *testing.T) {
	for _, in := range []checks.CapacityInput{
		{Profile: "acp-4.1-seed", Scenario: site.MultiCluster, Architecture: "amd64", WorkloadClusters: 30},
		{Profile: "acp-4.2", Scenario: site.MultiCluster, Architecture: "arm64", WorkloadClusters: 120},
		{Profile: "acp-4.3", Scenario: site.SingleCluster, Architecture: "amd64", Pods: 200},
		{Profile: "acp-4.1", Scenario: site.SingleNode, Architecture: "arm64"},
	} {
		want, err := checks.PlanCapacity(in)
		require.NoError(t, err)
		args := []string{"--profile", in.Profile, "--scenario", string(in.Scenario), "--arch", in.Architecture,
			"--workload-clusters", strconv.Itoa(in.WorkloadClusters), "--pods", strconv.Itoa(in.Pods)}
		got, code := capacityJSON(t, args...)
		assert.Zero(t, code)
		assert.Equal(t, want, got.CapacityPlan)
		text, _, code := runCommand(t, append([]string{"capacity"}, args...)...)
		assert.Zero(t, code)
		for _, note := range want.Notes {
			assert.Contains(t, text, note)
		}
		for _, n := range want.Nodes {
			assert.Contains(t, text, sizeText(n.Least))
		}
		assert.Equal(t, !want.Production, strings.Contains(text, "NOT for production"))
	}
}

func TestCapacityOfADocument(t *testing.T) {
	doc := siteFile(t, configSite)
	got, code := capacityJSON(t, "--site", doc)
	assert.Zero(t, code)
	assert.Equal(t, site.SingleNode, got.Scenario)
	assert.Equal(t, site.DefaultProfile, got.Profile)
	assert.Equal(t, &capacityNodes{ControlPlanes: 1}, got.Have)

	got, _ = capacityJSON(t, "--site", doc, "--scenario", "multi-cluster", "--workload-clusters", "20", "--profile", "acp-4.2", "--arch", "arm64")
	assert.Equal(t, checks.CapacityInput{Profile: "acp-4.2", Scenario: site.MultiCluster, Architecture: "arm64", WorkloadClusters: 20}, got.CapacityInput, "flags win")
}

func TestCapacityJudgesTheNodes(t *testing.T) {
	facts, doc := recorded(t, checks.NodeRecord{Node: "m1", Fault: "no route to host"}), siteFile(t, configSite)
	got, code := capacityJSON(t, "--site", doc, "--facts", facts)
	assert.Equal(t, exitFailed, code, "what can't be told is no pass")
	require.NotEmpty(t, got.Findings)
	for _, f := range got.Findings {
		assert.True(t, aboutSize(f.Rule), f.Rule)
	}
	text, _, _ := runCommand(t, "capacity", "--site", doc, "--facts", facts)
	assert.Contains(t, text, "no route to host")
}

func TestCapacityRefuses(t *testing.T) {
	doc := siteFile(t, configSite)
	for name, args := range map[string][]string{
		"scenario":     {"--scenario", "huge"},
		"architecture": {"--arch", "riscv"},
		"profile":      {"--profile", "acp-9"},
		"negative":     {"--pods", "-1", "--scenario", "single-cluster"},
		"mixed up":     {"--scenario", "single-node", "--workload-clusters", "3"},
		"facts alone":  {"--facts", t.TempDir()},
		"no facts":     {"--site", doc, "--facts", t.TempDir()},
		"no site":      {"--site", "/nonexistent.yaml"},
		"cluster":      {"--site", doc, "--cluster", "east"},
	} {
		_, stderr, code := runCommand(t, append([]string{"capacity"}, args...)...)
		assert.Equal(t, exitBadInput, code, "%s: %s", name, stderr)
	}
}

func TestCapacityCompletes(t *testing.T) {
	out, _, _ := runCommand(t, cobra.ShellCompRequestCmd, "capacity", "--scenario", "")
	assert.Contains(t, out, "single-cluster\n")
}
