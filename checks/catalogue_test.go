package checks

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
)

func differing(t *testing.T, a, b string) map[string]Difference {
	t.Helper()
	list, err := Diff(a, b)
	require.NoError(t, err)
	out := map[string]Difference{}
	for _, d := range list {
		out[d.Rule] = d
	}
	return out
}

func ids(d map[string]Difference) []string {
	var out []string
	for id := range d {
		out = append(out, id)
	}
	return out
}

// What the editions of the vendor's document say differently.
func TestDiff(t *testing.T) {
	d := differing(t, seed, acp41)
	assert.ElementsMatch(t, []string{
		"CAP-01", "CAP-04", "CAP-08", "CAP-09", "CAP-10", "CAP-18", "CAP-19", "CAP-20", "HW-02", "HW-03", "HW-04", "ARM-03",
		"OS-02", "OS-05", "OS-09", "OS-11", "OS-13", "NET-01", "NET-04", "NET-08", "CHK-09", "CHK-10", "PAR-01",
	}, append(ids(d), missing(d, "OS-11")...))
	assert.Contains(t, d["CAP-01"].First, "16 cores, 32 GB")
	assert.Contains(t, d["CAP-01"].Second, "12 cores, 24 GB")
	assert.Empty(t, d["HW-04"].Second)
	assert.Empty(t, d["CAP-18"].First)

	assert.ElementsMatch(t, []string{
		"OS-02", "OS-03", "OS-04", "OS-13", "NET-09", "NET-10", "CHK-18", "CHK-19", "CHK-25", "RM-00", "GEN-07", "CLN-01", "PAR-01",
	}, ids(differing(t, acp41, acp42)))
	assert.ElementsMatch(t, []string{"PAR-01"}, ids(differing(t, acp42, acp43)))
	assert.ElementsMatch(t, []string{"PAR-01", "OS-14"}, ids(differing(t, acp43, acp44)))
	for _, p := range site.Profiles() {
		assert.Empty(t, differing(t, p, p))
	}
	_, err := Diff(seed, "acp-9")
	assert.ErrorContains(t, err, "no profile acp-9")
}

func missing(d map[string]Difference, id string) []string {
	if _, ok := d[id]; ok {
		return nil
	}
	return []string{id}
}

func TestDemand(t *testing.T) {
	r, ok := RuleByID("HW-02")
	require.True(t, ok)
	assert.Contains(t, r.Demand(seed), "8 cores of 2.5 GHz")
	assert.Empty(t, r.Demand(acp41))
	assert.Empty(t, r.Demand("acp-9"))
	_, ok = RuleByID("HW-99")
	assert.False(t, ok)
}
