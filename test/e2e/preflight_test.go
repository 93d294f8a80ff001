package e2e

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/test/harness"
)

// checked runs acpflow and reads the report it prints.
func (r *rig) checked(t *testing.T, want int, args ...string) checks.Report {
	t.Helper()
	out, errs, code, err := harness.CLI(t.Context(), r.Server, append(args, "-o", "json")...)
	require.NoError(t, err)
	require.Equal(t, want, code, "%s\n%s", errs, out)
	var report checks.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report), out)
	return report
}

func findings(r checks.Report, node string) map[string]checks.Finding {
	byRule := map[string]checks.Finding{}
	for _, f := range r.Findings {
		if f.Node == node {
			byRule[f.Rule] = f
		}
	}
	return byRule
}

// A cluster that is fit: every rule is judged on every node and between them,
// nothing is left behind, and the facts give the same verdict without the nodes.
func TestPreflightOfAFitCluster(t *testing.T) {
	world.pristine(t)
	name := world.site(t, "fit", "west", nil)
	facts := filepath.Join(t.TempDir(), "facts")
	report := world.checked(t, 0, "preflight", "--site", name, "--save-facts", facts)
	for _, node := range []string{"west-1", "west-2", "west-3"} {
		of := findings(report, node)
		for _, r := range checks.Rules() {
			if r.Judged() && r.Subject == checks.OneNode && r.In(report.Profile) {
				assert.Contains(t, of, r.ID, node)
			}
		}
	}
	cluster := findings(report, "")
	for _, id := range []string{"CHK-26", "CHK-27", "CHK-28", "LB-01", "LB-02", "LB-03", "PKG-03", "PKG-04"} {
		assert.Equal(t, checks.Pass, cluster[id].Outcome, "%+v", cluster[id])
	}
	assert.Equal(t, checks.Waived, findings(report, "west-1")["OS-13"].Outcome, "what the lab can't have is waived by name")
	for _, node := range []string{"west-1", "west-2", "west-3"} {
		left, err := world.node(t, node).Script(t.Context(), `ls -d /tmp/*acpflow* /var/tmp/*acpflow* /dev/shm/*acpflow* /var/lib/acpflow 2>/dev/null || true; ss -lntu | grep -E ':(2379|2380|6443|11443|10250|6081) ' || true`)
		require.NoError(t, err)
		assert.Empty(t, left, node)
	}

	file := filepath.Join(world.Sites, name+".yaml")
	again := world.checked(t, 0, "checks", "judge", "--facts", facts, "--site", file)
	assert.Equal(t, report, again, "the same facts give the same verdict")
	other := world.checked(t, 0, "checks", "judge", "--facts", facts, "--site", file, "--profile", "acp-4.3")
	assert.Equal(t, "acp-4.3", other.Profile)
	assert.NotEqual(t, findings(report, "west-1")["CHK-25"].Want, findings(other, "west-1")["CHK-25"].Want, "another edition wants other things")

	junit := filepath.Join(t.TempDir(), "report.xml")
	_, errs, code, err := harness.CLI(t.Context(), world.Server, "checks", "judge", "--facts", facts, "--site", file, "--out", junit)
	require.NoError(t, err)
	require.Zero(t, code, errs)
	body, err := os.ReadFile(junit)
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(body, new(struct{})))
}

// One dead node hides nothing about the others, and nothing passes for it.
func TestPreflightOfABrokenCluster(t *testing.T) {
	world.pristine(t)
	name := world.site(t, "unfit", "west", nil)
	second, third := world.node(t, "west-2"), world.node(t, "west-3")
	_, err := second.Script(t.Context(), "hostname west-1; ln -sf /usr/share/zoneinfo/Asia/Tokyo /etc/localtime; mkdir /var/lib/docker")
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = second.Script(context.WithoutCancel(t.Context()), "hostname west-2") })
	require.NoError(t, third.PowerOff(t.Context()))
	t.Cleanup(func() { require.NoError(t, third.PowerOn(context.WithoutCancel(t.Context()))) })

	report := world.checked(t, 1, "preflight", "--site", name)
	assert.True(t, report.Blocking)
	cluster := findings(report, "")
	assert.Equal(t, checks.Fail, cluster["CHK-27"].Outcome, "%+v", cluster["CHK-27"])
	assert.Equal(t, checks.Fail, cluster["CHK-28"].Outcome, "%+v", cluster["CHK-28"])
	assert.NotEqual(t, checks.Pass, cluster["CHK-26"].Outcome, "%+v", cluster["CHK-26"])
	assert.Equal(t, checks.Pass, findings(report, "west-1")["CHK-25"].Outcome)
	assert.Equal(t, checks.Fail, findings(report, "west-2")["CHK-25"].Outcome)
	for id, f := range findings(report, "west-3") {
		assert.Equal(t, checks.Error, f.Outcome, id)
		assert.Contains(t, f.Reason, third.Address)
	}
}
