package lab

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/acpflow/acpflow/test/gobuild"
)

//go:embed image.sh
var imageScript []byte

const suite = "bookworm"

// imagePackages is the userland of every node. One image serves nodes, DNS and
// balancers: services are enabled per role, and the page cache is shared.
var imagePackages = []string{
	"bind9", "bind9-dnsutils", "bind9-host", "ca-certificates", "dbus", "haproxy",
	"iproute2", "iputils-ping", "kmod", "mount", "openssh-server", "openssl",
	"procps", "socat", "sudo", "systemd", "systemd-sysv", "tar",
}

// ensureImage returns the shared root file system, building it when the cache
// has none for these packages and this script.
func ensureImage(ctx context.Context, log io.Writer) (string, error) {
	cache, err := gobuild.CacheDir()
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(cache, ":,\\") {
		return "", fmt.Errorf("lab: the cache directory %q has a colon, comma or backslash, which overlay mounts do not take; set ACPFLOW_CACHE", cache)
	}
	image := filepath.Join(cache, "lab-image-"+imageKey())
	if _, err := os.Stat(image); err == nil {
		return image, nil
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lab-image.lock"), log)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(image); err == nil {
		return image, nil
	}
	return image, buildImage(ctx, image, log)
}

func imageKey() string {
	h := sha256.New()
	fmt.Fprintln(h, suite, runtime.GOARCH, imagePackages)
	h.Write(imageScript)
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// buildImage makes the root beside its final name and renames it, so that a
// killed build leaves nothing that looks complete.
func buildImage(ctx context.Context, image string, log io.Writer) error {
	start := time.Now()
	fmt.Fprintf(log, "lab: building the node image once, about a minute (%s, %d packages)\n", suite, len(imagePackages))
	partial := image + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if err := os.MkdirAll(partial, 0o700); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(partial) }() // the next build removes it too
	script := filepath.Join(partial, "image.sh")
	root := filepath.Join(partial, "root")
	if err := os.WriteFile(script, imageScript, 0o700); err != nil {
		return err
	}
	if err := mmdebstrap(ctx, root, script); err != nil {
		return err
	}
	if err := os.Rename(root, image); err != nil {
		return err
	}
	fmt.Fprintf(log, "lab: node image ready after %s\n", time.Since(start).Round(time.Second))
	return nil
}

// mmdebstrap runs in process and mount namespaces of its own: when this
// process is killed, all of it dies and none of its mounts remain.
func mmdebstrap(ctx context.Context, root, script string) error {
	runtime.LockOSThread() // Pdeathsig counts from the thread that starts the child
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, "unshare", "--mount-proc", "--fork", "--pid", "--kill-child",
		"mmdebstrap", "--quiet", "--mode=root", "--variant=minbase",
		"--include="+strings.Join(imagePackages, ","),
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"--customize-hook="+script, suite, root)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("lab: mmdebstrap: %w: %s", err, tail(out, 3000))
	}
	return nil
}
