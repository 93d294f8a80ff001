package kubelet

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/acpflow/acpflow/test/lab/podnet"
)

const programPrefix = "pod-"

// keepPrograms runs the real programs of the Pods on this node, each a
// transient systemd unit: it begins with the Pod, ends with it, and outlives a
// restart of the kubelet.
func keepPrograms(ctx context.Context, c Config) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for last := ""; ; {
		if err := reconcilePrograms(ctx, c); err != nil && ctx.Err() == nil && err.Error() != last {
			last = err.Error()
			slog.Warn("programs of Pods", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func reconcilePrograms(ctx context.Context, c Config) error {
	client, err := connect(c)
	if err != nil {
		return err
	}
	pods, err := podnet.Pods(ctx, client, "", c.NodeName)
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "systemctl", "list-units", "--plain", "--no-legend", programPrefix+"*.service").Output()
	if err != nil {
		return fmt.Errorf("systemctl list-units: %w", err)
	}
	extra := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 0 {
			extra[f[0]] = true
		}
	}
	for _, p := range pods {
		unit := programPrefix + p.UID + ".service"
		if !p.Ready {
			continue
		}
		if !extra[unit] {
			if err := startProgram(ctx, unit, p); err != nil {
				return err
			}
		}
		delete(extra, unit)
	}
	for unit := range extra {
		if err := run(ctx, "systemctl", "stop", unit); err != nil {
			return err
		}
	}
	return nil
}

func startProgram(ctx context.Context, unit string, p podnet.Pod) error {
	self, err := filepath.EvalSymlinks("/proc/self/exe")
	if err != nil {
		return err
	}
	slog.Info("program started", "pod", p.Namespace+"/"+p.Name, "program", p.Program, "address", p.Address())
	return run(ctx, "systemd-run", "--quiet", "--collect", "--unit="+unit, "--slice=kubepods.slice",
		"--property=Restart=always", "--property=RestartSec=1", "--property=TimeoutStopSec=5", "--property=StartLimitIntervalSec=0",
		"--", self, "pod", p.Program, "--uid", p.UID, "--address", p.Address())
}
