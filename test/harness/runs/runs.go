// Package runs starts runbooks as a pipeline does, with the CLI, and watches
// them for tests.
package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/workflows"
)

// Patience bounds one wait; an install takes about a minute on the lab.
const Patience = 6 * time.Minute

// Runs is a Temporal server with its worker. Its methods fail the test.
type Runs struct {
	Server   *harness.Devserver
	Temporal client.Client
	Worker   *harness.Worker
	Dir      string // for the workers' logs
	Sites    string // folder of the site documents

	workers  int
	environs []string // further settings of the next worker
}

// Open connects to Temporal and starts the first worker.
func (r *Runs) Open(ctx context.Context) error {
	var err error
	if r.Temporal, err = r.Server.Client(ctx); err != nil {
		return err
	}
	return r.StartWorker(ctx)
}

// StartWorker starts a worker, the first one or another after one was killed.
func (r *Runs) StartWorker(ctx context.Context) error {
	r.workers++
	dir := filepath.Join(r.Dir, fmt.Sprintf("worker-%d", r.workers))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	worker, err := harness.StartWorker(ctx, r.Server, harness.WorkerOptions{Sites: r.Sites, Dir: dir, Env: r.environs})
	r.Worker = worker
	return err
}

// Close stops the worker.
func (r *Runs) Close() error {
	r.Temporal.Close()
	return r.Worker.Stop()
}

// CLI runs acpflow, demands its exit code and returns what it printed.
func (r *Runs) CLI(t testing.TB, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	out, errs, code, err := harness.CLI(t.Context(), r.Server, args...)
	if err != nil || code != want {
		t.Fatalf("acpflow %s: exit code %d, want %d: %v\n%s\n%s", strings.Join(args, " "), code, want, err, errs, out)
	}
	return out, errs
}

// Start starts the runbook behind a CLI verb and returns the workflow id. The
// run does not outlive the test.
func (r *Runs) Start(t testing.TB, verb, site string, args ...string) string {
	t.Helper()
	out, _ := r.CLI(t, 0, append([]string{verb, "--site", site, "--change", "CHG-7", "--requested-by", "e2e", "-o", "json"}, args...)...)
	var started struct {
		ID string `json:"workflowId"`
	}
	if err := json.Unmarshal([]byte(out), &started); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { r.End(started.ID) })
	return started.ID
}

// End makes sure that a run does not outlive its test; one that ended is fine.
func (r *Runs) End(id string) {
	_ = r.Temporal.TerminateWorkflow(context.Background(), id, "", "the test is over")
}

// Status asks a run where it stands.
func (r *Runs) Status(ctx context.Context, id string) (*workflows.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	value, err := r.Temporal.QueryWorkflow(ctx, id, "", workflows.StatusQuery)
	if err != nil {
		return nil, err
	}
	var p workflows.Progress
	return &p, value.Get(&p)
}

// Now asks a run where it stands until it answers: on a busy machine a question may
// take longer than one is waited for.
func (r *Runs) Now(t testing.TB, id string) *workflows.Progress {
	t.Helper()
	return r.Until(t, id, "an answer", func(*workflows.Progress) bool { return true })
}

// Until polls the run until the condition holds; a run that parks or ends
// before that fails the test with what it says.
func (r *Runs) Until(t testing.TB, id, what string, holds func(*workflows.Progress) bool) *workflows.Progress {
	t.Helper()
	var last *workflows.Progress
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		p, err := r.Status(t.Context(), id)
		if err != nil {
			continue // no worker for a moment
		}
		if last = p; holds(p) {
			return p
		}
		if p.Ended != nil {
			t.Fatalf("waiting for %s, but the run ended: %s\n%s", what, p.Outcome, Steps(p))
		}
		if p.Gate != nil {
			t.Fatalf("waiting for %s, but %s parked: %s\n%s", what, p.Gate.Step, p.Gate.Text(), r.Worker.Log())
		}
	}
	if last == nil {
		t.Fatalf("no %s within %v, and the run never answered\nworker log:\n%s", what, Patience, r.Worker.Log())
	}
	t.Fatalf("no %s within %v; the run is %s\n%s\nworker log:\n%s", what, Patience, last.Outcome, Steps(last), r.Worker.Log())
	return nil
}

// Gate waits until the run asks a person about a step.
func (r *Runs) Gate(t testing.TB, id, step string) *workflows.Gate {
	t.Helper()
	p := r.Until(t, id, "gate at "+step, func(p *workflows.Progress) bool { return p.Gate != nil })
	if p.Gate.Step != step {
		t.Fatalf("parked at %s, not at %s: %s", p.Gate.Step, step, p.Gate.Text())
	}
	return p.Gate
}

// Decide answers the gate through the CLI.
func (r *Runs) Decide(t testing.TB, id, action, reason string) {
	t.Helper()
	r.CLI(t, 0, "decide", id, "--action", action, "--by", "e2e", "--reason", reason)
}

// Succeeds waits for the run's good end.
func (r *Runs) Succeeds(t testing.TB, id string) *workflows.Progress {
	t.Helper()
	return r.Until(t, id, "success", func(p *workflows.Progress) bool { return p.Outcome == workflows.Succeeded })
}

// Failure waits for the run to end badly and returns why.
func (r *Runs) Failure(t testing.TB, id string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	err := r.Temporal.GetWorkflow(ctx, id, "").Get(ctx, nil)
	if err == nil || ctx.Err() != nil {
		t.Fatalf("the run %s did not fail within %v: %v", id, Patience, err)
	}
	return err
}

// Steps lists how a run's steps stand, for messages.
func Steps(p *workflows.Progress) string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s %s %s", s.ID, s.State, s.Error)
		if s.Evidence != nil {
			b.WriteString(s.Evidence.Summary + "\n" + s.Evidence.Tail)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
