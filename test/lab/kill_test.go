package lab_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

// TestKilledUpLeavesNothing kills the command that brings a lab up at many
// moments of its work and looks at the machine after "down".
func TestKilledUpLeavesNothing(t *testing.T) {
	const name = "t-killed"
	labtest.Hold(t, name)
	labtest.Clean(t, name)
	command := build(t)
	dir := filepath.Join(t.TempDir(), "files")
	up := func() *exec.Cmd {
		cmd := exec.Command(command, "up", "--name", name, "--nodes", "1", "--dir", dir)
		cmd.Stderr = t.Output()
		return cmd
	}
	before := snapshot(t, name)

	require.NoError(t, up().Run()) // builds what is missing
	labtest.Clean(t, name)
	start := time.Now()
	require.NoError(t, up().Run())
	whole := time.Since(start)
	require.NotEqual(t, before, snapshot(t, name), "the snapshot sees a running lab")
	labtest.Clean(t, name)
	require.Equal(t, before, snapshot(t, name))

	const moments = 12
	for i := range moments {
		cmd := up()
		require.NoError(t, cmd.Start())
		time.Sleep(whole * time.Duration(i+1) / (moments + 1))
		kill(t, cmd)
		require.NoError(t, lab.Down(t.Context(), name))
		require.Equal(t, before, snapshot(t, name), "killed after %d/%d of its time", i+1, moments+1)
		require.NoDirExists(t, dir)
	}

	cmd := up()
	require.NoError(t, cmd.Start())
	time.Sleep(whole / 2)
	kill(t, cmd)
	require.NoError(t, up().Run(), "up after a killed up")
	labtest.Clean(t, name)
	require.Equal(t, before, snapshot(t, name))
}

// kill ends a command that may just have ended by itself.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // says "killed", or nothing
}

func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lab")
	out, err := exec.Command("go", "build", "-o", path, "./cmd/lab").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// snapshot lists everything on the machine that bears the lab's name: files of
// its state, interfaces, mounts, control groups, processes, nspawn's leftovers.
func snapshot(t *testing.T, name string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{
		"/var/lib/acpflow/labs/" + name, "/sys/class/net/ac?-" + name, "/sys/fs/cgroup/acp-lab/" + name,
		"/sys/fs/cgroup/*/acp-lab/" + name, "/run/systemd/nspawn/*/" + name + "-*", "/sys/class/net/vb-" + name + "*",
	} {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		found = append(found, paths...)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, "/labs/"+name+"/") {
			found = append(found, "mount "+line)
		}
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, path := range commands {
		data, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) && !strings.Contains(err.Error(), "no such process") {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "/labs/"+name+"/") {
			found = append(found, "process "+strings.ReplaceAll(string(data), "\x00", " "))
		}
	}
	return found
}
