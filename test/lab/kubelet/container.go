// Package kubelet is the lab's stand-in for a node's kubelet and container
// runtime. It runs the static Pods of /etc/kubernetes/manifests as real
// processes, each a transient systemd unit, so that they outlive a restart of
// the kubelet as containers do; it registers the Node and lets kwok play the
// Pods that are scheduled there.
package kubelet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// StoreDir holds one file per container. It is empty after a boot, as the
// containers are.
const StoreDir = "/run/cri"

// Container is a running static Pod container.
type Container struct {
	ID      string    `json:"id"` // 64 hex digits
	Name    string    `json:"name"`
	Pod     string    `json:"pod"`
	Hash    string    `json:"hash"` // of the manifest it was started from
	Attempt int       `json:"attempt"`
	PID     int       `json:"pid"`
	Born    string    `json:"born"` // start time of the process in clock ticks: a PID alone may be reused
	Created time.Time `json:"created"`
}

// unit is the systemd unit the container runs in.
func (c Container) unit() string { return "cri-" + c.ID[:13] + ".service" }

// Alive reports whether the container's process still runs.
func (c Container) Alive() bool { return c.PID > 0 && born(c.PID) == c.Born }

// born is field 22 of /proc/PID/stat, "" when there is no such process. The
// second field, the command in parentheses, may hold blanks.
func born(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}

// Store starts, finds and removes containers.
type Store struct{ Dir string }

// List returns the containers, newest first, dead ones included.
func (s Store) List() ([]Container, error) {
	names, err := filepath.Glob(filepath.Join(s.Dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var out []Container
	for _, name := range names {
		data, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		var c Container
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Container) int { return b.Created.Compare(a.Created) })
	return out, nil
}

// Start runs the Pod's container and remembers it.
func (s Store) Start(ctx context.Context, p Pod, attempt int) (Container, error) {
	id := make([]byte, 32)
	if _, err := rand.Read(id); err != nil {
		return Container{}, err
	}
	c := Container{ID: hex.EncodeToString(id), Name: p.Container, Pod: p.Name, Hash: p.Hash, Attempt: attempt, Created: time.Now().UTC()}
	logs := filepath.Join("/var/log/pods", p.Namespace+"_"+p.Name, p.Container)
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return c, err
	}
	log := "append:" + filepath.Join(logs, strconv.Itoa(attempt)+".log")
	args := []string{"--quiet", "--collect", "--unit=" + c.unit(), "--slice=kubepods.slice",
		"--property=StandardOutput=" + log, "--property=StandardError=" + log,
		"--property=TimeoutStopSec=10", "--property=LimitNOFILE=65536"}
	args = append(append(args, "--"), p.Command...)
	if err := run(ctx, "systemd-run", args...); err != nil {
		return c, err
	}
	out, err := exec.CommandContext(ctx, "systemctl", "show", "--property=MainPID", "--value", c.unit()).Output()
	if err != nil {
		return c, fmt.Errorf("systemctl show %s: %w", c.unit(), err)
	}
	if c.PID, err = strconv.Atoi(strings.TrimSpace(string(out))); err != nil || c.PID == 0 {
		return c, fmt.Errorf("%s ended at once; its log is in %s", p.Container, logs)
	}
	c.Born = born(c.PID)
	return c, s.save(c)
}

func (s Store) save(c Container) error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	tmp := filepath.Join(s.Dir, "."+c.ID)
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(s.Dir, c.ID+".json"))
}

// Remove stops the container's process, if it still runs, and forgets it.
func (s Store) Remove(ctx context.Context, c Container) error {
	if c.Alive() {
		if err := run(ctx, "systemctl", "stop", c.unit()); err != nil && c.Alive() {
			return err
		}
	}
	err := os.Remove(filepath.Join(s.Dir, c.ID+".json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Sweep ends what a kubelet started and was killed before it could remember: a
// container that nobody knows would keep its port for ever. Only for a kubelet that
// begins.
func (s Store) Sweep(ctx context.Context) error {
	containers, err := s.List()
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, c := range containers {
		known[c.unit()] = true
	}
	out, err := exec.CommandContext(ctx, "systemctl", "list-units", "--plain", "--no-legend", "cri-*.service").Output()
	if err != nil {
		return fmt.Errorf("systemctl list-units: %w", err)
	}
	var errs []error
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 0 && !known[fields[0]] {
			errs = append(errs, run(ctx, "systemctl", "stop", fields[0]))
		}
	}
	return errors.Join(errs...)
}

func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
