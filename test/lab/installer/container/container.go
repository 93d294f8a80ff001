// Package container is the installer node's container engine as far as the
// install needs one: it knows exactly one container, the installer itself,
// and runs it as a systemd unit.
package container

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Name of the installer's container and of its unit (CLN-01).
const Name = "minialauda-control-plane"

const (
	unitFile = "/etc/systemd/system/" + Name + ".service"
	record   = "/var/lib/docker/containers/" + Name + ".json"
	image    = "registry.example.com/acp/minialauda:v4.1.0"
)

// Container is what `docker ps -a` lists.
type Container struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Running bool      `json:"-"`
}

// Run creates and starts the container. program is its command line.
func Run(ctx context.Context, program string) error {
	if _, err := os.Stat(record); err == nil {
		return fmt.Errorf("the container %s already exists", Name)
	}
	id := make([]byte, 32)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	data, err := json.Marshal(Container{ID: hex.EncodeToString(id), Created: time.Now().UTC()})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(record), 0o711); err != nil {
		return err
	}
	if err := os.WriteFile(record, data, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(unitFile, []byte(fmt.Sprintf(unit, program)), 0o644); err != nil {
		return err
	}
	if err := systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	return systemctl(ctx, "enable", "--now", "--quiet", Name+".service")
}

// It comes back after a crash and a boot, as a container with a restart
// policy does; an installer that ended in good order stays ended.
const unit = `[Unit]
Description=Installer of the container platform
After=network-online.target

[Service]
ExecStart=%s
Restart=on-failure
RestartSec=2

[Install]
WantedBy=multi-user.target
`

// Get returns the container, fs.ErrNotExist when there is none.
func Get(ctx context.Context) (Container, error) {
	var c Container
	data, err := os.ReadFile(record)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, err
	}
	c.Running = exec.CommandContext(ctx, "systemctl", "is-active", "--quiet", Name+".service").Run() == nil
	return c, nil
}

// Remove stops and forgets the container.
func Remove(ctx context.Context) error {
	if _, err := Get(ctx); err != nil {
		return err
	}
	if err := systemctl(ctx, "disable", "--now", "--quiet", Name+".service"); err != nil {
		return err
	}
	return forget(ctx)
}

// RemoveSelf forgets the container from inside; the caller then exits with 0.
func RemoveSelf(ctx context.Context) error {
	if err := systemctl(ctx, "disable", "--quiet", Name+".service"); err != nil {
		return err
	}
	return forget(ctx)
}

func forget(ctx context.Context) error {
	for _, path := range []string{record, unitFile} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return systemctl(ctx, "daemon-reload")
}

func systemctl(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
