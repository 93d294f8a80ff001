package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/acpflow/acpflow/test/lab/installer/machine"
	"github.com/acpflow/acpflow/test/lab/platform"
)

// Phase is one step of an install. It may run again.
type Phase struct {
	Name string
	Run  func(context.Context) error
}

// Phases are the steps in their order (EXE-11).
func (i *Install) Phases() []Phase {
	return []Phase{
		{"check the machines", i.checkMachines},
		{"prepare the machines", i.prepareMachines},
		{"start etcd", i.startEtcd},
		{"start the control plane", i.startControlPlane},
		{"join the nodes", i.joinNodes},
		{"install network and core add-ons", i.apply(platform.AddOns)},
		{"install the core platform", i.installPlatform},
		{"install aligned plugins", i.apply(platform.Plugins)},
		{"publish the platform", i.publish},
	}
}

// Close ends the logins.
func (i *Install) Close() { i.fleet.Close() }

// await tries until it succeeds or phaseLimit is over; the last error says
// what was missing.
func await(ctx context.Context, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, phaseLimit, fmt.Errorf("not within %s", phaseLimit))
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", what, context.Cause(ctx), err)
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// install puts files on a machine and runs a script there.
func install(ctx context.Context, m *machine.Machine, files []machine.File, script string) error {
	if err := m.Put(ctx, files); err != nil {
		return err
	}
	if script == "" {
		return nil
	}
	_, err := m.Run(ctx, script, nil)
	return err
}

var errNotReady = errors.New("not ready")
