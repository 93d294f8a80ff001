package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/workflows"
)

// The two who run the demo: what can't be taken back needs another person than
// the one who asked for it.
const (
	operator = "the operator on duty"
	approver = "the head of the shift"
)

// runbook starts a run, follows it to its end, and approves what it asks.
func (s *story) runbook(ctx context.Context, verb, cluster string) error {
	if err := s.acpflow(ctx, verb, "--site", name, "--cluster", cluster, "--change", "DEMO-1", "--requested-by", operator); err != nil {
		return err
	}
	run := workflows.RunID(verb, name, cluster)
	ctx, end := context.WithCancelCause(ctx)
	asked := make(chan error, 1)
	go func() {
		err := s.approveAll(ctx, run)
		if err != nil {
			end(err)
		}
		asked <- err
	}()
	err := s.acpflow(ctx, "watch", run)
	end(nil)
	return errors.Join(<-asked, err)
}

// approveAll answers the questions of a run as the second person would who has
// read them. What no approval mends ends the demo.
func (s *story) approveAll(ctx context.Context, run string) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
		p, err := s.status(ctx, run)
		if err != nil || p.Gate == nil {
			continue // the watch tells what is wrong
		}
		if p.Gate.Question == "" {
			return fmt.Errorf("%s stands at %s", run, p.Gate.Step)
		}
		if err := s.acpflow(ctx, "approve", run, "--by", approver, "--reason", "read and agreed"); err != nil {
			return err
		}
	}
}

// status is where a run stands.
func (s *story) status(ctx context.Context, run string) (*workflows.Progress, error) {
	var out bytes.Buffer
	cmd, err := s.command(ctx, "status", run, "-o", "json")
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = &out, nil
	err = cmd.Run() // its exit code tells how the run ended
	var p workflows.Progress
	if bad := json.Unmarshal(out.Bytes(), &p); bad != nil {
		return nil, errors.Join(err, bad)
	}
	return &p, nil
}

// acpflow runs the CLI with this terminal.
func (s *story) acpflow(ctx context.Context, args ...string) error {
	quoted := make([]string, len(args))
	for i, a := range args {
		if quoted[i] = a; strings.Contains(a, " ") {
			quoted[i] = fmt.Sprintf("%q", a)
		}
	}
	fmt.Printf("  $ acpflow %s\n", strings.Join(quoted, " "))
	cmd, err := s.command(ctx, args...)
	if err != nil {
		return err
	}
	return cmd.Run()
}

func (s *story) command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	program, err := harness.Build(ctx, "starter")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(append(os.Environ(), s.server.Environment()...), "ACPFLOW_SITES_DIR="+s.sites)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd, nil
}
