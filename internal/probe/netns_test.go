package probe

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
)

// network is a switch with machines on it, each a network namespace.
type network struct {
	t     *testing.T
	name  string
	rules int // of routing, on all machines
}

// program returns the agent's path, unpacked from what the worker embeds.
func program(t *testing.T) string {
	t.Helper()
	gz, err := packed("x86_64")
	require.NoError(t, err)
	data, err := unpacked(gz)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "agent")
	require.NoError(t, os.WriteFile(path, data, 0o700))
	return path
}

// newNetwork makes a switch in a namespace of its own. It needs root.
func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{t: t, name: fmt.Sprintf("acpp%d", os.Getpid())}
	n.ip("netns", "add", n.name)
	t.Cleanup(func() { n.ip("netns", "del", n.name) })
	n.ip("-n", n.name, "link", "add", "sw", "type", "bridge")
	n.ip("-n", n.name, "link", "set", "sw", "up")
	return n
}

func (n *network) ip(args ...string) {
	n.t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	require.NoError(n.t, err, "ip %s: %s", strings.Join(args, " "), out)
}

// machine adds a machine with the address 192.0.2.NUMBER and fd00::NUMBER.
func (n *network) machine(number int) string {
	n.t.Helper()
	ns := fmt.Sprintf("%s-%d", n.name, number)
	n.ip("netns", "add", ns)
	n.t.Cleanup(func() { n.ip("netns", "del", ns) })
	port := fmt.Sprintf("p%d", number)
	n.ip("-n", ns, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", n.name)
	n.ip("-n", n.name, "link", "set", port, "master", "sw", "up")
	n.ip("-n", ns, "address", "add", fmt.Sprintf("192.0.2.%d/24", number), "dev", "eth0")
	n.ip("-n", ns, "address", "add", fmt.Sprintf("fd00::%d/64", number), "dev", "eth0", "nodad")
	n.ip("-n", ns, "link", "set", "lo", "up")
	n.ip("-n", ns, "link", "set", "eth0", "up")
	return ns
}

// within runs the agent in a namespace, as a launcher.
func within(program, ns string) Launcher {
	return func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
		cmd := exec.CommandContext(ctx, "ip", "netns", "exec", ns, program, "60")
		cmd.Stdout, cmd.Stderr = stdout, os.Stderr
		pipe, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(pipe, stdin) // ends with either side
			_ = pipe.Close()
		}()
		return cmd.Wait()
	}
}

// members are machines 1… of the network, all with the same ports.
func (n *network) members(count int, ports checks.NodePorts) []Member {
	var out []Member
	agent := program(n.t)
	for i := 1; i <= count; i++ {
		launch := within(agent, n.machine(i))
		out = append(out, Member{
			Name: fmt.Sprintf("n-%d", i), Addresses: []string{fmt.Sprintf("192.0.2.%d", i)}, Ports: ports,
			Launch: func(context.Context) (Launcher, error) { return launch, nil },
		})
	}
	return out
}

// drop makes a machine lose packets of a protocol to a port on their way out.
func (n *network) drop(number int, match ...string) {
	n.t.Helper()
	ns := fmt.Sprintf("%s-%d", n.name, number)
	n.rules++
	n.ip(slices.Concat(family(&match), []string{"-n", ns, "rule", "add", "pref", strconv.Itoa(n.rules)}, match, []string{"blackhole"})...)
}

// deaf makes a machine lose what comes in for a port, as its firewall would.
func (n *network) deaf(number int, match ...string) {
	n.t.Helper()
	ns := fmt.Sprintf("%s-%d", n.name, number)
	rest := slices.Clone(match)
	version := family(&rest)
	n.ip(slices.Concat(version, []string{"-n", ns, "rule", "add", "pref", "1000", "lookup", "local"})...)
	n.ip(slices.Concat(version, []string{"-n", ns, "rule", "del", "pref", "0"})...)
	n.drop(number, match...)
}

// family takes -6 off the beginning of a rule.
func family(match *[]string) []string {
	if (*match)[0] != "-6" {
		return nil
	}
	*match = (*match)[1:]
	return []string{"-6"}
}
