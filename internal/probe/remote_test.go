package probe

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/probe/wire"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

// gone waits until a process is no more; a zombie that nobody has waited for
// yet is none either.
func gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	require.FailNow(t, "the agent lives on", "pid %d", pid)
}

// noFiles is the test that no agent's file has a name.
func noFiles(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"/tmp", "/var/tmp", "/dev/shm", "/run", "/root"} {
		left, err := filepath.Glob(dir + "/.acpflow-probe.*")
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

func startOver(t *testing.T, conn *ssh.Client, life time.Duration) *Agent {
	t.Helper()
	a, err := Start(t.Context(), "n", OverSSH(conn, life))
	require.NoError(t, err)
	t.Cleanup(a.Stop)
	require.Positive(t, a.PID)
	noFiles(t)
	return a
}

func TestAnAgentComesOverSSHAndGoes(t *testing.T) {
	a := startOver(t, sshtest.Start(t).Dial(t), time.Minute)
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", a.PID))
	require.NoError(t, err)
	require.Equal(t, "acpflow-probe\n", string(name))
	a.Stop()
	gone(t, a.PID)
	require.Error(t, a.Err())
	_, err = a.Ask(t.Context(), wire.Order{Release: &wire.Release{}})
	require.Error(t, err)
}

func TestAnAgentGoesWithItsConnection(t *testing.T) {
	server := sshtest.Start(t)
	proxy, err := sshtest.NewProxy(server.Addr, 0)
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	conn, err := ssh.Dial(t.Context(), sshtest.TargetOf(proxy.Addr, server.HostKeys[0], server.Key))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // it is dead by then
	a := startOver(t, conn, time.Minute)
	proxy.Cut() // what a kill -9 of the worker looks like from the node
	gone(t, a.PID)
	noFiles(t)
}

func TestAnAgentGoesWithItsShell(t *testing.T) {
	a := startOver(t, sshtest.Start(t).Dial(t), time.Minute)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", a.PID))
	require.NoError(t, err)
	var shell int
	_, err = fmt.Sscan(strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))[1], &shell)
	require.NoError(t, err)
	process, err := os.FindProcess(shell)
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	gone(t, a.PID)
}

func TestAnAgentGoesWhenItsTimeIsOver(t *testing.T) {
	a := startOver(t, sshtest.Start(t).Dial(t), time.Second)
	gone(t, a.PID)
	<-a.ended
	require.True(t, fault.Is(a.Err(), fault.Command), "%v", a.Err())
}

func TestAnAgentGoesWhenItsActivityIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a, err := Start(ctx, "n", OverSSH(sshtest.Start(t).Dial(t), time.Minute))
	require.NoError(t, err)
	cancel()
	gone(t, a.PID)
	<-a.ended
	require.ErrorIs(t, a.Err(), context.Canceled)
}

// A node without gzip gets the agent as it is, and one that forbids programs
// in /tmp another place. Both are put before the command that the agent needs.
func TestAnAgentComesToAHardenedNode(t *testing.T) {
	server := sshtest.Start(t)
	conn := server.Dial(t)
	bin := t.TempDir()
	for _, tool := range []string{"bash", "uname", "mktemp", "chmod", "rm", "head", "cat", "sh"} {
		path, err := exec.LookPath(tool)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(bin, tool)))
	}
	poor := func(script string) Launcher {
		return func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
			_, err := conn.Run(ctx, ssh.Command{Script: "PATH=" + bin + "\n" + script, Stdin: stdin, Stdout: stdout})
			return err
		}
	}
	out, err := conn.Run(t.Context(), ssh.Command{Script: "PATH=" + bin + "\n" + look})
	require.Error(t, err, out.Stdout) // no gzip there
	program, err := packed("x86_64")
	require.NoError(t, err)
	plain, err := unpacked(program)
	require.NoError(t, err)
	launch := poor(strings.ReplaceAll(fmt.Sprintf(load, len(plain), "cat", 60), "/tmp /var/tmp", "/proc /nowhere"))
	a, err := Start(t.Context(), "n", func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
		return launch(ctx, io.MultiReader(strings.NewReader(string(plain)), stdin), stdout)
	})
	require.NoError(t, err)
	a.Stop()
	gone(t, a.PID)
	noFiles(t)

	launch = poor(strings.ReplaceAll(fmt.Sprintf(load, len(plain), "cat", 60), "/tmp /var/tmp /dev/shm /run /root", "/proc /nowhere"))
	_, err = Start(t.Context(), "n", launch)
	require.ErrorContains(t, err, "no directory where programs may run")
}

func TestAMachineWithoutAgent(t *testing.T) {
	_, err := packed("s390x")
	require.True(t, fault.Is(err, fault.Architecture), "%v", err)
	require.NoError(t, Ready())
	_, err = packed("aarch64")
	require.NoError(t, err)
}

func TestWhatIsNoAgent(t *testing.T) {
	for name, launch := range map[string]Launcher{
		"another program": func(_ context.Context, _ io.Reader, stdout io.Writer) error {
			_, err := io.WriteString(stdout, "hello\nworld\n")
			return err
		},
		"one that dies at once": func(context.Context, io.Reader, io.Writer) error { return io.ErrUnexpectedEOF },
		"one that babbles": func(_ context.Context, _ io.Reader, stdout io.Writer) error {
			for {
				if _, err := stdout.Write([]byte("x")); err != nil {
					return err
				}
			}
		},
	} {
		_, err := Start(t.Context(), "n", launch)
		require.Error(t, err, name)
	}
}
