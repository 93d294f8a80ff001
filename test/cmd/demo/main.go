// Command demo shows the main job on real input: it boots a lab of two data
// centres, starts Temporal with its UI and a worker, and carries a platform
// through disaster with the CLI, as its users would: a pair of `global` clusters
// with data, a switchover, a failover when the primary loses power, and each
// time the way back to a protected pair. Root on Debian 12.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab"
)

// name is the demo's lab and site; a person's lab beside it is not touched.
const name = "demo"

func main() {
	keep := flag.Bool("keep", term.IsTerminal(int(os.Stdin.Fd())), "wait for Enter at the end, with the lab and the UI still up")
	nodes := flag.Int("control-planes", 3, "of each cluster, 1 or 3")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *nodes, *keep)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, nodes int, keep bool) (err error) {
	start := time.Now()
	dir, err := os.MkdirTemp("", "acpflow-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := lab.Down(ctx, name); err != nil { // what a killed demo left
		return err
	}
	say("a lab: two data centres with %d control planes and a load balancer each, DNS, and a workload cluster", nodes)
	plan := func(cluster string) lab.ClusterPlan {
		return lab.ClusterPlan{Name: cluster, ControlPlanes: nodes, Balancer: true}
	}
	l, err := lab.Up(ctx, lab.Options{Name: name, Dir: filepath.Join(dir, "lab"), Log: os.Stdout, Site: hurry,
		Clusters: []lab.ClusterPlan{plan(west), plan(east)}, Workloads: []string{"shop"}})
	if err != nil {
		return err
	}
	defer func() {
		say("taking the lab down")
		err = errors.Join(err, lab.Down(context.WithoutCancel(ctx), name))
	}()
	say("Temporal with its UI, and a worker")
	server, err := harness.StartDevserver(ctx, dir, os.Stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	sites := filepath.Join(dir, "sites")
	if err := l.SiteStore(sites); err != nil {
		return err
	}
	worker, err := harness.StartWorker(ctx, server, harness.WorkerOptions{Sites: sites, Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, worker.Stop()) }()
	say("the UI: %s", server.UI)
	s := &story{lab: l, server: server, sites: sites}
	if err := s.tell(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, worker.Log())
	}
	s.sum()
	say("done in %s", time.Since(start).Round(time.Second))
	if keep {
		say("press Enter to take everything down")
		wait(ctx)
	}
	return nil
}

// hurry shortens what a takeover waits for by design: nobody watches a demo for
// a minute in which nothing happens.
func hurry(s *site.Site) { s.DR.Takeover.DownFor, s.DR.Takeover.Soak = "10s", "10s" }

// wait returns on Enter or an interrupt.
func wait(ctx context.Context) {
	entered := make(chan struct{})
	go func() {
		_, _ = fmt.Scanln()
		close(entered)
	}()
	select {
	case <-entered:
	case <-ctx.Done():
	}
}

func say(format string, args ...any) { fmt.Printf("\n▸ "+format+"\n", args...) }
