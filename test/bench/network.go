package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/acpflow/acpflow/test/gobuild"
	"github.com/acpflow/acpflow/test/harness"
)

// fleetCommand makes this program measure inside its own network namespace.
const fleetCommand = "inside-network"

// fleetInNetwork measures checks of many machines in a process of its own that
// sees nothing but a loopback device on which every address of fleetNet answers.
func fleetInNetwork(ctx context.Context, args []string, rep *report) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("a network namespace and sshd need root. Fix: run as root")
	}
	// Compilers may need the network that the other process lacks.
	if _, err := gobuild.Devserver(ctx, os.Stdout); err != nil {
		return err
	}
	if _, err := harness.Build(ctx, "worker"); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "acpflow-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	result := filepath.Join(dir, "report.json")
	cmd := exec.CommandContext(ctx, self, append(append([]string{fleetCommand}, args...), "-o", result)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Run(); err != nil {
		return err
	}
	return rep.merge(result)
}

// merge adds what another process measured.
func (rep *report) merge(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var other report
	if err := json.Unmarshal(text, &other); err != nil {
		return err
	}
	rep.Noisy += other.Noisy
	rep.Rows = append(rep.Rows, other.Rows...)
	rep.Goals = append(rep.Goals, other.Goals...)
	return nil
}

// insideNetwork is the process in the namespace.
func insideNetwork(ctx context.Context, o options) error {
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"route", "add", "local", fleetNet, "dev", "lo"},
	} {
		if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	rep := &report{}
	if o.wants(fleetGoals) {
		if err := fleetHere(ctx, o, rep); err != nil {
			return err
		}
	}
	if o.wants([]string{monitorGoal}) {
		if err := watch(ctx, o, rep); err != nil {
			return err
		}
	}
	return rep.write(o.report)
}

func fleetHere(ctx context.Context, o options, rep *report) (err error) {
	f, err := newFleet(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	return runAll(ctx, f.contests(), o.goals, rep)
}
