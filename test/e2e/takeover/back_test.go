package takeover

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// The primary comes back in the middle of a failover, at the last moment before
// the name moves: nothing moves, and when it is fenced the run goes on.
func TestThePrimaryReturnsDuringAFailover(t *testing.T) {
	s := inSync(t)
	s.writes(t, "returned")
	s.off(s.from.Cluster.Name)
	id := s.start("failover", s.to)
	p := s.Until(t, id, "the first question", question)
	require.Equal(t, "failover.02-unreachable", p.Gate.Step)
	s.on(s.from.Cluster.Name)
	s.approve(id, p)
	s.fails(id, "failover.02-unreachable", s.from.Cluster.Name)
	require.NoError(t, s.Lab.PowerOffCluster(t.Context(), s.from.Cluster.Name))
	s.Decide(t, id, "retry", "it is off now")

	s.asks(id, "failover.13-point-dns")
	s.on(s.from.Cluster.Name)
	s.approve(id, s.Now(t, id))
	gate := s.fails(id, "failover.13-point-dns", "is back")
	assert.Equal(t, s.from.Cluster.Endpoint.VIP, authoritative(s, s.Lab), "the name stays")
	assert.Contains(t, gate.Actions, workflows.Abort)
	require.NoError(t, s.Lab.PowerOffCluster(t.Context(), s.from.Cluster.Name))
	s.Decide(t, id, "retry", "it is off for good")
	p = s.succeeds(id)
	s.settle()
	s.tookOver(p, workflows.ModeFailover, s.to)
	s.reads(t, "returned")
}

// A site document with both VIPs swapped would turn everything around: it is told
// before anything is done.
func TestSwappedVIPs(t *testing.T) {
	s := inSync(t)
	s.Edit(t, func(doc *site.Site) {
		a, b := &doc.Clusters[0], &doc.Clusters[1]
		a.Endpoint, b.Endpoint = b.Endpoint, a.Endpoint
		a.Other, b.Other = b.Other, a.Other
	})
	id := s.start("switchover", s.to)
	gate := s.fails(id, "switchover.01-identify", "")
	t.Log(gate.Error)
	p := s.abort(id)
	for _, step := range p.Steps[1:] {
		assert.Equal(t, workflows.NotRun, step.State, step.ID)
	}
}
