// Package pairs is a disaster recovery pair for the tests of one package: its
// lab, the real Temporal server, a worker and the CLI, and what those tests ask
// of both sides again and again.
package pairs

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
	"github.com/acpflow/acpflow/test/lab/labtest"
)

// Options of Main.
type Options struct {
	Name      string            // of the lab and of the site
	Clusters  []lab.ClusterPlan // West and East
	Workloads []string          // workload clusters beside them
	Site      func(*site.Site)  // changes the lab's site document before the first run
}

// Keep names the environment variable of whoever writes such a test: a folder in
// which everything stays, and the lab up, so that the next run need not install.
const Keep = "ACPFLOW_KEEP_PAIR"

// Main is the body of a TestMain: it brings the lab up, gives it to use and runs
// the tests. Logs of a failed run are kept.
func Main(m *testing.M, o Options, use func(*Rig)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := runAll(ctx, m, o, use)
	stop()
	if err != nil {
		log.Printf("%s: %v", o.Name, err)
		code = 1
	}
	os.Exit(code)
}

func runAll(ctx context.Context, m *testing.M, o Options, use func(*Rig)) (code int, err error) {
	dir, err := folder(o.Name)
	if err != nil {
		return 1, err
	}
	kept := os.Getenv(Keep) != ""
	defer func() {
		if code == 0 && !kept {
			_ = os.RemoveAll(dir)
		} else {
			fmt.Fprintln(os.Stderr, o.Name+": logs are kept in", dir)
		}
	}()
	pkg, err := corepackage.Build(ctx, corepackage.Options{Path: filepath.Join(dir, "core.tar"), PayloadMB: 1, Log: os.Stderr})
	if err != nil {
		return 1, err
	}
	l, err := lab.Up(ctx, lab.Options{
		Name: o.Name, Dir: filepath.Join(dir, "lab"), Log: os.Stderr, Clusters: o.Clusters, Workloads: o.Workloads,
		Package: &site.Package{Path: pkg.Path, Checksum: "sha256:" + pkg.SHA256, Architecture: string(pkg.Architecture)},
	})
	if err != nil {
		return 1, err
	}
	down := func(ctx context.Context) error {
		if kept {
			return nil
		}
		return lab.Down(ctx, o.Name)
	}
	defer func() { err = errors.Join(err, down(context.WithoutCancel(ctx))) }()
	server, err := harness.StartDevserver(ctx, dir, os.Stderr)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	r := &Rig{Runs: runs.Runs{Server: server, Dir: dir, Sites: filepath.Join(dir, "sites")}, Lab: l, Site: o.Name}
	if err := r.open(ctx, o.Site); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	use(r)
	return harness.Run(ctx, m, down), nil
}

// folder is for the logs of this run, the site and the lab's files.
func folder(name string) (string, error) {
	kept := os.Getenv(Keep)
	if kept == "" {
		return os.MkdirTemp("", "acpflow-"+name+"-")
	}
	if err := os.RemoveAll(filepath.Join(kept, "sites")); err != nil {
		return "", err
	}
	return kept, os.MkdirAll(kept, 0o700)
}

// Small is a pair with one control plane on each side.
func Small() []lab.ClusterPlan { return labtest.PairPlans() }
