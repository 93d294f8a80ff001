package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

func TestRunReturnsOutputsAndExitCode(t *testing.T) {
	c := sshtest.Start(t).Dial(t)
	out, err := c.Run(t.Context(), ssh.Command{Script: "echo out; echo err >&2; printf '%s' \"$LC_ALL\""})
	require.NoError(t, err)
	require.Equal(t, ssh.Result{Stdout: "out\nC", Stderr: "err\n"}, out)

	secret.NewValue([]byte("hunter-2-hunter"))
	out, err = c.Run(t.Context(), ssh.Command{Op: "read facts", Script: "echo lost; echo bad hunter-2-hunter >&2; exit 7"})
	require.True(t, fault.Is(err, fault.Command), "%v", err)
	require.Equal(t, 7, out.ExitCode)
	require.Equal(t, "lost\n", out.Stdout)
	require.Contains(t, err.Error(), "read facts: "+c.Target()+": exit code 7: bad [redacted]")
	require.NotContains(t, err.Error(), "hunter")
}

func TestRunPassesStdinAndBigOutputUnchanged(t *testing.T) {
	c := sshtest.Start(t).Dial(t)
	// Everything that could be taken for a mark: the control character, at chunk ends too.
	data := bytes.Repeat([]byte("\x1eab\x1e\n\x00\xff"), 400_000)
	var back bytes.Buffer
	_, err := c.Run(t.Context(), ssh.Command{Script: "cat", Stdin: bytes.NewReader(data), Stdout: &back})
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, back.Bytes()))

	long := "x='" + strings.Repeat("y", 300_000) + "'; echo ${#x}"
	out, err := c.Run(t.Context(), ssh.Command{Script: long})
	require.NoError(t, err)
	require.Equal(t, "300000\n", out.Stdout)
}

func TestNoisyShellStartDoesNotReachTheResult(t *testing.T) {
	s := sshtest.Start(t)
	require.NoError(t, os.WriteFile(filepath.Join(s.Home, ".bashrc"), []byte("echo welcome; echo careful >&2\n"), 0o644))
	c := s.Dial(t)
	out, err := c.Run(t.Context(), ssh.Command{Script: "echo result"})
	require.NoError(t, err)
	require.Equal(t, ssh.Result{Stdout: "result\n"}, out)
}

func TestScriptIsInNoProcessList(t *testing.T) {
	c := sshtest.Start(t).Dial(t)
	out, err := c.Run(t.Context(), ssh.Command{Script: ": tell-tale-word; cat /proc/[0-9]*/cmdline | tr '\\0' ' '"})
	require.NoError(t, err)
	require.Contains(t, out.Stdout, "--norc")
	require.NotContains(t, out.Stdout, "tell-tale-word")
}

func TestRunDoesNotWaitForChildrenLeftBehind(t *testing.T) {
	c := sshtest.Start(t).Dial(t)
	began := time.Now()
	out, err := c.Run(t.Context(), ssh.Command{Script: "sleep 60 & echo $!"})
	require.NoError(t, err)
	require.Less(t, time.Since(began), 30*time.Second)
	_, err = c.Run(t.Context(), ssh.Command{Script: "kill " + out.Stdout})
	require.NoError(t, err, "the child must have lived on")
}

func TestCancelledRunKillsTheCommand(t *testing.T) {
	c := sshtest.Start(t).Dial(t)
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := c.Run(ctx, ssh.Command{Script: "sleep 300 & echo $! >" + file + ".new; mv " + file + ".new " + file + "; wait"})
		done <- err
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(file); return err == nil }, time.Minute, 10*time.Millisecond)
	cancel()
	select {
	case err := <-done:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(time.Minute):
		t.Fatal("Run did not return")
	}
	pid, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Eventually(t, func() bool { // gone, or dead and not yet reaped by init
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, 20*time.Second, 10*time.Millisecond, "the command still runs")
}

func TestDiskFullIsRecognised(t *testing.T) {
	c := sshtest.Start(t).Dial(t)
	_, err := c.Run(t.Context(), ssh.Command{Script: "echo x > /dev/full"})
	require.True(t, fault.Is(err, fault.DiskFull), "%v", err)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("source broke") }

func TestFailingSourceStopsTheCommandWithoutEndOfInput(t *testing.T) {
	c := sshtest.Start(t).Dial(t)
	file := filepath.Join(t.TempDir(), "done")
	_, err := c.Run(t.Context(), ssh.Command{Script: "cat; touch " + file, Stdin: brokenReader{}})
	require.ErrorContains(t, err, "source broke")
	require.Never(t, func() bool { _, err := os.Stat(file); return err == nil }, 500*time.Millisecond, 50*time.Millisecond)
}

func TestLostConnectionIsUnreachable(t *testing.T) {
	s := sshtest.Start(t)
	p, err := sshtest.NewProxy(s.Addr, 0)
	require.NoError(t, err)
	defer p.Close()
	target := s.Target()
	target.Address = p.Addr
	c, err := ssh.Dial(t.Context(), target)
	require.NoError(t, err)
	time.AfterFunc(200*time.Millisecond, p.Cut)
	_, err = c.Run(t.Context(), ssh.Command{Script: "sleep 30"})
	require.True(t, fault.Is(err, fault.Unreachable), "%v", err)
	<-c.Done()
}

func TestFewSessionsAreWaitedFor(t *testing.T) {
	c := sshtest.Start(t, "MaxSessions 2").Dial(t)
	errs := make(chan error)
	for i := range 6 {
		go func() {
			out, err := c.Run(t.Context(), ssh.Command{Script: fmt.Sprintf("sleep 0.3; echo %d", i)})
			if err == nil && out.Stdout != fmt.Sprintf("%d\n", i) {
				err = fmt.Errorf("answer %q to %d", out.Stdout, i)
			}
			errs <- err
		}()
	}
	for range 6 {
		require.NoError(t, <-errs)
	}
}

func TestForcedCommandIsExplained(t *testing.T) {
	c := sshtest.Start(t, `ForceCommand echo "only backups here"; exit 3`).Dial(t)
	_, err := c.Run(t.Context(), ssh.Command{Script: "true"})
	require.True(t, fault.Is(err, fault.Refused), "%v", err)
	require.Contains(t, err.Error(), "only backups here")
	require.Contains(t, err.Error(), "ForceCommand")
}

func TestNoSessionsAreRefused(t *testing.T) {
	c := sshtest.Start(t, "MaxSessions 0").Dial(t)
	_, err := c.Run(t.Context(), ssh.Command{Script: "true"})
	require.True(t, fault.Is(err, fault.Refused), "%v", err)
	require.Contains(t, err.Error(), "MaxSessions")
}
