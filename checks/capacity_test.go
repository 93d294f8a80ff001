package checks

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file; -update rewrites it after a wanted change.
func golden(t *testing.T, file, got string) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

// platforms are what the golden plans are for.
func platforms(profile string) []CapacityInput {
	var out []CapacityInput
	for _, arch := range []string{"amd64", "arm64"} {
		for _, pods := range []int{10, 11} {
			out = append(out, CapacityInput{profile, site.SingleNode, arch, 0, pods})
		}
		for _, pods := range []int{0, 100, 101} {
			out = append(out, CapacityInput{profile, site.SingleCluster, arch, 0, pods})
		}
		for _, clusters := range []int{0, 9, 10, 11, 50, 51, 100, 101, 500, 501} {
			out = append(out, CapacityInput{profile, site.MultiCluster, arch, clusters, 0})
		}
	}
	return out
}

func allPlans(t *testing.T, e edition) string {
	t.Helper()
	var b strings.Builder
	for _, in := range platforms("any") {
		plan, err := e.plan(in)
		require.NoError(t, err)
		data, err := json.Marshal(plan)
		require.NoError(t, err)
		b.Write(append(data, '\n'))
	}
	return b.String()
}

func TestPlanCapacity(t *testing.T) {
	for _, profile := range []string{seed, acp41} {
		var b strings.Builder
		for _, in := range platforms(profile) {
			plan, err := PlanCapacity(in)
			require.NoError(t, err)
			fmt.Fprintf(&b, "%s %s, %d clusters, %d Pods: at least %d cores, %d GB\n", in.Scenario, in.Architecture, in.WorkloadClusters, in.Pods, plan.Cores, plan.Memory)
			for _, n := range plan.Nodes {
				fmt.Fprintf(&b, "  %d %s of %s, advised %s, infra %v; %s; %s\n", n.Count, n.Role, n.Least, n.Advised, n.Infra, n.Note, strings.Join(n.Rules, " "))
			}
			for _, d := range plan.Disks {
				fmt.Fprintf(&b, "  disk %s %s %d GB, advised %d GB\n", d.Path, d.Role, d.Least, d.Advised)
			}
			for _, g := range plan.Growth {
				fmt.Fprintf(&b, "  growth to %d clusters, %d Pods: %s\n", g.Clusters, g.Pods, g.Text)
			}
			for _, n := range plan.Notes {
				fmt.Fprintf(&b, "  %s\n", n)
			}
		}
		golden(t, "capacity/"+profile+".txt", b.String())
	}
}

// The numbers of the document itself.
func TestPlanCapacityNumbers(t *testing.T) {
	plan := func(in CapacityInput) CapacityPlan {
		p, err := PlanCapacity(in)
		require.NoError(t, err)
		return p
	}
	p := plan(CapacityInput{})
	assert.Equal(t, CapacityInput{seed, site.MultiCluster, "amd64", 0, 0}, p.CapacityInput)
	assert.Equal(t, []Size{{8, 16}, {12, 24}}, []Size{p.Nodes[0].Least, p.Nodes[1].Least})
	assert.Equal(t, []Size{{16, 32}, {24, 48}}, []Size{p.Nodes[0].Advised, p.Nodes[1].Advised})
	assert.Equal(t, 48, p.Cores)

	p = plan(CapacityInput{WorkloadClusters: 20})
	assert.Equal(t, Size{12, 23}, p.Nodes[0].Least, "40 % more than 8 cores and 16 GB, rounded up")
	p = plan(CapacityInput{Architecture: "arm64", Scenario: site.SingleCluster})
	assert.Equal(t, Size{12, 24}, p.Nodes[0].Least, "the document's example: x86 8 and 16")
	assert.Equal(t, 16, plan(CapacityInput{Architecture: "arm64", Scenario: site.SingleCluster, Profile: acp41}).Nodes[0].Advised.Cores)
	p = plan(CapacityInput{Scenario: site.SingleNode, Profile: acp42})
	assert.Equal(t, Size{12, 24}, p.Nodes[0].Least)
	assert.False(t, p.Production)
	p = plan(CapacityInput{Profile: acp43, WorkloadClusters: 101})
	assert.Equal(t, 6, p.Nodes[0].Count)
	assert.True(t, p.Nodes[0].Infra)
}

func TestPlanCapacityRefuses(t *testing.T) {
	for want, in := range map[string]CapacityInput{
		"no profile acp-9":       {Profile: "acp-9"},
		"write amd64 or arm64":   {Architecture: "s390x"},
		"scenario huge":          {Scenario: "huge"},
		"numbers from 0":         {WorkloadClusters: -1},
		"from 0 to 1000000":      {Pods: 1_000_001, Scenario: site.SingleCluster},
		"has no workload cluste": {Scenario: site.SingleCluster, WorkloadClusters: 1},
	} {
		_, err := PlanCapacity(in)
		assert.ErrorContains(t, err, want)
	}
}
