package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/workflows"
)

const monitorHelp = `Check a disaster recovery pair again and again: a Temporal Schedule that starts CheckSync.

A check that still runs is not joined by another one; checks that were missed while Temporal was down are not caught up
on beyond a minute. What the checks found: acpflow monitor status, acpflow list --site NAME, the standby's ledger.`

// missedBy is how late a check may start after Temporal was away: a check tells
// of now, so old ones are worth nothing.
const missedBy = time.Minute

type monitorFlags struct {
	site string
	form string
	by   string
}

func newMonitorCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "monitor", Short: "Check a disaster recovery pair again and again", Long: monitorHelp, Args: cobra.NoArgs}
	cmd.AddCommand(newMonitorStartCmd(), newMonitorStopCmd(), newMonitorPauseCmd(true), newMonitorPauseCmd(false), newMonitorStatusCmd())
	return cmd
}

// command is one verb of the monitor of a site.
func (f *monitorFlags) command(use, short string, run func(cmd *cobra.Command, c client.Client) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, args []string) error {
		if err := checkForm(f.form); err != nil {
			return err
		}
		if !site.IsLabel(f.site) {
			return failf(exitBadInput, "--site %q is not a site name (lower-case letters, digits and \"-\")", f.site)
		}
		cfg, err := loadSettings()
		if err != nil {
			return err
		}
		f.by = cfg.RequestedBy
		return withTemporal(func(cmd *cobra.Command, _ []string, c client.Client) error { return run(cmd, c) })(cmd, args)
	}}
	cmd.Flags().StringVar(&f.site, "site", "", "name of the site in the worker's site store")
	if err := cmd.MarkFlagRequired("site"); err != nil {
		panic(err) // the flag was defined above
	}
	registerForm(cmd, &f.form)
	return cmd
}

func monitorID(site string) string { return "monitor/" + site }

func newMonitorStartCmd() *cobra.Command {
	var f monitorFlags
	var every time.Duration
	cmd := f.command("start", "Start the monitor, or give it another interval", func(cmd *cobra.Command, c client.Client) error {
		every, err := f.interval(every)
		if err != nil {
			return err
		}
		said, err := startMonitor(cmd.Context(), c, f.options(every))
		if err != nil {
			return failf(exitCouldNot, "the monitor could not be started: %w", err)
		}
		return f.say(cmd, fmt.Sprintf("%s: a check every %s", said, every))
	})
	cmd.Example = "  acpflow monitor start --site moscow\n  acpflow monitor start --site moscow --every 1m"
	cmd.Flags().DurationVar(&every, "every", 0, "interval, 10s or more (default: dr.sync.checkEvery of the site document)")
	return cmd
}

// interval is the flag's, or the site document's.
func (f *monitorFlags) interval(every time.Duration) (time.Duration, error) {
	if every != 0 {
		if every < site.MinCheckEvery {
			return 0, failf(exitBadInput, "--every %s is less than %s", every, site.MinCheckEvery)
		}
		return every, nil
	}
	snapshot, err := loadSite(f.site)
	if err != nil {
		return 0, failf(exitBadInput, "the site document does not tell how often to check: %w. Fix: give --every, or set ACPFLOW_SITES_DIR", err)
	}
	return snapshot.Site.DR.Sync.Interval(), nil
}

// options are the whole monitor. Sites begin at another moment of the interval
// each, so that many monitors don't check at once.
func (f *monitorFlags) options(every time.Duration) client.ScheduleOptions {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(f.site)) // never fails
	offset := time.Duration(hash.Sum64()%uint64(every/time.Second)) * time.Second
	request := workflows.Request{Site: f.site, RequestedBy: "monitor of " + orNone(f.by), OnFailure: workflows.OnFailureAbort}
	return client.ScheduleOptions{
		ID:   monitorID(f.site),
		Spec: client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every, Offset: offset}}},
		Action: &client.ScheduleWorkflowAction{
			ID:                    workflows.RunID(workflows.CheckSyncBook.Verb, f.site, ""), // Temporal adds the time
			Workflow:              workflows.CheckSyncName,
			Args:                  []any{request},
			TaskQueue:             workflows.TaskQueue,
			TypedSearchAttributes: workflows.StartAttributes(workflows.CheckSyncBook, f.site),
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: missedBy,
		Note:          "started by " + orNone(f.by),
	}
}

// startMonitor creates the schedule, or gives the one that is there these
// settings; one that is paused stays so.
func startMonitor(ctx context.Context, c client.Client, o client.ScheduleOptions) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := c.ScheduleClient().Create(ctx, o)
	if err == nil {
		return "started " + o.ID, nil
	}
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return "", err
	}
	said := o.ID + " runs already"
	err = c.ScheduleClient().GetHandle(ctx, o.ID).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			if s.State != nil && s.State.Paused {
				said = o.ID + " is there and paused (" + s.State.Note + ")"
			}
			s.Spec, s.Action = &o.Spec, o.Action
			s.Policy = &client.SchedulePolicies{Overlap: o.Overlap, CatchupWindow: o.CatchupWindow}
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
	return said, err
}

func newMonitorStopCmd() *cobra.Command {
	var f monitorFlags
	return f.command("stop", "Stop the monitor; a check that runs ends by itself", func(cmd *cobra.Command, c client.Client) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), callTimeout)
		defer cancel()
		err := c.ScheduleClient().GetHandle(ctx, monitorID(f.site)).Delete(ctx)
		if isNotFound(err) {
			return f.say(cmd, monitorID(f.site)+" does not run")
		}
		if err != nil {
			return failf(exitCouldNot, "the monitor could not be stopped: %w", err)
		}
		return f.say(cmd, "stopped "+monitorID(f.site))
	})
}

// newMonitorPauseCmd is pause, or resume.
func newMonitorPauseCmd(pause bool) *cobra.Command {
	var f monitorFlags
	var reason string
	use, short := "resume", "Go on after a pause"
	if pause {
		use, short = "pause", "Leave out checks until it is resumed"
	}
	cmd := f.command(use, short, func(cmd *cobra.Command, c client.Client) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), callTimeout)
		defer cancel()
		handle := c.ScheduleClient().GetHandle(ctx, monitorID(f.site))
		note := fmt.Sprintf("%sd by %s: %s", use, orNone(f.by), orNone(reason))
		var err error
		if pause {
			err = handle.Pause(ctx, client.SchedulePauseOptions{Note: note})
		} else {
			err = handle.Unpause(ctx, client.ScheduleUnpauseOptions{Note: note})
		}
		if err != nil {
			return f.failed(use, err)
		}
		return f.say(cmd, monitorID(f.site)+" "+note)
	})
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return cmd
}

func (f *monitorFlags) failed(verb string, err error) error {
	if isNotFound(err) {
		return failf(exitBadInput, "site %s has no monitor. Fix: acpflow monitor start --site %s", f.site, f.site)
	}
	return failf(exitCouldNot, "monitor %s: %w", verb, err)
}

// say tells a person or a pipeline what was done.
func (f *monitorFlags) say(cmd *cobra.Command, text string) error {
	if f.form == "json" {
		return printJSON(cmd.OutOrStdout(), map[string]string{"monitor": monitorID(f.site), "result": text})
	}
	printf(cmd.OutOrStdout(), "%s\n", text)
	return nil
}

func isNotFound(err error) bool {
	_, ok := errors.AsType[*serviceerror.NotFound](err)
	return ok
}
