package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

const monitorHelp = `Check a disaster recovery pair again and again: a Temporal Schedule that starts CheckSync.

A check that still runs is not joined by another one; checks that were missed while Temporal was down are not caught up
on beyond a minute. What the checks found: acpflow monitor status, acpflow list --site NAME, the standby's ledger.`

// monitor is the routine of checks. A check tells of now, so old ones are worth
// nothing.
func monitor() *routine {
	return &routine{
		command: "monitor", noun: "monitor", one: "check", prefix: "monitor/", book: workflows.CheckSyncBook,
		interval: func(s *site.Site) time.Duration { return s.DR.Sync.Interval() }, setting: "dr.sync.checkEvery", late: time.Minute,
		key:  "monitor",
		fill: func(s *routineStatus, id string, runs []ran) { s.Monitor, s.Checks = id, runs },
	}
}

func newMonitorCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "monitor", Short: "Check a disaster recovery pair again and again", Long: monitorHelp, Args: cobra.NoArgs}
	cmd.AddCommand(monitor().commands()...)
	return cmd
}
