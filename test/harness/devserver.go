package harness

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"

	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/test/gobuild"
)

// Devserver is a running Temporal server with its UI.
type Devserver struct {
	*Process  `json:"-"`
	Address   string `json:"address"` // host:port of the frontend
	UI        string `json:"ui"`      // URL of the UI's root
	Namespace string `json:"namespace"`

	program, dir string
}

// StartDevserver starts Temporal on free ports with its database and log in
// dir, which must exist, and returns once it answers. Progress of a first build
// goes to progress; nil discards it. Flags are passed on.
func StartDevserver(ctx context.Context, dir string, progress io.Writer, flags ...string) (*Devserver, error) {
	program, err := gobuild.Devserver(ctx, progress)
	if err != nil {
		return nil, err
	}
	d := &Devserver{program: program, dir: dir}
	return d, d.start(ctx, append([]string{"--address", "127.0.0.1:0", "--ui-port", "0"}, flags...)...)
}

// Restart starts it again on the same file, address and UI port, after Kill or
// Stop.
func (d *Devserver) Restart(ctx context.Context) error {
	root, err := url.Parse(d.UI)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(root.Host)
	if err != nil {
		return err
	}
	return d.start(ctx, "--address", d.Address, "--ui-port", port, "--namespace", d.Namespace)
}

func (d *Devserver) start(ctx context.Context, flags ...string) error {
	ready := filepath.Join(d.dir, "devserver.json")
	if err := os.Remove(ready); err != nil && !os.IsNotExist(err) {
		return fault.New(fault.Internal, "remove the old ready file", ready, "", err)
	}
	args := append([]string{"--db", filepath.Join(d.dir, "temporal.db"), "--ready-file", ready}, flags...)
	process, err := startProcess("devserver", filepath.Join(d.dir, "devserver.log"), exec.Command(d.program, args...))
	if err != nil {
		return err
	}
	d.Process = process
	err = process.waitFor(ctx, startLimit, func(context.Context) (bool, error) {
		data, err := os.ReadFile(ready)
		if err != nil {
			return false, nil //nolint:nilerr // there is no file until it is ready
		}
		return true, json.Unmarshal(data, d)
	})
	if err != nil {
		process.Kill()
	}
	return err
}

// Client connects to the server. The caller closes it.
func (d *Devserver) Client(ctx context.Context) (client.Client, error) {
	return client.DialContext(ctx, client.Options{HostPort: d.Address, Namespace: d.Namespace, Logger: quiet{}})
}

// Environment is what a program needs to use this server.
func (d *Devserver) Environment() []string {
	return []string{"TEMPORAL_ADDRESS=" + d.Address, "TEMPORAL_NAMESPACE=" + d.Namespace}
}

// RunURL is the page of a workflow in the UI.
func (d *Devserver) RunURL(workflowID, runID string) string {
	return d.UI + "/namespaces/" + d.Namespace + "/workflows/" + url.PathEscape(workflowID) + "/" + runID
}

// LatestRunURL is the page of a workflow's latest run in the UI.
func (d *Devserver) LatestRunURL(ctx context.Context, temporal client.Client, workflowID string) (string, error) {
	run, err := temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return "", err
	}
	return d.RunURL(workflowID, run.GetWorkflowExecutionInfo().GetExecution().GetRunId()), nil
}

// quiet drops the SDK's lines about pollers coming and going.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
