package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
)

// TaskQueue is the queue of acpflow's workers, as a person types it in the UI.
const TaskQueue = "acpflow"

const (
	pollEvery  = 50 * time.Millisecond // how often readiness is looked at
	startLimit = 5 * time.Minute       // how long a program may take to be ready on a machine full of others
)

// Worker is a running acpflow worker.
type Worker struct{ *Process }

// WorkerOptions of StartWorker.
type WorkerOptions struct {
	Sites string   // folder of the site documents
	Dir   string   // existing folder for its log
	Env   []string // further NAME=value settings; they win
}

// StartWorker builds and starts the worker against the server, and returns once
// it polls.
func StartWorker(ctx context.Context, d *Devserver, o WorkerOptions) (*Worker, error) {
	program, err := Build(ctx, "worker")
	if err != nil {
		return nil, err
	}
	command := exec.Command(program)
	command.Env = append(append(append(os.Environ(), d.Environment()...), "ACPFLOW_SITES_DIR="+o.Sites), o.Env...)
	process, err := startProcess("worker", filepath.Join(o.Dir, "worker.log"), command)
	if err != nil {
		return nil, err
	}
	c, err := d.Client(ctx)
	if err != nil {
		process.Kill()
		return nil, err
	}
	defer c.Close()
	err = process.waitFor(ctx, startLimit, func(ctx context.Context) (bool, error) { return polls(ctx, c, process.PID) })
	if err != nil {
		process.Kill()
		return nil, err
	}
	return &Worker{process}, nil
}

// polls reports whether the process asks for workflow tasks: its identity ends
// in its process id, by which it differs from a predecessor that was killed.
func polls(ctx context.Context, c client.Client, pid int) (bool, error) {
	queue, err := c.DescribeTaskQueue(ctx, TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return false, nil //nolint:nilerr // Temporal may be starting again, the limit is the caller's
	}
	for _, poller := range queue.GetPollers() {
		if strings.HasSuffix(poller.GetIdentity(), fmt.Sprint(":", pid)) {
			return true, nil
		}
	}
	return false, nil
}

// waitFor returns when ready says so, the program ends, or time is up.
func (p *Process) waitFor(ctx context.Context, limit time.Duration, ready func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if ok, err := ready(ctx); ok || err != nil {
			return err
		}
		select {
		case <-p.done:
			return p.failure("start")
		case <-ctx.Done():
			return p.failure("start")
		case <-tick.C:
		}
	}
}

// CLI runs the acpflow command against the server and returns its standard
// output, its standard error and its exit code.
func CLI(ctx context.Context, d *Devserver, args ...string) (stdout, stderr string, code int, err error) {
	program, err := Build(ctx, "starter")
	if err != nil {
		return "", "", 0, err
	}
	command := exec.CommandContext(ctx, program, args...)
	command.Env = append(os.Environ(), d.Environment()...)
	var out, problems strings.Builder
	command.Stdout, command.Stderr = &out, &problems
	err = command.Run()
	if command.ProcessState != nil && ctx.Err() == nil {
		return out.String(), problems.String(), command.ProcessState.ExitCode(), nil
	}
	return out.String(), problems.String(), 0, err
}
