package lab

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/acpflow/acpflow/test/lab/synchronizer/faults"
)

// SyncFaults are orders to the synchronizer of a standby.
type SyncFaults = faults.Faults

// ParseSyncFaults decodes orders strictly.
func ParseSyncFaults(data []byte) (SyncFaults, error) { return faults.Parse(data) }

// BreakSync makes the synchronizer of a standby fail as ordered; orders before
// are forgotten.
func (l *Lab) BreakSync(ctx context.Context, standby string, f SyncFaults) error {
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return l.onControlPlanes(standby, func(n *Node) error { return n.WriteFile(ctx, faults.Path, data, "0600") })
}

// MendSync takes all orders to the synchronizer of a standby back.
func (l *Lab) MendSync(ctx context.Context, standby string) error {
	return l.onControlPlanes(standby, func(n *Node) error {
		_, err := n.Exec(ctx, "rm", "-f", faults.Path)
		return err
	})
}

// PublishSync offers a version of the synchronizer on an installed cluster,
// for example v4.3.1.
func (l *Lab) PublishSync(ctx context.Context, cluster, version string) error {
	return l.onInstalled(ctx, cluster, "publish-sync", version)
}

// nodeProgram is the stand-in's program on an installed node.
const nodeProgram = "/opt/cpaas/bin/minialauda"

func (l *Lab) onControlPlanes(cluster string, do func(*Node) error) error {
	nodes, err := l.members(cluster)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if n.Role != ControlPlane {
			continue
		}
		if err := do(n); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	return nil
}
