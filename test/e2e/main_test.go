// Package e2e runs acpflow as a user does: the real worker and CLI, the real
// Temporal server, on the lab's real nodes. It needs root on Debian 12.
package e2e

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab"
)

// labName is the lab of these tests; a person's lab beside it is not touched.
const labName = "e2e"

// world is what all tests share: one lab, one Temporal. Tests that break the
// shared worker start it again before they end.
var world *rig

func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := runAll(ctx, m)
	stop()
	if err != nil {
		log.Printf("e2e: %v", err)
		code = 1
	}
	os.Exit(code)
}

func runAll(ctx context.Context, m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "acpflow-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() {
		if code == 0 {
			_ = os.RemoveAll(dir)
		} else {
			fmt.Fprintln(os.Stderr, "e2e: logs are kept in", dir)
		}
	}()
	l, err := lab.Up(ctx, lab.Options{
		Name: labName,
		Dir:  dir + "/lab",
		Clusters: []lab.ClusterPlan{
			{Name: "west", ControlPlanes: 3},
			{Name: "solo", ControlPlanes: 1},
		},
		Log: os.Stderr,
	})
	if err != nil {
		return 1, err
	}
	down := func(ctx context.Context) error { return lab.Down(ctx, labName) }
	defer func() { err = firstError(err, down(context.WithoutCancel(ctx))) }()
	server, err := harness.StartDevserver(ctx, dir, os.Stderr)
	if err != nil {
		return 1, err
	}
	defer func() { err = firstError(err, server.Stop()) }()
	world = &rig{Runs: runs.Runs{Server: server, Dir: dir, Sites: dir + "/sites"}, lab: l}
	if err := world.open(ctx); err != nil {
		return 1, err
	}
	defer func() { err = firstError(err, world.Close()) }()
	return harness.Run(ctx, m, down), nil
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
