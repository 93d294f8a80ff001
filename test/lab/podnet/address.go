package podnet

import (
	"context"
	"log/slog"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// SharePort lets a server listen on all addresses of a port and a Service on
// its own; the kernel prefers the exact address.
func SharePort(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); e != nil {
		return e
	}
	return err
}

// SetAddress makes ip the one address with that tag on this node, "" none. The
// tag is at most 12 characters.
func SetAddress(ctx context.Context, tag, ip string) bool {
	label := "lo:" + tag
	out, err := exec.CommandContext(ctx, "ip", "-o", "address", "show", "dev", "lo", "label", label).Output()
	if err != nil {
		slog.Warn("Service address", "tag", tag, "error", err)
		return false
	}
	ok, there := true, false
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		if there = there || f[3] == ip+"/32"; f[3] != ip+"/32" {
			ok = ok && exec.CommandContext(ctx, "ip", "address", "del", f[3], "dev", "lo").Run() == nil
		}
	}
	if ip == "" || there {
		return ok
	}
	return exec.CommandContext(ctx, "ip", "address", "add", ip+"/32", "dev", "lo", "label", label).Run() == nil && ok
}
