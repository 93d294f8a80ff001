package cluster

import (
	"context"

	"github.com/acpflow/acpflow/test/lab/platform"
)

// Workload builds a cluster without the platform, as users have beside `global`.
func (i *Install) Workload(ctx context.Context) error {
	for _, phase := range []func(context.Context) error{
		i.checkMachines, i.prepareMachines, i.startEtcd, i.startControlPlane, i.joinNodes,
		i.apply(platform.AddOns), i.apply(platform.Workload),
	} {
		if err := phase(ctx); err != nil {
			return err
		}
	}
	return nil
}
