package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/workflows"
)

// monitorStatus is what `acpflow monitor status -o json` prints.
type monitorStatus struct {
	Monitor string      `json:"monitor"`
	Every   string      `json:"every"`
	Paused  bool        `json:"paused"`
	Note    string      `json:"note,omitempty"`
	Next    *time.Time  `json:"next,omitempty"`
	Started int         `json:"started"` // checks so far
	Skipped int         `json:"skipped"` // because the one before still ran
	Missed  int         `json:"missed"`  // because Temporal was away
	Checks  []checkLine `json:"checks"`  // the latest first
}

// checkLine is how one check ended.
type checkLine struct {
	Run     string    `json:"run"`
	RunID   string    `json:"runId"`
	Outcome string    `json:"outcome"`
	Started time.Time `json:"started"`
}

func newMonitorStatusCmd() *cobra.Command {
	var f monitorFlags
	var last int
	cmd := f.command("status", "Show the monitor and how its last checks ended", func(cmd *cobra.Command, c client.Client) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), callTimeout)
		defer cancel()
		desc, err := c.ScheduleClient().GetHandle(ctx, monitorID(f.site)).Describe(ctx)
		if err != nil {
			return f.failed("status", err)
		}
		runs, err := listRuns(ctx, c, fmt.Sprintf("%s = %q AND %s = %q", workflows.AttrSite.GetName(), f.site, workflows.AttrRunbook.GetName(), workflows.CheckSyncName), last)
		if err != nil {
			return err
		}
		s := statusOf(f.site, desc, runs)
		if f.form == "json" {
			return printJSON(cmd.OutOrStdout(), s)
		}
		return printMonitor(cmd.OutOrStdout(), s)
	})
	cmd.Flags().IntVar(&last, "last", 10, "how many checks to show, 1 to 1000")
	return cmd
}

func statusOf(site string, desc *client.ScheduleDescription, runs []runLine) monitorStatus {
	out := monitorStatus{Monitor: monitorID(site), Started: desc.Info.NumActions, Skipped: desc.Info.NumActionsSkippedOverlap,
		Missed: desc.Info.NumActionsMissedCatchupWindow, Checks: []checkLine{}}
	if spec := desc.Schedule.Spec; spec != nil && len(spec.Intervals) > 0 {
		out.Every = spec.Intervals[0].Every.String()
	}
	if state := desc.Schedule.State; state != nil {
		out.Paused, out.Note = state.Paused, state.Note
	}
	if len(desc.Info.NextActionTimes) > 0 && !out.Paused {
		out.Next = &desc.Info.NextActionTimes[0]
	}
	for _, r := range runs {
		out.Checks = append(out.Checks, checkLine{Run: r.ID, RunID: r.RunID, Outcome: r.Outcome, Started: r.Started})
	}
	return out
}

func printMonitor(w io.Writer, s monitorStatus) error {
	state := "runs"
	if s.Paused {
		state = "is paused"
	}
	printf(w, "%s %s: a check every %s; %d started, %d skipped because one still ran, %d missed\n", s.Monitor, state, s.Every, s.Started, s.Skipped, s.Missed)
	if s.Note != "" {
		printf(w, "  %s\n", printable(s.Note))
	}
	if s.Next != nil {
		printf(w, "  next check: %s\n", s.Next.Local().Format(time.DateTime))
	}
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	printf(table, "STARTED\tOUTCOME\tRUN\n")
	for _, c := range s.Checks {
		printf(table, "%s\t%s\t%s\n", c.Started.Local().Format(time.DateTime), c.Outcome, c.Run)
	}
	return table.Flush()
}
