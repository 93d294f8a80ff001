package harness

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func shell(t *testing.T, script string) *Process {
	t.Helper()
	p, err := startProcess("script", filepath.Join(t.TempDir(), "log"), exec.Command("sh", "-c", script))
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	return p
}

func hasLogged(p *Process, word string) func(context.Context) (bool, error) {
	return func(context.Context) (bool, error) { return strings.Contains(p.Log(), word), nil }
}

func TestStopIsGraceful(t *testing.T) {
	p := shell(t, `trap 'echo cleaned up; exit 0' TERM; echo ready; while :; do sleep 0.05; done`)
	require.NoError(t, p.waitFor(t.Context(), time.Minute, hasLogged(p, "ready")))
	require.NoError(t, p.Stop())
	assert.Contains(t, p.Log(), "cleaned up")
	assert.True(t, p.Ended())
	require.NoError(t, p.Stop(), "stopping twice is no error")
}

func TestStopTellsAnUncleanEnd(t *testing.T) {
	p := shell(t, `trap 'echo it broke >&2; exit 7' TERM; echo ready; while :; do sleep 0.05; done`)
	require.NoError(t, p.waitFor(t.Context(), time.Minute, hasLogged(p, "ready")))
	err := p.Stop()
	require.ErrorContains(t, err, "exit status 7")
	assert.ErrorContains(t, err, "it broke")
}

func TestWaitForTellsAnEarlyEnd(t *testing.T) {
	p := shell(t, `echo no database >&2; exit 3`)
	err := p.waitFor(t.Context(), time.Minute, hasLogged(p, "ready"))
	require.ErrorContains(t, err, "exit status 3")
	assert.ErrorContains(t, err, "no database")
}

const asParent = "HARNESS_TEST_AS_PARENT"

func TestMain(m *testing.M) {
	if log := os.Getenv(asParent); log != "" {
		if _, err := startProcess("child", log, exec.Command("sh", "-c", "echo $$; sleep 60")); err != nil {
			panic(err)
		}
		time.Sleep(time.Minute)
	}
	os.Exit(m.Run())
}

// TestChildDiesWithItsParent kills a test in the middle, as a CI system does.
func TestChildDiesWithItsParent(t *testing.T) {
	log := filepath.Join(t.TempDir(), "child.log")
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), asParent+"="+log)
	require.NoError(t, parent.Start())
	t.Cleanup(func() { _ = parent.Process.Kill() })
	var pid int
	require.Eventually(t, func() bool {
		data, _ := os.ReadFile(log)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(data)))
		return pid > 0
	}, time.Minute, 20*time.Millisecond)
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	assert.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil || zombie(pid) }, time.Minute, 20*time.Millisecond,
		"the child of a killed test still runs")
}

// zombie reports a dead process whose new parent has not looked after it yet.
func zombie(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
