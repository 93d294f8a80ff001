package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// The test binary is the devserver as well: a kill needs a process of its own,
// and linking this program twice takes longer than all the tests.
const asServer = "DEVSERVER_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a running devserver and what its ready file says.
type process struct {
	command *exec.Cmd
	ended   chan error
	Address string `json:"address"`
	UI      string `json:"ui"`
	PID     int    `json:"pid"`
}

func start(t *testing.T, db string, flags ...string) *process {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready.json")
	args := append([]string{"--db", db, "--address", "127.0.0.1:0", "--ui-port", "0", "--ready-file", ready}, flags...)
	p := &process{command: exec.Command(os.Args[0], args...), ended: make(chan error, 1)}
	p.command.Env = append(os.Environ(), asServer+"=1")
	p.command.Stderr = t.Output()
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.command.Wait() }()
	t.Cleanup(func() { _ = p.command.Process.Kill() })
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-p.ended:
			t.Fatalf("devserver ended before it was ready: %v", err)
		default:
		}
		if data, err := os.ReadFile(ready); err == nil {
			if err := json.Unmarshal(data, p); err != nil {
				t.Fatal(err)
			}
			return p
		}
	}
	t.Fatal("devserver was not ready within a minute")
	return nil
}

func (p *process) end(t *testing.T, signal syscall.Signal) error {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		return err
	case <-time.After(30 * time.Second):
		t.Fatalf("devserver still runs 30 s after %v", signal)
		return nil
	}
}

func dial(t *testing.T, address string) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: address, ConnectionOptions: client.ConnectionOptions{GetSystemInfoTimeout: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// gate waits for an Update and returns what it brought.
func gate(ctx workflow.Context) (string, error) {
	var by string
	err := workflow.SetUpdateHandler(ctx, "approve", func(_ workflow.Context, name string) error {
		by = name
		return nil
	})
	if err != nil {
		return "", err
	}
	err = workflow.Await(ctx, func() bool { return by != "" && workflow.AllHandlersFinished(ctx) })
	return by, err
}

func serveGates(t *testing.T, c client.Client) (stop func()) {
	t.Helper()
	w := worker.New(c, "gates", worker.Options{})
	w.RegisterWorkflow(gate)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	return w.Stop
}

func TestHistorySurvivesKill(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	db := filepath.Join(t.TempDir(), "temporal.db")
	first := start(t, db)
	c := dial(t, first.Address)
	stop := serveGates(t, c)
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "gate", TaskQueue: "gates"}, gate)
	if err != nil {
		t.Fatal(err)
	}
	before := waitForEvents(ctx, t, c, run, 4) // started, task scheduled, started, completed
	_ = first.end(t, syscall.SIGKILL)
	stop()

	second := start(t, db)
	c = dial(t, second.Address)
	defer serveGates(t, c)()
	after := waitForEvents(ctx, t, c, run, 4)
	if strings.Join(before, " ") != strings.Join(after[:len(before)], " ") {
		t.Fatalf("history before the kill %v, after it %v", before, after)
	}
	update, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: "gate", UpdateName: "approve", Args: []any{"ops"}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := update.Get(ctx, nil); err != nil {
		t.Fatal(err)
	}
	var by string
	if err := c.GetWorkflow(ctx, "gate", run.GetRunID()).Get(ctx, &by); err != nil || by != "ops" {
		t.Fatalf("result %q, %v; want ops", by, err)
	}
	if err := second.end(t, syscall.SIGTERM); err != nil {
		t.Fatalf("SIGTERM must end it cleanly, got %v", err)
	}
}

// waitForEvents returns the event types of a run once there are n of them.
func waitForEvents(ctx context.Context, t *testing.T, c client.Client, run client.WorkflowRun, n int) []string {
	t.Helper()
	for {
		var events []string
		history := c.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, 0)
		for history.HasNext() {
			event, err := history.Next()
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, event.GetEventType().String())
		}
		if len(events) >= n {
			return events
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestNamespaceIsReadyAtOnce(t *testing.T) {
	p := start(t, filepath.Join(t.TempDir(), "temporal.db"), "--retention", "30d")
	c := dial(t, p.Address)
	described, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	if err != nil {
		t.Fatal(err)
	}
	if got := described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(); got != 30*24*time.Hour {
		t.Errorf("retention %v, want 30 days", got)
	}
	for name := range searchAttributes() {
		_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: name, TaskQueue: "nobody",
			TypedSearchAttributes: temporal.NewSearchAttributes(temporal.NewSearchAttributeKeyKeyword(name).ValueSet("x")),
		}, "Any")
		if err != nil {
			t.Errorf("search attribute %s: %v", name, err)
		}
	}
	page, err := http.Get(p.UI + "/namespaces/default/workflows")
	if err != nil || page.StatusCode != http.StatusOK {
		t.Fatalf("UI: %v, %v", page, err)
	}
	_ = page.Body.Close()
}

// TestOldFileIsBroughtUpToDate starts with the settings of an older release.
func TestOldFileIsBroughtUpToDate(t *testing.T) {
	db := filepath.Join(t.TempDir(), "temporal.db")
	if err := start(t, db, "--retention", "30d").end(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c := dial(t, start(t, db, "--retention", "90d").Address)
	described, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	if err != nil {
		t.Fatal(err)
	}
	if got := described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(); got != 90*24*time.Hour {
		t.Errorf("retention %v, want 90 days", got)
	}
}
