package fix

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
)

// A wrong site document must not hit a live cluster: nothing is planned where
// Kubernetes is, or may be.
func TestANodeWithKubernetesIsNotTouched(t *testing.T) {
	var rules []string
	for _, r := range checks.Rules() {
		if r.ID != "GEN-04" {
			rules = append(rules, r.ID)
		}
	}
	require.NotEmpty(t, plan(t, healthy(), nil, rules...).Fixes)
	for name, outcome := range map[string]checks.Outcome{"runs": checks.Fail, "waived": checks.Waived, "unknown": checks.Error, "skipped": checks.Skipped, "not judged": ""} {
		t.Run(name, func(t *testing.T) {
			p := plan(t, healthy(), func(in *Input) {
				last := len(in.Findings) - 1
				in.Findings[last].Outcome, in.Findings[last].Seen, in.Findings[last].Reason = outcome, "service kubelet is active", "why"
				if outcome == "" {
					in.Findings = in.Findings[:last]
				}
			}, rules...)
			assert.Empty(t, p.Fixes)
			assert.Contains(t, p.Platform, "Kubernetes")
			require.GreaterOrEqual(t, len(p.Left), len(rules))
			for _, l := range p.Left {
				assert.Equal(t, p.Platform, l.Reason, l.Rule)
			}
		})
	}
}

// What was seen and why it counts are told apart.
func TestWhatIsLeftReadsWell(t *testing.T) {
	p := plan(t, healthy(), func(in *Input) { in.Findings[0].Reason = "the disk is slow" }, "HW-02")
	require.Len(t, p.Left, 1)
	assert.Equal(t, "bad (the disk is slow)", p.Left[0].Seen)
}

// What is not one word alone is a person's to edit, and a commented line is no setting.
func TestOddGrubSettingsAreLeftAlone(t *testing.T) {
	for _, line := range []string{
		`GRUB_CMDLINE_LINUX="quiet" # set by IT`, `export GRUB_CMDLINE_LINUX="quiet"`, `GRUB_CMDLINE_LINUX="a"'b'`, `GRUB_CMDLINE_LINUX="a $B"`,
		`GRUB_CMDLINE_LINUX="a \"`, `GRUB_CMDLINE_LINUX+=" a"`, `GRUB_CMDLINE_LINUX="a`, `GRUB_CMDLINE_LINUX=a b`, `X=1; GRUB_CMDLINE_LINUX=a`,
		"GRUB_CMDLINE_LINUX=`id`",
	} {
		n := healthy()
		n.files["/etc/default/grub"] = line + "\n"
		p := plan(t, n, nil, "CHK-01")
		assert.Empty(t, p.Fixes, line)
		if assert.Len(t, p.Left, 1, line) {
			assert.Contains(t, p.Left[0].Reason, "add transparent_hugepage=never by hand")
		}
	}
	for line, want := range map[string]string{
		`GRUB_CMDLINE_LINUX=quiet`:                    `GRUB_CMDLINE_LINUX="quiet p=1"`,
		`GRUB_CMDLINE_LINUX=""`:                       `GRUB_CMDLINE_LINUX="p=1"`,
		`GRUB_CMDLINE_LINUX='a p=2'`:                  `GRUB_CMDLINE_LINUX='a p=1'`,
		`# GRUB_CMDLINE_LINUX="x" y`:                  "# GRUB_CMDLINE_LINUX=\"x\" y\nGRUB_CMDLINE_LINUX=\"p=1\"",
		`GRUB_CMDLINE_LINUX_DEFAULT="quiet" # set by`: "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\" # set by\nGRUB_CMDLINE_LINUX=\"p=1\"",
	} {
		got, ok := bootWith(line+"\n", []string{"p=1"})
		assert.True(t, ok, line)
		assert.Equal(t, want+"\n", got)
	}
}
