package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// ip runs iproute2 and puts its own words into the error.
func ip(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "ip", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("lab: ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// tools maps each command the lab needs to the Debian package that has it.
var tools = []struct{ command, pkg string }{
	{"systemd-nspawn", "systemd-container"},
	{"mmdebstrap", "mmdebstrap"},
	{"ip", "iproute2"},
	{"nsenter", "util-linux"},
	{"openssl", "openssl"},
}

// prepareHost checks that this machine can run a lab and installs the Debian
// packages that are missing, saying so.
func prepareHost(ctx context.Context, log io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("lab: needs root: it makes bridges and containers. Run it with sudo")
	}
	if _, err := cgroupRoots(); err != nil {
		return err
	}
	var missing []string
	for _, t := range tools {
		if _, err := exec.LookPath(t.command); err != nil {
			missing = append(missing, t.pkg)
		}
	}
	if err := install(ctx, missing, log); err != nil {
		return err
	}
	return raiseInotify(log)
}

// inotifyWant is enough for some hundred nodes.
const inotifyWant = 2048

// raiseInotify lifts the one limit of the kernel that all nodes share with
// this machine: every systemd watches with six inotify instances, and 128 are
// what root gets by default. It holds until the next boot.
func raiseInotify(log io.Writer) error {
	const path = "/proc/sys/fs/inotify/max_user_instances"
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	have, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || have >= inotifyWant {
		return err
	}
	fmt.Fprintf(log, "lab: raising fs.inotify.max_user_instances of this machine from %d to %d until it reboots\n", have, inotifyWant)
	return os.WriteFile(path, []byte(strconv.Itoa(inotifyWant)), 0)
}

func install(ctx context.Context, missing []string, log io.Writer) error {
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("lab: this machine lacks %s and has no apt-get; install them by hand", strings.Join(missing, ", "))
	}
	unlock, err := lock(ctx, stateRoot+"/.apt.lock", log)
	if err != nil {
		return err
	}
	defer unlock()
	fmt.Fprintf(log, "lab: installing Debian packages: %s\n", strings.Join(missing, " "))
	if err := apt(ctx, "update", "--quiet"); err != nil {
		return err
	}
	return apt(ctx, append([]string{"install", "--yes", "--quiet", "--no-install-recommends"}, missing...)...)
}

func apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("lab: apt-get %s: %w: %s", strings.Join(args, " "), err, tail(out, 2000))
	}
	return nil
}

// tail returns the last n bytes of text, for errors.
func tail(text []byte, n int) string {
	text = bytes.TrimSpace(text)
	if len(text) > n {
		text = append([]byte("… "), text[len(text)-n:]...)
	}
	return string(text)
}
