package takeover

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/workflows"
)

// A planned switchover and back to protection: the data is there on both sides
// all the time, and nothing is lost.
func TestSwitchoverAndReprotect(t *testing.T) {
	s := inSync(t)
	s.writes(t, "switchover")
	p := s.succeeds(s.start("switchover", s.to))
	s.settle()
	s.tookOver(p, workflows.ModeSwitchover, s.from, s.to)
	assert.Empty(t, p.Recovery.Owed)
	require.NotNil(t, p.Recovery.RPO)
	assert.True(t, p.Recovery.RPO.Verified, "%+v", p.Recovery.RPO)
	assert.NotContains(t, p.Recovery.Title, workflows.Unverified)
	s.reads(t, "switchover")
	pairs.WriteMap(t, s.to, "after-switchover", "written on the new primary")

	p = s.succeeds(s.start("reprotect", s.from))
	s.captured(p, s.from)
	s.protected()
	pairs.MapArrives(t, s.from, "after-switchover", "written on the new primary")
}

// The primary dies, and one of the two name servers with it; the standby takes over;
// the old primary comes back, with data that nobody else has, and becomes the standby.
func TestFailoverAndReprotect(t *testing.T) {
	s := inSync(t)
	s.writes(t, "failover")
	s.Clean(t) // the ledger knows both sides equal
	mute := s.Lab.Describe().DNS.Secondary
	require.NoError(t, s.Lab.StopSecondary(t.Context())) // an earlier test may have started it
	s.Edit(t, func(doc *site.Site) { doc.DR.DNS.Authoritative = append(doc.DR.DNS.Authoritative, mute) })
	require.NoError(t, s.Lab.PowerOffCluster(t.Context(), s.from.Cluster.Name))
	t.Cleanup(func() {
		require.NoError(t, s.Lab.PowerOnCluster(context.WithoutCancel(t.Context()), s.from.Cluster.Name))
	})
	p := s.succeeds(s.start("failover", s.to))
	s.settle()
	s.tookOver(p, workflows.ModeFailover, s.to)
	var owed []string
	for _, o := range p.Recovery.Owed {
		owed = append(owed, o.String())
	}
	assert.Subset(t, owed, []string{"close-port 2379 of " + s.from.Cluster.Name, "name-server " + mute})
	assert.Equal(t, p.Recovery.Owed, s.record(s.to).Owed)
	assert.Positive(t, p.Recovery.RTO.DetectionSeconds)
	require.NotNil(t, p.Recovery.RPO)
	require.NotNil(t, p.Recovery.RPO.EqualAt)
	s.reads(t, "failover")
	pairs.WriteMap(t, s.to, "after-failover", "written on the new primary")

	require.NoError(t, s.Lab.PowerOnCluster(t.Context(), s.from.Cluster.Name))
	s.answers(s.from)
	pairs.WriteMap(t, s.from, "only-old", "written on the old primary when it was back")
	require.NoError(t, s.Lab.StartSecondary(t.Context())) // which copies the zone of now
	id := s.start("reprotect", s.from)
	p = s.succeeds(id)
	s.Record(t, id, "reprotect")
	assert.Contains(t, evidenceOf(p, "reprotect.05-owed-names"), lab.Domain+" leads to "+s.to.Cluster.Name)
	assert.Contains(t, s.captured(p, s.from), "/registry/configmaps/"+pairs.Team+"/only-old")
	_, err := s.from.API.CoreV1().ConfigMaps(pairs.Team).Get(t.Context(), "only-old", metav1.GetOptions{})
	assert.True(t, apierrors.IsNotFound(err), "the old side follows now: %v", err)
	s.protected()
	pairs.MapArrives(t, s.from, "after-failover", "written on the new primary")
}

// evidenceOf is what a step of a run has found.
func evidenceOf(p *workflows.Progress, id string) string {
	for _, step := range p.Steps {
		if step.ID == id && step.Evidence != nil {
			return step.Evidence.Summary
		}
	}
	return ""
}

// writes puts data on the primary and waits until it is on the standby.
func (s *stage) writes(t *testing.T, key string) {
	t.Helper()
	pairs.WriteMap(t, s.from, key, "before the takeover of "+s.to.Cluster.Name)
	pairs.MapArrives(t, s.to, key, "before the takeover of "+s.to.Cluster.Name)
}

// reads finds it on the new primary.
func (s *stage) reads(t *testing.T, key string) {
	t.Helper()
	pairs.MapArrives(t, s.to, key, "before the takeover of "+s.to.Cluster.Name)
}
