package activities

import (
	"context"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
)

// ProbeBalancerInput names the cluster whose load balancer is probed.
type ProbeBalancerInput struct{ Scope }

// ProbeBalancer looks at the cluster address from outside: which control
// planes are behind each port, and whether bytes pass unchanged (LB-01…LB-06).
func (p *Probes) ProbeBalancer(_ context.Context, _ ProbeBalancerInput) (checks.BalancerView, error) {
	return checks.BalancerView{}, fault.New(fault.Internal, "probe the load balancer", "", "", nil)
}
