package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/workflows"
)

// callTimeout bounds one query or update: both hang when no worker polls.
const callTimeout = 10 * time.Second

// connect dials Temporal with the TEMPORAL_* settings.
func connect(ctx context.Context) (client.Client, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, fail(exitBadInput, err)
	}
	options.Logger = log.NewStructuredLogger(secret.NewLogger(os.Stderr, slog.LevelError, false))
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, failf(exitCouldNot, "no connection to Temporal: %w. Fix: set TEMPORAL_ADDRESS or a profile in temporal.toml; is the server up?", err)
	}
	return c, nil
}

// withTemporal gives a command its connection.
func withTemporal(run func(cmd *cobra.Command, args []string, c client.Client) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := connect(cmd.Context())
		if err != nil {
			return err
		}
		defer c.Close()
		return run(cmd, args, c)
	}
}

// noWorker reports whether nobody polls the task queue, which is why a query
// or a start would seem to hang.
func noWorker(ctx context.Context, c client.Client) bool {
	desc, err := c.DescribeTaskQueue(ctx, workflows.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	return err == nil && len(desc.GetPollers()) == 0
}

var errNoWorker = failf(exitCouldNot, "no worker polls the task queue %q. Fix: start acpflow's worker", workflows.TaskQueue)

// queryStatus asks a run where it stands. A closed run answers too, as long as
// a worker is up.
func queryStatus(ctx context.Context, c client.Client, id string) (*workflows.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	value, err := c.QueryWorkflow(ctx, id, "", workflows.StatusQuery)
	if err != nil {
		return nil, explain(ctx, c, id, err)
	}
	var p workflows.Progress
	if err := value.Get(&p); err != nil {
		return nil, failf(exitCouldNot, "run %s answers with a status this version does not understand: %w", id, err)
	}
	return &p, nil
}

// closedAs says how a run ended ("terminated"), or "" while it is open.
func closedAs(ctx context.Context, c client.Client, id string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	desc, err := c.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return "", explain(ctx, c, id, err)
	}
	status := desc.GetWorkflowExecutionInfo().GetStatus()
	if status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return "", nil
	}
	return strings.ToLower(status.String()), nil
}

// mustBeOpen refuses what only makes sense on a run that has not ended.
func mustBeOpen(ctx context.Context, c client.Client, id string) error {
	ended, err := closedAs(ctx, c, id)
	if err != nil {
		return err
	}
	if ended != "" {
		return failf(exitBadInput, "run %s has ended: %s. Fix: acpflow list --open shows the runs that have not", id, ended)
	}
	return nil
}

// explain turns the usual failures of a call into cause and fix.
func explain(ctx context.Context, c client.Client, id string, err error) error {
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return failf(exitBadInput, "there is no run %q. Fix: acpflow list shows the runs", id)
	}
	wctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if noWorker(wctx, c) {
		return errNoWorker
	}
	return failf(exitCouldNot, "run %s does not answer: %w. Fix: look at Temporal and at the worker's log; the run itself is durable", id, err)
}

// completeRuns offers the ids of open runbooks to the shell.
func completeRuns(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return completeRunsBy(cmd, args, `ExecutionStatus = "Running"`)
}

// completeAnyRun offers the ids of the latest runbooks, ended ones too.
func completeAnyRun(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return completeRunsBy(cmd, args, "")
}

func completeRunsBy(cmd *cobra.Command, args []string, filter string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := connect(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer c.Close()
	runs, err := listRuns(cmd.Context(), c, filter, 50)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var ids []string
	for _, r := range runs {
		if !slices.Contains(ids, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
