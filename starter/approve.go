package main

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/workflows"
)

const approveHelp = `Approve what a run asks before it acts. What can't be taken back needs as many different people as the site's
policy.approvals say, and never the one who started the run; an approval lapses after a while, and the run goes on waiting.

The approval is of the question that is printed: when another one is asked by now, it is refused. To refuse what is asked:
acpflow decide RUN --action abort.`

// approved is what `acpflow approve -o json` prints.
type approved struct {
	Run      string `json:"workflowId"`
	Step     string `json:"step"`
	By       string `json:"by"`
	Question string `json:"question"`
	Digest   string `json:"digest"`
	Answer   string `json:"answer"`
}

func newApproveCmd() *cobra.Command {
	var in workflows.Approval
	var out outputFlag
	cmd := &cobra.Command{
		Use: "approve RUN --reason WHY", Short: "Approve what a run asks before it acts", Long: approveHelp,
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeRuns,
		Example: `  acpflow approve switchover/moscow/east --by "Anna Ivanova" --reason "window CHG-1042 is open"`,
		RunE: withTemporal(func(cmd *cobra.Command, args []string, c client.Client) error {
			if err := out.check(); err != nil {
				return err
			}
			result, err := approve(cmd.Context(), c, args[0], in)
			if err != nil {
				return err
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), result)
			}
			printf(cmd.OutOrStdout(), "%s\n%s\n", printable(result.Question), printable(result.Answer))
			return nil
		}),
	}
	cmd.Flags().StringVar(&in.By, "by", "", "who approves (default: ACPFLOW_REQUESTED_BY or the login name)")
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why")
	cmd.Flags().StringVar(&in.Step, "step", "", "the step you approve (default: the open gate's)")
	cmd.Flags().StringVar(&in.Digest, "digest", "", "digest of the question you have read, as status -o json shows it (default: the open gate's)")
	out.register(cmd)
	if err := cmd.MarkFlagRequired("reason"); err != nil {
		panic(err) // the flag was defined above
	}
	return cmd
}

// approve takes step and digest of the open gate as defaults, and sends.
func approve(ctx context.Context, c client.Client, id string, in workflows.Approval) (approved, error) {
	if err := mustBeOpen(ctx, c, id); err != nil {
		return approved{}, err
	}
	if in.By == "" {
		cfg, err := loadSettings()
		if err != nil {
			return approved{}, err
		}
		in.By = cfg.RequestedBy
	}
	status, err := queryStatus(ctx, c, id)
	if err != nil {
		return approved{}, err
	}
	gate := status.Gate
	if gate == nil || gate.Question == "" {
		return approved{}, failf(exitBadInput, "run %s asks for no approval now: it is %s. Fix: acpflow status %s", id, status.Outcome, id)
	}
	if in.Step == "" {
		in.Step = gate.Step
	}
	if in.Digest == "" {
		in.Digest = gate.Digest
	}
	answer, err := sendUpdate(ctx, c, id, workflows.ApproveUpdate, in)
	return approved{Run: id, Step: in.Step, By: in.By, Question: gate.Question, Digest: in.Digest, Answer: answer}, err
}

// sendUpdate gives a run an answer, and returns what the run says to it.
func sendUpdate(ctx context.Context, c client.Client, id, name string, in any) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	handle, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateID: uuid.NewString(), UpdateName: name, Args: []any{in},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		var answer string
		if err = handle.Get(ctx, &answer); err == nil {
			return answer, nil
		}
	}
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return "", failf(exitBadInput, "the decision was refused: %s", app.Message())
	}
	return "", explain(ctx, c, id, err)
}
