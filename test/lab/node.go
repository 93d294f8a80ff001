package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Node is one machine of the lab. Its disk is an overlay: the shared image
// below, the node's own seed (addresses, keys) on it, its changes on top.
type Node struct {
	Name    string `json:"name"`
	Role    Role   `json:"role"`
	Cluster string `json:"cluster,omitempty"`
	Address string `json:"address"`
	HostKey string `json:"hostKey,omitempty"` // public, authorized_keys format

	lab *Lab
}

// BinDir is where every node finds etcd, kube-apiserver and the others.
const BinDir = "/opt/acp-lab/bin"

// coreDNSProgram is where every node finds the name server of its cluster.
const coreDNSProgram = "/opt/acp-lab/coredns"

// dir holds the node's disk.
func (n *Node) dir() string { return filepath.Join(n.lab.state.base(), "nodes", n.Name) }

// machine is the name of the container: unique on this machine.
func (n *Node) machine() string { return n.lab.state.Name + "-" + n.Name }

// boot starts the node and waits until its services are up. A node that runs
// already is left alone.
func (n *Node) boot(ctx context.Context) error {
	if n.init() != 0 {
		return nil
	}
	ended, err := n.start()
	if err != nil {
		return err
	}
	return n.ready(ctx, ended)
}

// bootScript runs in a mount namespace of its own, so the overlay disappears
// with the node and the machine's mount table never sees it. Its arguments are
// the control groups, "--", the overlay's options, its mount point, and the
// command that becomes the node.
const bootScript = `
while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done
mount -t overlay -o "$2" overlay "$3"
shift 3
exec "$@"`

// start returns a channel that is closed when the node ends.
func (n *Node) start() (<-chan struct{}, error) {
	s := &n.lab.state
	dirs, err := cgroupDirs(s.Name, n.Name)
	if err != nil {
		return nil, err
	}
	// An overlay mounted volatile skips syncs, which three etcds on one disk
	// would wait for; it refuses the work directory of an earlier mount.
	if err := os.RemoveAll(filepath.Join(n.dir(), "work")); err != nil {
		return nil, err
	}
	for _, dir := range append(dirs, filepath.Join(n.dir(), "upper"), filepath.Join(n.dir(), "work"), filepath.Join(n.dir(), "root")) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	args := append([]string{"--mount", "--propagation", "private", "/bin/sh", "-ec", bootScript, "node"}, dirs...)
	args = append(args, "--",
		fmt.Sprintf("lowerdir=%[1]s/seed:%[2]s,upperdir=%[1]s/upper,workdir=%[1]s/work,volatile", n.dir(), s.Image),
		filepath.Join(n.dir(), "root"))
	args = append(args, n.nspawn()...)
	return n.spawn(dirs[0], args)
}

func (n *Node) nspawn() []string {
	s := &n.lab.state
	return []string{"systemd-nspawn", "--quiet", "--directory=" + filepath.Join(n.dir(), "root"),
		"--machine=" + n.machine(), "--hostname=" + n.Name, "--register=no", "--keep-unit",
		"--network-bridge=" + n.bridge(), "--capability=CAP_NET_ADMIN", "--console=read-only",
		"--resolv-conf=off", "--timezone=off", "--link-journal=no",
		"--bind-ro=" + s.Binaries + ":" + BinDir, "--bind-ro=" + s.CoreDNS + ":" + coreDNSProgram, "--boot"}
}

// spawn starts the node as a process of its own session, born in its control
// group: there is no moment at which it runs and cannot be found.
func (n *Node) spawn(group string, args []string) (<-chan struct{}, error) {
	cgroup, err := os.Open(group)
	if err != nil {
		return nil, err
	}
	defer cgroup.Close()
	console, err := os.Create(n.console())
	if err != nil {
		return nil, err
	}
	defer console.Close()
	cmd := exec.Command("unshare", args...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_NSPAWN_LOCK=0"}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("lab %s: start %s: %w", n.lab.state.Name, n.Name, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // says nothing: a node ends by being killed
		close(ended)
	}()
	return ended, nil
}

func (n *Node) console() string { return filepath.Join(n.dir(), "console.log") }

// bootTime is generous: on a loaded two-core machine a boot that takes two
// seconds alone has taken twenty.
const bootTime = 3 * time.Minute

// ready waits until the node has booted and answers on its ports.
func (n *Node) ready(ctx context.Context, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	for {
		last := n.probe(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-ended:
			return n.bootError(errors.New("it ended"))
		case <-ctx.Done():
			return n.bootError(fmt.Errorf("%w: %w", ctx.Err(), last))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (n *Node) bootError(cause error) error {
	console, _ := os.ReadFile(n.console())
	return fmt.Errorf("lab %s: %s did not boot: %w; end of its console:\n%s", n.lab.state.Name, n.Name, cause, tail(console, 2000))
}

func (n *Node) probe(ctx context.Context) error {
	out, err := n.Exec(ctx, "systemctl", "is-system-running", "--wait")
	if strings.TrimSpace(out) == "degraded" {
		failed, _ := n.Exec(ctx, "systemctl", "--failed", "--no-legend", "--plain")
		return fmt.Errorf("units failed: %s", strings.TrimSpace(failed))
	}
	if err != nil {
		return err
	}
	if n.bridge() != n.lab.state.Bridge {
		return nil // cut off from this machine, too
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(n.Address, "22"))
	if err != nil {
		return err
	}
	if err := conn.Close(); err != nil {
		return err
	}
	if n.Role == DNS {
		return n.lab.probeDNS(ctx)
	}
	return nil
}

// stop ends the node as pulling its plug would. A node that is off is fine.
func (n *Node) stop(ctx context.Context) error {
	cable := ""
	if init := n.init(); init != 0 {
		cable = hostEnd(init)
	}
	if err := killCgroup(n.lab.state.Name, n.Name); err != nil {
		return err
	}
	if cable != "" { // the kernel would remove it a moment later, in the next boot's way
		if err := removeLink(ctx, cable); err != nil {
			return err
		}
	}
	err := os.Remove("/run/systemd/nspawn/propagate/" + n.machine())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// wipe throws away every change made on the node's disk.
func (n *Node) wipe() error {
	for _, part := range []string{"upper", "work"} {
		if err := os.RemoveAll(filepath.Join(n.dir(), part)); err != nil {
			return err
		}
	}
	return nil
}

// init returns the process id of the node's systemd on this machine, 0 when
// the node is off. The group of its init names it exactly.
func (n *Node) init() int {
	dirs, err := cgroupDirs(n.lab.state.Name, n.Name, "payload", "init.scope")
	if err != nil {
		return 0
	}
	data, err := os.ReadFile(filepath.Join(dirs[0], "cgroup.procs"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err == nil && insidePID(pid) == "1" {
			return pid
		}
	}
	return 0
}

// insidePID is the number the process has in its own process namespace.
func insidePID(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			f := strings.Fields(ids)
			return f[len(f)-1]
		}
	}
	return ""
}

// each runs do for all nodes at once and returns the first error.
func each(ctx context.Context, nodes []*Node, do func(context.Context, *Node) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range nodes {
		g.Go(func() error { return do(ctx, n) })
	}
	return g.Wait()
}
