package violet_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/violet"
)

func TestMain(m *testing.M) {
	path := os.Getenv("VIOLET_TEST_PATH")
	if path == "" {
		os.Exit(m.Run())
	}
	_, err := violet.Tool{Path: path}.Verify(context.Background(), "/package")
	fmt.Fprintln(os.Stderr, "not killed:", err)
	os.Exit(1)
}

// Its arguments are passwords, so it must not be seen for longer than anybody
// waits for it; and another is started after the heartbeat.
func TestVioletDiesWithAKilledWorker(t *testing.T) {
	dir := t.TempDir()
	begun, path := filepath.Join(dir, "begun"), filepath.Join(dir, "violet")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/bash\necho $$ >"+begun+".new; mv "+begun+".new "+begun+"; exec sleep 300\n"), 0o700))
	worker := exec.Command(os.Args[0])
	worker.Env = append(os.Environ(), "VIOLET_TEST_PATH="+path)
	require.NoError(t, worker.Start())
	require.Eventually(t, func() bool { _, err := os.Stat(begun); return err == nil }, time.Minute, 10*time.Millisecond)
	pid, err := os.ReadFile(begun)
	require.NoError(t, err)
	require.NoError(t, worker.Process.Kill())
	require.ErrorContains(t, worker.Wait(), "killed")
	require.Eventually(t, func() bool { // gone, or dead and not yet reaped by init
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, 20*time.Second, 10*time.Millisecond)
}
