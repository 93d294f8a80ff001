package main

import (
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/workflows"
)

func newStatusCmd() *cobra.Command {
	var out outputFlag
	cmd := &cobra.Command{
		Use: "status RUN", Short: "Show where a run stands", Args: cobra.ExactArgs(1), ValidArgsFunction: completeRuns,
		RunE: withTemporal(func(cmd *cobra.Command, args []string, c client.Client) error {
			if err := out.check(); err != nil {
				return err
			}
			ended, err := closedAs(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			status, err := queryStatus(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			if ended != "" && status.Ended == nil { // terminated: the run itself could not say so
				status.Outcome = workflows.Outcome(ended)
			}
			if out.json() {
				return printJSON(cmd.OutOrStdout(), status)
			}
			w := cmd.OutOrStdout()
			finished, total := status.Counts()
			printf(w, "%s of cluster %s, site %s: %s, %d of %d steps\n", status.Runbook, status.Cluster, status.Request.Site, status.Outcome, finished, total)
			for _, s := range status.Steps {
				printf(w, "  %-8s %s%-26s %s%s\n", s.State, besideMark(s.StepInfo), s.ID, s.Title, outcomeOf(s))
			}
			if g := status.Gate; g != nil {
				printf(w, "\nA person must decide about %s (%s):\n%s\n", g.Step, decideHint(args[0], g), printable(g.Text()))
				if text := quorumText(g); text != "" {
					printf(w, "%s\n", text)
				}
			}
			for _, line := range recoveryLines(status.Recovery) {
				printf(w, "%s\n", line)
			}
			return nil
		}),
	}
	out.register(cmd)
	return cmd
}

func newWatchCmd() *cobra.Command {
	var out outputFlag
	var limit time.Duration
	cmd := &cobra.Command{
		Use: "watch RUN", Short: "Follow a run until it ends; live on a terminal, lines elsewhere", Args: cobra.ExactArgs(1), ValidArgsFunction: completeRuns,
		RunE: withTemporal(func(cmd *cobra.Command, args []string, c client.Client) error {
			if err := out.check(); err != nil {
				return err
			}
			return follow(cmd, c, args[0], followOptions{json: out.json(), limit: limit})
		}),
	}
	cmd.Flags().DurationVar(&limit, "wait-timeout", 0, "stop watching after this long (exit 7)")
	out.register(cmd)
	return cmd
}
