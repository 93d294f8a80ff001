package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

func (r *routine) newStartCmd() *cobra.Command {
	f := &routineFlags{routine: r}
	var every time.Duration
	cmd := f.newCmd("start", "Start the "+r.noun+", or give it another interval", func(cmd *cobra.Command, c client.Client) error {
		every, err := f.every(every)
		if err != nil {
			return err
		}
		said, err := startSchedule(cmd.Context(), c, f.options(every))
		if err != nil {
			return failf(exitCouldNot, "the %s could not be started: %w", f.noun, err)
		}
		return f.say(cmd, fmt.Sprintf("%s: a %s every %s", said, f.one, every))
	})
	cmd.Example = fmt.Sprintf("  acpflow %[1]s start --site moscow\n  acpflow %[1]s start --site moscow --every 12h", r.command)
	cmd.Flags().DurationVar(&every, "every", 0, "interval, 10s or more (default: "+r.setting+" of the site document)")
	return cmd
}

// startSchedule creates the schedule, or gives the one that is there these
// settings; one that is paused stays so.
func startSchedule(ctx context.Context, c client.Client, o client.ScheduleOptions) (string, error) {
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

func (r *routine) newStopCmd() *cobra.Command {
	f := &routineFlags{routine: r}
	return f.newCmd("stop", "Stop the "+r.noun+"; a "+r.one+" that runs ends by itself", func(cmd *cobra.Command, c client.Client) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), callTimeout)
		defer cancel()
		err := c.ScheduleClient().GetHandle(ctx, f.id(f.site)).Delete(ctx)
		if isNotFound(err) {
			return f.say(cmd, f.id(f.site)+" does not run")
		}
		if err != nil {
			return failf(exitCouldNot, "the %s could not be stopped: %w", f.noun, err)
		}
		return f.say(cmd, "stopped "+f.id(f.site))
	})
}

// newPauseCmd is pause, or resume.
func (r *routine) newPauseCmd(pause bool) *cobra.Command {
	f := &routineFlags{routine: r}
	var reason string
	use, short := "resume", "Go on after a pause"
	if pause {
		use, short = "pause", "Leave out "+r.one+"s until it is resumed"
	}
	cmd := f.newCmd(use, short, func(cmd *cobra.Command, c client.Client) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), callTimeout)
		defer cancel()
		handle := c.ScheduleClient().GetHandle(ctx, f.id(f.site))
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
		return f.say(cmd, f.id(f.site)+" "+note)
	})
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return cmd
}

func isNotFound(err error) bool {
	_, ok := errors.AsType[*serviceerror.NotFound](err)
	return ok
}
