// Command demo shows the main job on real input: it boots a lab of two data
// centres, starts Temporal with its UI and a worker, and builds a pair of
// `global` clusters with the CLI, as a user would. Then it writes data in one
// and reads it in the other. Root on Debian 12.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"

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
	say("1/6 a lab: two data centres with %d control planes and a load balancer each, DNS", nodes)
	plan := func(cluster string) lab.ClusterPlan {
		return lab.ClusterPlan{Name: cluster, ControlPlanes: nodes, Balancer: true}
	}
	l, err := lab.Up(ctx, lab.Options{Name: name, Dir: filepath.Join(dir, "lab"), Log: os.Stdout,
		Clusters: []lab.ClusterPlan{plan(primary), plan(standby)}})
	if err != nil {
		return err
	}
	defer func() {
		say("taking the lab down")
		err = errors.Join(err, lab.Down(context.WithoutCancel(ctx), name))
	}()
	say("2/6 Temporal with its UI, and a worker")
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
	say("    UI: %s", server.UI)
	if err := story(ctx, l, server); err != nil {
		return fmt.Errorf("%w\n%s", err, worker.Log())
	}
	say("done in %s; the run in the UI: %s", time.Since(start).Round(time.Second), server.RunURL(pairRun, ""))
	if keep {
		say("press Enter to take everything down")
		wait(ctx)
	}
	return nil
}

// The clusters of the demo, by the role they begin in, and the run that builds the pair.
const (
	primary = "west"
	standby = "east"
	pairRun = "install-pair/" + name + "/" + primary
)

// story is what the demo shows, once everything is up.
func story(ctx context.Context, l *lab.Lab, server *harness.Devserver) error {
	say("3/6 acpflow install-pair --site %s --cluster %s --change DEMO-1 --wait", name, primary)
	if err := acpflow(ctx, server, "install-pair", "--site", name, "--cluster", primary, "--change", "DEMO-1", "--wait"); err != nil {
		return err
	}
	say("4/6 data: written in %s, read in %s", primary, standby)
	if err := mirrored(ctx, l); err != nil {
		return err
	}
	say("5/6 acpflow check --site %s --full", name)
	if err := acpflow(ctx, server, "check", "--site", name, "--full"); err != nil {
		return err
	}
	say("6/6 what was done")
	return acpflow(ctx, server, "status", pairRun)
}

// acpflow runs the CLI with this terminal.
func acpflow(ctx context.Context, server *harness.Devserver, args ...string) error {
	program, err := harness.Build(ctx, "starter")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), server.Environment()...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

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
