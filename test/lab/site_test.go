package lab_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

func TestSiteIsValidAndItsNodesPassTheChecks(t *testing.T) {
	l := labtest.Up(t, lab.Options{Name: "t-site", Package: noPackage})
	s := parseSite(t, l)
	require.Equal(t, "t-site", s.Name)
	require.Len(t, s.Clusters[0].Nodes, 3)
	for _, n := range s.Clusters[0].Nodes {
		requireFit(t, judge(t, l, s, "west", n))
	}
}

func requireFit(t *testing.T, found []checks.Finding) {
	t.Helper()
	for _, f := range found {
		require.False(t, f.Blocking(), "%s: %s %s: seen %q, want %q; %s", f.Node, f.Rule, f.Outcome, f.Seen, f.Want, f.Reason)
	}
}

func TestSiteOfOtherPlansIsValid(t *testing.T) {
	for name, plan := range map[string][]lab.ClusterPlan{
		"t-site-one":  oneNode(),
		"t-site-pair": {{Name: "west", ControlPlanes: 1, Balancer: true}, {Name: "east", ControlPlanes: 1, Workers: 1, Balancer: true}},
	} {
		l := labtest.Up(t, lab.Options{Name: name, Package: noPackage, Clusters: plan})
		s := parseSite(t, l)
		require.Equal(t, len(plan) > 1, s.DR.Planned)
		for _, c := range s.Clusters {
			for _, n := range c.Nodes {
				requireFit(t, judge(t, l, s, c.Name, n))
			}
		}
	}
}

// parseSite reads the lab's site document as acpflow does: strictly, with the
// certificate.
func parseSite(t *testing.T, l *lab.Lab) *site.Site {
	t.Helper()
	data, err := os.ReadFile(l.Describe().SiteFile)
	require.NoError(t, err)
	s, err := site.Parse(lab.FileSite, data)
	require.NoError(t, err)
	for _, ref := range s.Refs() {
		path, ok := strings.CutPrefix(string(ref), "file:")
		require.True(t, ok, ref)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode(), path)
	}
	m := site.Material{Now: time.Now()}
	m.Certificate, err = os.ReadFile(filepath.Join(l.Dir(), lab.FileCertificate))
	require.NoError(t, err)
	m.PrivateKey, err = os.ReadFile(filepath.Join(l.Dir(), lab.FileCertKey))
	require.NoError(t, err)
	require.NoError(t, site.Validate(s, m).Err())
	return s
}

func judge(t *testing.T, l *lab.Lab, s *site.Site, cluster string, n site.Node) []checks.Finding {
	t.Helper()
	sent := time.Now()
	out, err := node(t, l, n.Name).Exec(t.Context(), "bash", "-c", checks.Collector())
	require.NoError(t, err)
	facts, err := checks.ParseFacts([]byte(out))
	require.NoError(t, err)
	facts.Sent, facts.Received = sent, time.Now()
	found := checks.Judge(checks.Input{Site: *s, Cluster: cluster, Node: n.Name, Facts: facts, Now: time.Now()})
	require.NotEmpty(t, found)
	return found
}
