// Command demo shows the main job on real input: it boots a lab of systemd
// nodes, starts Temporal with its UI and a worker, and installs a three-node
// `global` cluster with the CLI, as a user would. Root on Debian 12.
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
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *keep)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, keep bool) (err error) {
	start := time.Now()
	dir, err := os.MkdirTemp("", "acpflow-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := lab.Down(ctx, name); err != nil { // what a killed demo left
		return err
	}
	say("1/4 a lab: three control planes, a load balancer, DNS")
	l, err := lab.Up(ctx, lab.Options{Name: name, Dir: filepath.Join(dir, "lab"), Log: os.Stdout})
	if err != nil {
		return err
	}
	defer func() {
		say("taking the lab down")
		err = errors.Join(err, lab.Down(context.WithoutCancel(ctx), name))
	}()
	say("2/4 Temporal with its UI, and a worker")
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
	say("3/4 acpflow install --site %s --cluster west --change DEMO-1 --wait", name)
	if err := acpflow(ctx, server, "install", "--site", name, "--cluster", "west", "--change", "DEMO-1", "--wait"); err != nil {
		return fmt.Errorf("%w\n%s", err, worker.Log())
	}
	say("4/4 what was verified")
	if err := acpflow(ctx, server, "status", "install/"+name+"/west"); err != nil {
		return err
	}
	say("done in %s; the run in the UI: %s", time.Since(start).Round(time.Second), server.RunURL("install/"+name+"/west", ""))
	if keep {
		say("press Enter to take everything down")
		wait(ctx)
	}
	return nil
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
