package program

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

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

func TestMain(m *testing.M) {
	path := os.Getenv("PROGRAM_TEST_PATH")
	if path == "" {
		os.Exit(m.Run())
	}
	_, err := Program{Command: []string{path}}.Call(context.Background(), "try", nil)
	fmt.Fprintln(os.Stderr, "not killed:", err)
	os.Exit(1)
}

// A worker that is killed can end nothing any more; another begins after the
// heartbeat, and two must not run at a time.
func TestProgramDiesWithAKilledWorker(t *testing.T) {
	begun := filepath.Join(t.TempDir(), "begun")
	p := script(t, "echo $$ >"+begun+".new; mv "+begun+".new "+begun+"; exec sleep 300")
	worker := exec.Command(os.Args[0])
	worker.Env = append(os.Environ(), "PROGRAM_TEST_PATH="+p.Path())
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

func script(t *testing.T, text string) Program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/bash\n"+text), 0o700))
	return Program{Command: []string{path, "one word"}}
}

func TestProgramGetsOnlyWhatItIsGiven(t *testing.T) {
	t.Setenv("WORKERS_OWN", "private")
	p := script(t, `cat; echo "$1 $TOKEN ${WORKERS_OWN-unset} $PWD"`)
	p.Environment = map[string]secret.Value{"TOKEN": secret.NewValue([]byte("hunter2-token"))}
	out, err := p.Call(t.Context(), "try", map[string]int{"ttl": 30})
	require.NoError(t, err)
	require.Equal(t, "{\"ttl\":30}\none word hunter2-token unset /\n", string(out))
}

func TestProgramsFaults(t *testing.T) {
	token := secret.NewValue([]byte("hunter2-token"))
	for name, c := range map[string]struct {
		p     Program
		class fault.Class
		says  string
	}{
		"fails":        {script(t, `echo "bad $TOKEN" >&2; exit 3`), fault.Failed, "exit status 3; it said: bad [redacted]"},
		"hangs":        {script(t, `sleep 60 & wait`), fault.Stalled, "killed after 300ms"},
		"talks":        {script(t, `head -c 3000000 /dev/zero`), fault.Protocol, "of output"},
		"is relative":  {Program{Command: []string{"sh"}}, fault.BadInput, "no absolute path"},
		"is nothing":   {Program{}, fault.BadInput, "no absolute path"},
		"is not there": {Program{Command: []string{"/nonexistent/program"}}, fault.BadInput, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			c.p.Limit, c.p.Environment = time.Minute, map[string]secret.Value{"TOKEN": token}
			if name == "hangs" {
				c.p.Limit = 300 * time.Millisecond
			}
			start := time.Now()
			_, err := c.p.Call(t.Context(), "try", nil)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, c.class, fault.ClassOf(err))
			require.Less(t, time.Since(start), 50*time.Second)
		})
	}
}

func TestProgramEndsWithItsCaller(t *testing.T) {
	left := filepath.Join(t.TempDir(), "left")
	p := script(t, `(sleep 1; touch `+left+`) & wait`)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := p.Call(ctx, "try", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	time.Sleep(1500 * time.Millisecond)
	require.NoFileExists(t, left, "what it started went with it")
}
