package takeover

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

// A drill finds the pair ready, moves a canary's name and takes it away again;
// the pair itself is as it was.
func TestDrill(t *testing.T) {
	s := inSync(t)
	p := s.drill("drill")
	s.settle()
	require.NotNil(t, p.Recovery)
	assert.Equal(t, workflows.ModeDrill, p.Recovery.Mode)
	assert.Equal(t, 2, s.seen.updates(), "a name was added and removed")
	canary := s.Document(t).DR.Drill.Canary
	assert.Empty(t, s.answer(canary, s.Lab.Describe().DNS.Authoritative), "the canary's name is gone")
	assert.Equal(t, s.from.Cluster.Endpoint.VIP, authoritative(s, s.Lab))
	s.Clean(t)

	s.Edit(t, func(doc *site.Site) {
		doc.DR.Drill.Blackout = []site.Blackout{{From: "00:00", To: "00:00", Reason: "quarter's end"}}
	})
	p = s.drill("drill-blackout")
	s.settle()
	assert.Contains(t, p.Steps[0].Evidence.Summary, "quarter's end")
	assert.Equal(t, 2, s.seen.updates(), "nothing in a blackout")
}

// drill runs one to its good end.
func (s *stage) drill(recorded string) *workflows.Progress {
	s.Helper()
	id := s.Start(s, "drill", name)
	p := s.Succeeds(s, id)
	s.told(id, p)
	s.Record(s, id, recorded)
	return p
}
