package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/workflows"
)

// startFlags are what every runbook takes.
type startFlags struct {
	request workflows.Request
	wait    bool
	limit   time.Duration
	output  outputFlag
}

func newInstallCmd() *cobra.Command {
	return newStartCmd(workflows.InstallBook, "install", "Install a global cluster: prepare, execute, verify",
		`  acpflow install --site moscow --cluster west --change CHG-1042
  acpflow install --site moscow --wait -o json        # for a pipeline`)
}

func newAddArchitectureCmd() *cobra.Command {
	return newStartCmd(workflows.AddArchitectureBook, "add-architecture", "Add the second CPU architecture with the hybrid package (PKG-10)",
		`  acpflow add-architecture --site moscow --cluster west --wait`)
}

func newEnableSyncCmd() *cobra.Command {
	return newStartCmd(workflows.EnableSyncBook, "enable-sync", "Make a cluster of a pair the standby: copy the other one's etcd to it (DR-30…DR-36). After a takeover: reprotect",
		`  acpflow enable-sync --site moscow --cluster east --change CHG-1042   # east becomes the standby
  acpflow plan enable-sync --site moscow --cluster east                # what it would do`)
}

func newStartCmd(book workflows.Runbook, use, short, example string) *cobra.Command {
	var f startFlags
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example, Args: cobra.NoArgs,
		RunE: withTemporal(func(cmd *cobra.Command, _ []string, c client.Client) error {
			if err := f.output.check(); err != nil {
				return err
			}
			return f.start(cmd, c, book)
		}),
	}
	f.register(cmd, false)
	f.output.register(cmd)
	return cmd
}

// register adds the flags of every runbook but -o.
func (f *startFlags) register(cmd *cobra.Command, wait bool) {
	flags := cmd.Flags()
	flags.StringVar(&f.request.Site, "site", "", "name of the site in the worker's site store")
	flags.StringVar(&f.request.Cluster, "cluster", "", "name of the cluster; may be left out when the site has one")
	flags.StringVar(&f.request.Change, "change", "", "change ticket, for the record")
	flags.StringVar(&f.request.RequestedBy, "requested-by", "", "who asks (default: ACPFLOW_REQUESTED_BY or the login name)")
	flags.StringVar(&f.request.OnFailure, "on-failure", workflows.OnFailureAsk, "when a step fails: ask a person, or abort")
	flags.BoolVar(&f.wait, "wait", wait, "follow the run; the exit code tells how it ended, 4 when a person must decide")
	flags.DurationVar(&f.limit, "wait-timeout", 0, "stop waiting after this long (exit 7); the run goes on")
	if err := cmd.MarkFlagRequired("site"); err != nil {
		panic(err) // the flag was defined above
	}
}

func (f *startFlags) start(cmd *cobra.Command, c client.Client, book workflows.Runbook) error {
	run, err := f.begin(cmd, c, book)
	if err != nil {
		return err
	}
	if f.wait {
		return follow(cmd, c, run.GetID(), followOptions{json: f.output.json(), limit: f.limit, stopAtGate: true})
	}
	return started(cmd, run, f.output.json())
}

// begin starts the run and does not wait for it.
func (f *startFlags) begin(cmd *cobra.Command, c client.Client, book workflows.Runbook) (client.WorkflowRun, error) {
	cfg, err := loadSettings()
	if err != nil {
		return nil, err
	}
	if f.request.RequestedBy == "" {
		f.request.RequestedBy = cfg.RequestedBy
	}
	if err := f.request.Validate(); err != nil {
		return nil, runError(err)
	}
	if err := book.Accepts(f.request); err != nil {
		return nil, runError(err)
	}
	if f.limit > 0 && !f.wait {
		return nil, failf(exitBadInput, "--wait-timeout needs --wait")
	}
	ctx := cmd.Context()
	if noWorker(ctx, c) {
		printf(cmd.ErrOrStderr(), "acpflow: no worker polls %q yet; the run starts when one does\n", workflows.TaskQueue)
	}
	run, err := c.ExecuteWorkflow(ctx, startOptions(book, f.request), book.Name, f.request)
	if err != nil {
		return nil, startFailed(err, book, f.request)
	}
	return run, nil
}

// started tells a person or a pipeline where to look.
func started(cmd *cobra.Command, run client.WorkflowRun, asJSON bool) error {
	if asJSON {
		return printJSON(cmd.OutOrStdout(), map[string]string{"workflowId": run.GetID(), "runId": run.GetRunID()})
	}
	printf(cmd.OutOrStdout(), "started %s\n  watch it:  acpflow watch %s\n", run.GetID(), run.GetID())
	return nil
}

func startOptions(book workflows.Runbook, r workflows.Request) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                                       workflows.RunID(book.Verb, r.Site, r.Cluster),
		TaskQueue:                                workflows.TaskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    workflows.StartAttributes(book, r.Site),
		StaticSummary:                            summary(book, r),
		StaticDetails:                            fmt.Sprintf("Requested by %s, change %s, through the acpflow CLI.", orNone(r.RequestedBy), orNone(r.Change)),
	}
}

func summary(book workflows.Runbook, r workflows.Request) string {
	s := book.Name + " of site " + r.Site
	if r.Cluster != "" {
		s = book.Name + " of cluster " + r.Cluster + ", site " + r.Site
	}
	if r.Change != "" {
		s += " (" + r.Change + ")"
	}
	return s
}

func startFailed(err error, book workflows.Runbook, r workflows.Request) error {
	if _, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); ok {
		id := workflows.RunID(book.Verb, r.Site, r.Cluster)
		return failf(exitSiteBusy, "%s is running already. Fix: acpflow watch %s, or acpflow abort %s", id, id, id)
	}
	if errors.Is(err, context.Canceled) {
		return fail(exitCouldNot, err)
	}
	return failf(exitCouldNot, "the run could not be started: %w", err)
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}
