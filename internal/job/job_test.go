package job_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/job"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

// bench is a node with a folder for jobs and a place where scripts leave marks.
type bench struct {
	t      *testing.T
	server *sshtest.Server
	client *ssh.Client
	dir    string
}

func newBench(t *testing.T) *bench {
	s := sshtest.Start(t)
	return &bench{t: t, server: s, client: s.Dial(t), dir: t.TempDir()}
}

// spec counts each start of the script in a file, one line per start.
func (b *bench) spec(id, body string) job.Spec {
	return job.Spec{ID: id, Dir: filepath.Join(b.dir, "jobs"), Script: "echo $$ >>" + b.path("starts") + "\n" + body}
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) starts() int {
	text, err := os.ReadFile(b.path("starts"))
	require.NoError(b.t, err)
	return strings.Count(string(text), "\n")
}

func (b *bench) waitFor(name string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { _, err := os.Stat(b.path(name)); return err == nil }, time.Minute, 20*time.Millisecond)
}

func TestRunAndAdoptTheResult(t *testing.T) {
	b := newBench(t)
	spec := b.spec("one", "echo first; sleep 3; echo second >&2")
	var seen []string
	result, err := job.Run(t.Context(), b.client, spec, func(last string) { seen = append(seen, last) })
	require.NoError(t, err)
	require.Equal(t, "first\nsecond\n", result.Tail)
	require.False(t, result.Adopted)
	require.EqualValues(t, 13, result.Size)
	require.GreaterOrEqual(t, result.Ended.Sub(result.Started), 2*time.Second)
	require.Contains(t, seen, "first")

	again, err := job.Run(t.Context(), b.client, spec, nil)
	require.NoError(t, err)
	require.True(t, again.Adopted)
	require.Equal(t, result.Tail, again.Tail)
	require.Equal(t, 1, b.starts())
}

func TestFailureIsToldOnceAndThenTriedAgain(t *testing.T) {
	b := newBench(t)
	spec := b.spec("two", "echo went wrong; exit 9")
	for try := 1; try <= 2; try++ {
		result, err := job.Run(t.Context(), b.client, spec, nil)
		require.True(t, fault.Is(err, fault.Command), "%v", err)
		require.ErrorContains(t, err, "exit code 9")
		require.ErrorContains(t, err, "went wrong")
		require.Equal(t, 9, result.ExitCode)
		require.Equal(t, try, b.starts())
	}
	_, err := job.Run(t.Context(), b.client, b.spec("full", "echo x >/dev/full"), nil)
	require.True(t, fault.Is(err, fault.DiskFull), "%v", err)
}

func TestOverlappingAttemptsRunItOnce(t *testing.T) {
	b := newBench(t)
	spec := b.spec("three", "sleep 1; echo finished")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			result, err := job.Run(t.Context(), b.client, spec, nil)
			if err != nil || result.Tail != "finished\n" {
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, b.starts())
}

func TestJobOutlivesConnection(t *testing.T) {
	b := newBench(t)
	p, err := sshtest.NewProxy(b.server.Addr, 0)
	require.NoError(t, err)
	defer p.Close()
	target := b.server.Target()
	target.Address = p.Addr
	c, err := ssh.Dial(t.Context(), target)
	require.NoError(t, err)
	spec := b.spec("four", "sleep 2; echo still here")
	go func() { b.waitFor("starts"); p.Cut() }()
	_, err = job.Run(t.Context(), c, spec, nil)
	require.True(t, fault.Is(err, fault.Unreachable), "%v", err)

	result, err := job.Run(t.Context(), b.client, spec, nil)
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Equal(t, "still here\n", result.Tail)
	require.Equal(t, 1, b.starts())
}

// TestMain lets the test binary play the worker that gets killed.
func TestMain(m *testing.M) {
	addr := os.Getenv("JOB_TEST_ADDR")
	if addr == "" {
		os.Exit(m.Run())
	}
	key, err := os.ReadFile(os.Getenv("JOB_TEST_KEY"))
	if err == nil {
		var c *ssh.Client
		if c, err = ssh.Dial(context.Background(), sshtest.TargetOf(addr, os.Getenv("JOB_TEST_HOSTKEY"), key)); err == nil {
			_, err = job.Run(context.Background(), c, job.Spec{ID: "five", Dir: os.Getenv("JOB_TEST_DIR"), Script: os.Getenv("JOB_TEST_SCRIPT")}, nil)
		}
	}
	fmt.Fprintln(os.Stderr, "not killed:", err)
	os.Exit(1)
}

func TestJobOutlivesKilledWorker(t *testing.T) {
	b := newBench(t)
	spec := b.spec("five", "sleep 2; echo survived")
	worker := exec.Command(os.Args[0])
	worker.Env = append(os.Environ(), "JOB_TEST_ADDR="+b.server.Addr, "JOB_TEST_HOSTKEY="+b.server.HostKeys[0],
		"JOB_TEST_KEY="+filepath.Join(b.server.Dir, "client"), "JOB_TEST_DIR="+spec.Dir, "JOB_TEST_SCRIPT="+spec.Script)
	worker.Stderr = os.Stderr
	require.NoError(t, worker.Start())
	b.waitFor("starts")
	require.NoError(t, worker.Process.Kill())
	require.ErrorContains(t, worker.Wait(), "killed")

	result, err := job.Run(t.Context(), b.client, spec, nil)
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Equal(t, "survived\n", result.Tail)
	require.Equal(t, 1, b.starts())
}

// begin runs a job in the background and returns the channel of its error.
func (b *bench) begin(spec job.Spec) chan error {
	done := make(chan error, 1)
	go func() {
		_, err := job.Run(b.t.Context(), b.client, spec, nil)
		done <- err
	}()
	b.waitFor("starts")
	return done
}

func TestCancelKillsTheWholeGroup(t *testing.T) {
	b := newBench(t)
	spec := b.spec("six", "trap '' TERM; sleep 300 & echo $! >"+b.path("child.new")+"; mv "+b.path("child.new")+" "+b.path("child")+"; wait; sleep 300")
	done := b.begin(spec)
	b.waitFor("child")
	require.NoError(t, job.Cancel(t.Context(), b.client, spec))
	require.ErrorIs(t, <-done, job.ErrRemoved)
	child, err := os.ReadFile(b.path("child"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { // gone, or dead and not yet reaped by init
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(child)) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, 20*time.Second, 10*time.Millisecond)
	require.NoDirExists(t, filepath.Join(spec.Dir, spec.ID))
	require.NoError(t, job.Cancel(t.Context(), b.client, spec), "nothing there is no error")
}

func TestVanishedAndRebootedJobs(t *testing.T) {
	for name, want := range map[string]error{"vanished": job.ErrVanished, "rebooted": job.ErrRebooted} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			spec := b.spec("seven", "sleep 300")
			file := filepath.Join(spec.Dir, spec.ID, "started")
			done := b.begin(spec)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			words := strings.Fields(string(text))
			if name == "rebooted" { // what a file from before the restart says
				require.NoError(t, os.WriteFile(file, []byte(words[0]+" 00000000-0000-0000-0000-000000000000 "+words[2]+"\n"), 0o600))
			}
			require.NoError(t, exec.Command("kill", "-KILL", "--", "-"+words[0]).Run())
			err = <-done
			require.ErrorIs(t, err, want)
			require.True(t, fault.Is(err, fault.Failed))

			spec.Script = "echo anew" // told once: the next try starts afresh
			result, err := job.Run(t.Context(), b.client, spec, nil)
			require.NoError(t, err)
			require.Equal(t, "anew\n", result.Tail)
		})
	}
}

func TestAnotherScriptUnderTheSameName(t *testing.T) {
	b := newBench(t)
	_, err := job.Run(t.Context(), b.client, b.spec("eight", "true"), nil)
	require.NoError(t, err)
	_, err = job.Run(t.Context(), b.client, b.spec("eight", "false"), nil)
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	require.Equal(t, 1, b.starts())
	_, err = job.Run(t.Context(), b.client, b.spec("../eight", "true"), nil)
	require.True(t, fault.Is(err, fault.BadInput), "%v", err)
}

func TestScriptIsNeitherInProcessListNorFile(t *testing.T) {
	b := newBench(t)
	spec := b.spec("nine", ": tell-tale\"\"-word; cat /proc/[0-9]*/cmdline | tr '\\0' ' '; sleep 1")
	_, err := job.Run(t.Context(), b.client, spec, nil)
	require.NoError(t, err)
	log, err := os.ReadFile(filepath.Join(spec.Dir, spec.ID, "log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "acpflow-job")
	require.NoError(t, filepath.WalkDir(spec.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NotContains(t, string(text), "tell-tale", path)
		}
		return err
	}))
}

// What a vendor's script makes is readable as usual; the record is not.
func TestAJobMakesFilesWithTheUsualMode(t *testing.T) {
	b := newBench(t)
	spec := b.spec("ten", "umask; true")
	result, err := job.Run(t.Context(), b.client, spec, nil)
	require.NoError(t, err)
	require.Equal(t, "0022\n", result.Tail)
	info, err := os.Stat(filepath.Join(spec.Dir, spec.ID, "log"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestSudoJob(t *testing.T) {
	b := newBench(t)
	target := b.server.Target()
	target.User = sshtest.User(t, "any word", "NOPASSWD: ALL")
	c, err := ssh.Dial(t.Context(), target)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	spec := b.spec("ten", "id -u; sleep 1; echo end")
	spec.Sudo = true
	result, err := job.Run(t.Context(), c, spec, nil)
	require.NoError(t, err)
	require.Equal(t, "0\nend\n", result.Tail)
}
