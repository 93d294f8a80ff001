package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/installer"
)

// WatchInput names the installer and the patience with it.
type WatchInput struct {
	Scope
	Node       Node          `json:"node"`
	StallAfter time.Duration `json:"stallAfter"` // nanoseconds without any change
}

// progressPoll is how often the installer is asked; its own script asks every
// 10 s, but a missed Success is found sooner this way.
const progressPoll = time.Second

// WatchInstaller follows the installer until it succeeded, failed for good or stalled
// (EXE-11…EXE-13). The judge's state is in the heartbeat, so that another
// attempt goes on where a dead worker stopped.
func (a *Installer) WatchInstaller(ctx context.Context, in WatchInput) (Evidence, error) {
	tracker := resumeTracker(ctx, in.StallAfter)
	for {
		now := tracker.Observe(a.observe(ctx, in.Node))
		switch now.Verdict {
		case installer.VerdictSucceeded:
			return Evidence{Summary: "the installer reports success", Host: in.Node.Name}, nil
		case installer.VerdictFailed:
			return Evidence{}, fault.New(fault.Failed, "install", in.Node.Name, "mend the cause; the installer tries again by itself, so retry this step afterwards", errors.New(now.Cause))
		case installer.VerdictStalled:
			return Evidence{}, fault.New(fault.Stalled, "install", in.Node.Name, "mend the cause, then retry this step", errors.New(now.Cause))
		case installer.VerdictGone:
			return a.afterInstaller(ctx, in, now)
		}
		reportInstall(ctx, tracker, now)
		if err := pause(ctx, progressPoll); err != nil {
			return Evidence{}, err
		}
	}
}

func (a *Installer) observe(ctx context.Context, node Node) installer.Observation {
	o := installer.Observation{}
	client, err := a.client(ctx, node)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		o.Progress, err = client.Progress(ctx)
	}
	o.At, o.Err = time.Now(), err
	return o
}

// afterInstaller judges the cluster itself when the installer is gone: it ends
// after success, and the one poll that would have said so may have been missed.
func (a *Installer) afterInstaller(ctx context.Context, in WatchInput, now installer.Judgement) (Evidence, error) {
	cluster := Cluster{Hosts: a.Hosts}
	for _, check := range []func(context.Context, ClusterInput) (Evidence, error){cluster.CheckNodesReady, cluster.CheckClusterModule} {
		if _, err := check(ctx, ClusterInput{Scope: in.Scope}); err != nil {
			return Evidence{}, fault.New(fault.Failed, "install", in.Node.Name,
				"look at the installer's container and log on that node; retry when the cluster is healthy", fmt.Errorf("%s; and the cluster is not healthy: %w", now.Cause, err))
		}
	}
	return Evidence{Summary: "the installer has ended and the cluster is healthy", Host: in.Node.Name}, nil
}

func reportInstall(ctx context.Context, tracker *installer.Tracker, now installer.Judgement) {
	state, err := json.Marshal(tracker)
	if err != nil {
		state = nil // the next attempt starts judging anew
	}
	text := fmt.Sprintf("installer: %s", now.Last.Status)
	if now.Last.Phase != "" {
		text += ", " + now.Last.Phase
	}
	if now.Last.Step >= 0 {
		text += fmt.Sprintf(", step %d", now.Last.Step)
	}
	report(ctx, Progress{Text: text, Resume: state})
}

func resumeTracker(ctx context.Context, stall time.Duration) *installer.Tracker {
	limits := installer.DefaultLimits()
	limits.Stall = stall
	limits.Deaf, limits.FailedFor = min(limits.Deaf, stall), min(limits.FailedFor, stall) // one knob: an impatient site is so in every way
	var last Progress
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &last) == nil && last.Resume != nil {
		var t installer.Tracker
		if json.Unmarshal(last.Resume, &t) == nil {
			t.Limits = limits
			return &t
		}
	}
	return installer.NewTracker(limits)
}
