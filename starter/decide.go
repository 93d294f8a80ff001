package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/workflows"
)

func newDecideCmd() *cobra.Command {
	var d workflows.Decision
	var action string
	cmd := &cobra.Command{
		Use: "decide RUN --action retry|approve|skip|abort", Short: "Answer the open decision gate of a run", Args: cobra.ExactArgs(1), ValidArgsFunction: completeRuns,
		Example: `  acpflow decide install/moscow/west --action retry
  acpflow decide install/moscow/west --action skip --reason "console is checked by hand, CHG-1042"`,
		RunE: withTemporal(func(cmd *cobra.Command, args []string, c client.Client) error {
			d.Action = workflows.Action(action)
			if err := mustBeOpen(cmd.Context(), c, args[0]); err != nil {
				return err
			}
			if err := fillDecision(cmd.Context(), c, args[0], &d); err != nil {
				return err
			}
			answer, err := sendUpdate(cmd.Context(), c, args[0], workflows.DecideUpdate, d)
			if err != nil {
				return err
			}
			printf(cmd.OutOrStdout(), "%s\n", answer)
			return nil
		}),
	}
	cmd.Flags().StringVar(&action, "action", "", "retry, approve, skip or abort")
	cmd.Flags().StringVar(&d.Step, "step", "", "the step you answer for (default: the open gate's)")
	cmd.Flags().StringVar(&d.By, "by", "", "who decides (default: ACPFLOW_REQUESTED_BY or the login name)")
	cmd.Flags().StringVar(&d.Reason, "reason", "", "why; all but retry need one")
	if err := errors.Join(cmd.MarkFlagRequired("action"), cmd.RegisterFlagCompletionFunc("action",
		cobra.FixedCompletions([]string{"retry", "approve", "skip", "abort"}, cobra.ShellCompDirectiveNoFileComp))); err != nil {
		panic(err) // the flag was defined above
	}
	return cmd
}

// fillDecision takes the open gate's step and the caller's name as defaults.
func fillDecision(ctx context.Context, c client.Client, id string, d *workflows.Decision) error {
	if d.By == "" {
		cfg, err := loadSettings()
		if err != nil {
			return err
		}
		d.By = cfg.RequestedBy
	}
	if d.Step != "" {
		return nil
	}
	status, err := queryStatus(ctx, c, id)
	if err != nil {
		return err
	}
	if status.Gate == nil {
		return failf(exitBadInput, "run %s waits for no decision: it is %s", id, status.Outcome)
	}
	d.Step = status.Gate.Step
	return nil
}

func newAbortCmd() *cobra.Command {
	var by, reason string
	cmd := &cobra.Command{
		Use: "abort RUN --reason WHY", Short: "End a run; what can be undone is undone", Args: cobra.ExactArgs(1), ValidArgsFunction: completeRuns,
		Long: `End a run. Before the point of no return everything reversible that was done is undone, in reverse order;
after it nothing is undone. Where the undo would do harm it is held back, and the open gate says why. A run that waits for a decision is answered with abort, any other is cancelled.`,
		RunE: withTemporal(func(cmd *cobra.Command, args []string, c client.Client) error {
			text, err := abort(cmd.Context(), c, args[0], workflows.Decision{Action: workflows.Abort, By: by, Reason: reason})
			if err != nil {
				return err
			}
			printf(cmd.OutOrStdout(), "%s\n  watch the undo:  acpflow watch %s\n", text, args[0])
			return nil
		}),
	}
	cmd.Flags().StringVar(&by, "by", "", "who aborts (default: ACPFLOW_REQUESTED_BY or the login name)")
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	if err := cmd.MarkFlagRequired("reason"); err != nil {
		panic(err) // the flag was defined above
	}
	return cmd
}

func abort(ctx context.Context, c client.Client, id string, d workflows.Decision) (string, error) {
	if err := mustBeOpen(ctx, c, id); err != nil {
		return "", err
	}
	status, err := queryStatus(ctx, c, id)
	if err == nil && status.Gate != nil && !slices.Contains(status.Gate.Actions, workflows.Abort) {
		return "", failf(exitBadInput, "run %s can't be aborted at its open gate, step %s: %s. Fix: %s", id, status.Gate.Step, status.Gate.Text(), decideHint(id, status.Gate))
	}
	if err == nil && status.Gate != nil {
		if err := fillDecision(ctx, c, id, &d); err != nil {
			return "", err
		}
		return sendUpdate(ctx, c, id, workflows.DecideUpdate, d)
	}
	// Not parked, or no worker to ask: the cancellation waits in the run for one.
	d.Step = "-" // a cancellation answers no gate
	if err := fillDecision(ctx, c, id, &d); err != nil {
		return "", err
	}
	err = c.CancelWorkflowWithOptions(ctx, client.CancelWorkflowOptions{WorkflowID: id, Reason: fmt.Sprintf("%s (by %s)", d.Reason, d.By)})
	if err != nil {
		return "", explain(ctx, c, id, err)
	}
	return fmt.Sprintf("cancellation of %s requested by %s: %s", id, d.By, d.Reason), nil
}
