package takeover

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/workflows"
)

// What goes by itself asks nobody: the standby's API server ends while it takes
// over, the name server is down for a while when the name is to move and slow
// after that, and then the standby's only node goes through a power cut.
func TestWhatGoesByItselfAsksNobody(t *testing.T) {
	s := inSync(t)
	s.Edit(t, func(doc *site.Site) { doc.Policy.StallAfter = "3m" }) // controllers come back later than their API server
	id := s.start("switchover", s.to)
	s.until(id, "the uninstall", running("switchover.07-remove-synchronizer"))
	require.NoError(t, s.to.First.RestartAPIServer(t.Context()))
	s.asks(id, "switchover.13-point-dns")
	require.NoError(t, s.Lab.BreakDNS(t.Context(), lab.DNSDown))
	s.approve(id, s.Now(t, id))
	time.Sleep(5 * time.Second)
	require.NoError(t, s.Lab.MendDNS(t.Context()))
	require.NoError(t, s.Lab.BreakDNS(t.Context(), lab.DNSSlow))
	time.Sleep(5 * time.Second)
	require.NoError(t, s.Lab.MendDNS(t.Context()))
	s.until(id, "the restarts", running("switchover.18-monitoring"))
	require.NoError(t, s.to.First.PowerOff(t.Context()))
	time.Sleep(2 * time.Second)
	require.NoError(t, s.to.First.PowerOn(t.Context()))
	p := s.succeeds(id)
	s.settle()
	s.leadsTo(s.to)
	assert.Equal(t, s.to.Cluster.Name, s.record(s.to).Primary)
	for _, step := range p.Steps {
		assert.LessOrEqual(t, step.Tries, 1, step.ID)
	}
}

func running(step string) func(*workflows.Progress) bool {
	return func(p *workflows.Progress) bool {
		for _, s := range p.Steps {
			if s.ID == step {
				return s.State != workflows.Pending
			}
		}
		return false
	}
}
