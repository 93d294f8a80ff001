package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

const drillHelp = `Rehearse a switchover without one: everything that only reads, the plan, and a canary name (dr.drill.canary)
that leads to the standby for a moment. In a blackout window (dr.drill.blackout) nothing is done.

acpflow drill schedule start does it again and again, every dr.drill.every.`

func newDrillCmd() *cobra.Command {
	cmd := newStartCmd(workflows.DrillBook, "drill", "Rehearse a switchover; neither side is changed",
		`  acpflow drill --site moscow --wait
  acpflow drill schedule start --site moscow`)
	cmd.Long = drillHelp
	if err := cmd.Flags().MarkHidden("cluster"); err != nil { // roles are observed
		panic(err) // newStartCmd defines it
	}
	schedule := &cobra.Command{Use: "schedule", Short: "Drill again and again, outside blackout windows", Long: drillHelp, Args: cobra.NoArgs}
	schedule.AddCommand(drills().commands()...)
	cmd.AddCommand(schedule)
	return cmd
}

// drills is the routine of drills. One that Temporal missed by hours would run at
// a time of day that nobody expects.
func drills() *routine {
	return &routine{
		command: "drill schedule", noun: "drill schedule", one: "drill", prefix: "drill-schedule/", book: workflows.DrillBook,
		interval: drillInterval, setting: "dr.drill.every", late: time.Hour,
		key:  "schedule",
		fill: func(s *routineStatus, id string, runs []ran) { s.Schedule, s.Drills = id, runs },
	}
}

func drillInterval(s *site.Site) time.Duration {
	if s.DR.Drill == nil {
		return site.DefaultDrillEvery
	}
	return s.DR.Drill.Interval()
}
