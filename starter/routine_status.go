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

// routineStatus is what `acpflow monitor status -o json` prints; drills have
// other names for the first and the last field.
type routineStatus struct {
	Monitor  string `json:"monitor,omitempty"`
	Schedule string `json:"schedule,omitempty"`

	Every   string     `json:"every"`
	Paused  bool       `json:"paused"`
	Note    string     `json:"note,omitempty"`
	Next    *time.Time `json:"next,omitempty"`
	Started int        `json:"started"` // so far
	Skipped int        `json:"skipped"` // because the one before still ran
	Missed  int        `json:"missed"`  // because Temporal was away

	Checks []ran `json:"checks,omitzero"` // the latest first
	Drills []ran `json:"drills,omitzero"`
}

// ran is how one run of a routine ended.
type ran struct {
	Run     string    `json:"run"`
	RunID   string    `json:"runId"`
	Outcome string    `json:"outcome"`
	Started time.Time `json:"started"`
}

func (r *routine) newStatusCmd() *cobra.Command {
	f := &routineFlags{routine: r}
	var last int
	cmd := f.newCmd("status", "Show the "+r.noun+" and how its last "+r.one+"s ended", func(cmd *cobra.Command, c client.Client) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), callTimeout)
		defer cancel()
		desc, err := c.ScheduleClient().GetHandle(ctx, f.id(f.site)).Describe(ctx)
		if err != nil {
			return f.failed("status", err)
		}
		runs, err := listRuns(ctx, c, fmt.Sprintf("%s = %q AND %s = %q", workflows.AttrSite.GetName(), f.site, workflows.AttrRunbook.GetName(), f.book.Name), last)
		if err != nil {
			return err
		}
		s, lines := statusOf(desc), runsOf(runs)
		if f.form == "json" {
			f.fill(&s, f.id(f.site), lines)
			return printJSON(cmd.OutOrStdout(), s)
		}
		return f.print(cmd.OutOrStdout(), s, lines)
	})
	cmd.Flags().IntVar(&last, "last", 10, "how many "+r.one+"s to show, 1 to 1000")
	return cmd
}

func statusOf(desc *client.ScheduleDescription) routineStatus {
	out := routineStatus{Started: desc.Info.NumActions, Skipped: desc.Info.NumActionsSkippedOverlap, Missed: desc.Info.NumActionsMissedCatchupWindow}
	if spec := desc.Schedule.Spec; spec != nil && len(spec.Intervals) > 0 {
		out.Every = spec.Intervals[0].Every.String()
	}
	if state := desc.Schedule.State; state != nil {
		out.Paused, out.Note = state.Paused, state.Note
	}
	if len(desc.Info.NextActionTimes) > 0 && !out.Paused {
		out.Next = &desc.Info.NextActionTimes[0]
	}
	return out
}

func runsOf(runs []runLine) []ran {
	out := []ran{}
	for _, r := range runs {
		out = append(out, ran{Run: r.ID, RunID: r.RunID, Outcome: r.Outcome, Started: r.Started})
	}
	return out
}

func (f *routineFlags) print(w io.Writer, s routineStatus, runs []ran) error {
	state := "runs"
	if s.Paused {
		state = "is paused"
	}
	printf(w, "%s %s: a %s every %s; %d started, %d skipped because one still ran, %d missed\n", f.id(f.site), state, f.one, s.Every, s.Started, s.Skipped, s.Missed)
	if s.Note != "" {
		printf(w, "  %s\n", printable(s.Note))
	}
	if s.Next != nil {
		printf(w, "  next %s: %s\n", f.one, s.Next.Local().Format(time.DateTime))
	}
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	printf(table, "STARTED\tOUTCOME\tRUN\n")
	for _, c := range runs {
		printf(table, "%s\t%s\t%s\n", c.Started.Local().Format(time.DateTime), c.Outcome, c.Run)
	}
	return table.Flush()
}
