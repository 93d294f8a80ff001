// Command deps makes a Debian 12 machine ready to build, test and demonstrate
// acpflow: Debian packages, the node image of the lab, and the programs that
// take long to compile. What is there already is left alone.
//
//	deps            everything
//	deps packages   only the Debian packages that compiling and testing need
//	deps bench      only the Debian packages that the measurements compare with
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/test/gobuild"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/binaries"
)

// debian is a package and how to see that it is there.
type debian struct{ probe, pkg string }

// needed maps a command, or a file that comes with it, to its Debian package.
// The lab installs what it needs itself.
var needed = []debian{
	{"gcc", "gcc"}, // the race detector links with C
	{"/usr/include/stdlib.h", "libc6-dev"},
	{"git", "git"},
	{"chromium", "chromium"}, // the browser test
	{"/usr/share/fonts/truetype/liberation", "fonts-liberation"},
	{"scp", "openssh-client"}, // what uploads are compared with
	{"/usr/sbin/sshd", "openssh-server"},
	{"sudo", "sudo"}, // the SSH client's tests need users with and without it
	{"openssl", "openssl"},
	{"ip", "iproute2"}, // probes are tested between network namespaces
	{"rsync", "rsync"},
	{"shellcheck", "shellcheck"}, // the node scripts
}

// compared is the same for what only the measurements need.
var compared = []debian{
	{"ip", "iproute2"},
	{"xargs", "findutils"},
	{"etcdctl", "etcd-client"},
	{"ansible-playbook", "ansible-core"},
	{"/usr/lib/python3/dist-packages/ansible_mitogen", "ansible-mitogen"},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "deps:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	start := time.Now()
	log := &lines{out: os.Stdout}
	switch strings.Join(args, " ") {
	case "packages":
		return installPackages(ctx, needed, log)
	case "bench":
		return installPackages(ctx, compared, log)
	}
	if err := installPackages(ctx, needed, log); err != nil {
		return err
	}
	// The image is mostly downloads, the builds are mostly computing.
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return lab.Prepare(ctx, log) })
	group.Go(func() error {
		if _, err := binaries.Directory(ctx, binaries.Options{Log: log}); err != nil {
			return err
		}
		if _, err := gobuild.CoreDNS(ctx, log); err != nil {
			return err
		}
		_, err := gobuild.Devserver(ctx, log)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Fprintf(log, "deps: everything is there (%s)\n", time.Since(start).Round(time.Second))
	return nil
}

// installPackages asks apt for the packages that are missing, and for nothing
// when none is.
func installPackages(ctx context.Context, wanted []debian, log io.Writer) error {
	var missing []string
	for _, n := range wanted {
		_, err := exec.LookPath(n.probe)
		if strings.HasPrefix(n.probe, "/") {
			_, err = os.Stat(n.probe)
		}
		if err != nil {
			missing = append(missing, n.pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("these Debian packages are missing: %s. Fix: run as root, or install them", strings.Join(missing, " "))
	}
	fmt.Fprintln(log, "deps: installing Debian packages:", strings.Join(missing, " "))
	install := append([]string{"install", "--yes", "--quiet", "--no-install-recommends"}, missing...)
	for _, args := range [][]string{{"update", "--quiet"}, install} {
		apt := exec.CommandContext(ctx, "apt-get", args...)
		apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := apt.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w. Its words: %s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// lines lets several tasks print whole lines to one place.
type lines struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}
