// Package pair runs acpflow on two data centres as a user does: the real worker
// and CLI, the real Temporal server, a pair of clusters on the lab's nodes, and
// every fault that a check must see. It needs root on Debian 12.
package pair

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/harness/runs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/corepackage"
)

// name is the lab and the site of these tests.
const name = "pair"

// world is the pair that all tests share. The first one to need it builds it.
var world *rig

func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := runAll(ctx, m)
	stop()
	if err != nil {
		log.Printf("pair: %v", err)
		code = 1
	}
	os.Exit(code)
}

func runAll(ctx context.Context, m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "acpflow-pair-")
	if err != nil {
		return 1, err
	}
	defer func() {
		if code == 0 {
			_ = os.RemoveAll(dir)
		} else {
			fmt.Fprintln(os.Stderr, "pair: logs are kept in", dir)
		}
	}()
	pkg, err := corepackage.Build(ctx, corepackage.Options{Path: filepath.Join(dir, "core.tar"), PayloadMB: 1, Log: os.Stderr})
	if err != nil {
		return 1, err
	}
	l, err := lab.Up(ctx, lab.Options{
		Name: name, Dir: filepath.Join(dir, "lab"), Log: os.Stderr,
		// Three control planes where keys are copied to, one where that shows nothing more.
		Clusters: []lab.ClusterPlan{{Name: west, ControlPlanes: 1, Balancer: true}, {Name: east, ControlPlanes: 3, Balancer: true}},
		Package:  &site.Package{Path: pkg.Path, Checksum: "sha256:" + pkg.SHA256, Architecture: string(pkg.Architecture)},
	})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, lab.Down(context.WithoutCancel(ctx), name)) }()
	server, err := harness.StartDevserver(ctx, dir, os.Stderr)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	world = &rig{Runs: runs.Runs{Server: server, Dir: dir, Sites: filepath.Join(dir, "sites")}, lab: l}
	if err := world.open(ctx); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, world.Close()) }()
	return m.Run(), nil
}
