package activities

import (
	"context"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
)

// Probes looks at a cluster's network from its nodes, with short-lived agents
// that listen on the platform's ports.
type Probes struct{ Hosts *Hosts }

// ProbeNodesInput names the cluster whose nodes are probed.
type ProbeNodesInput struct{ Scope }

// ProbeNodes measures what every node sees of every other one (CHK-26, NET-07…NET-09).
func (p *Probes) ProbeNodes(_ context.Context, _ ProbeNodesInput) (checks.Mesh, error) {
	return checks.Mesh{}, fault.New(fault.Internal, "probe nodes", "", "", nil)
}
