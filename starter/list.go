package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/acpflow/acpflow/workflows"
)

// runLine is one run in a listing.
type runLine struct {
	ID      string    `json:"workflowId"`
	RunID   string    `json:"runId"`
	Runbook string    `json:"runbook"`
	Site    string    `json:"site,omitempty"`
	Cluster string    `json:"cluster,omitempty"`
	Change  string    `json:"change,omitempty"`
	Step    string    `json:"step,omitempty"`
	Outcome string    `json:"outcome,omitempty"`
	Status  string    `json:"status"`
	Started time.Time `json:"started"`
}

func newListCmd() *cobra.Command {
	var out outputFlag
	var site string
	var open bool
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List runs, newest first", Args: cobra.NoArgs,
		RunE: withTemporal(func(cmd *cobra.Command, _ []string, c client.Client) error {
			if err := out.check(); err != nil {
				return err
			}
			if limit < 1 || limit > 1000 {
				return failf(exitBadInput, "--limit %d is not between 1 and 1000", limit)
			}
			var filter []string
			if site != "" {
				filter = append(filter, fmt.Sprintf("AcpSite = '%s'", strings.ReplaceAll(site, "'", "''")))
			}
			if open {
				filter = append(filter, `ExecutionStatus = "Running"`)
			}
			runs, err := listRuns(cmd.Context(), c, strings.Join(filter, " AND "), limit)
			if err != nil {
				return err
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), runs)
			}
			return printRuns(cmd, runs)
		}),
	}
	cmd.Flags().StringVar(&site, "site", "", "only this site")
	cmd.Flags().BoolVar(&open, "open", false, "only runs that have not ended")
	cmd.Flags().IntVar(&limit, "limit", 20, "at most this many")
	out.register(cmd)
	return cmd
}

// listRuns asks visibility for runbooks; filter may be empty.
func listRuns(ctx context.Context, c client.Client, filter string, limit int) ([]runLine, error) {
	types := make([]string, len(workflows.Books))
	for i, b := range workflows.Books {
		types[i] = "'" + b.Name + "'"
	}
	query := "WorkflowType IN (" + strings.Join(types, ", ") + ")"
	if filter != "" {
		query += " AND " + filter
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{PageSize: int32(limit), Query: query}) //nolint:gosec // bounded
	if err != nil {
		return nil, failf(exitCouldNot, "runs can't be listed: %w", err)
	}
	runs := make([]runLine, 0, len(answer.GetExecutions()))
	for _, e := range answer.GetExecutions() {
		runs = append(runs, lineOf(e))
	}
	return runs, nil
}

func lineOf(e *workflowpb.WorkflowExecutionInfo) runLine {
	attrs := e.GetSearchAttributes().GetIndexedFields()
	line := runLine{
		ID: e.GetExecution().GetWorkflowId(), RunID: e.GetExecution().GetRunId(), Runbook: e.GetType().GetName(),
		Site:    attr(attrs, workflows.AttrSite.GetName()),
		Cluster: attr(attrs, workflows.AttrCluster.GetName()),
		Change:  attr(attrs, workflows.AttrChange.GetName()),
		Step:    attr(attrs, workflows.AttrStep.GetName()),
		Outcome: attr(attrs, workflows.AttrOutcome.GetName()),
		Status:  e.GetStatus().String(),
		Started: e.GetStartTime().AsTime(),
	}
	switch workflows.Outcome(line.Outcome) {
	case workflows.InProgress, workflows.Waiting, workflows.Undoing:
		if e.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING { // terminated: the run could not say so itself
			line.Outcome = strings.ToLower(line.Status)
		}
	}
	return line
}

func attr(fields map[string]*commonpb.Payload, name string) string {
	var s string
	if p, ok := fields[name]; ok && converter.GetDefaultDataConverter().FromPayload(p, &s) != nil {
		return "?"
	}
	return s
}

func printRuns(cmd *cobra.Command, runs []runLine) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	printf(w, "RUN\tSITE\tCLUSTER\tSTATUS\tOUTCOME\tSTEP\tCHANGE\tSTARTED\n")
	for _, r := range runs {
		printf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Site, r.Cluster, r.Status, r.Outcome, r.Step, r.Change, r.Started.Local().Format(time.DateTime))
	}
	return w.Flush()
}
