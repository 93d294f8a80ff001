package upload_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
	"github.com/acpflow/acpflow/internal/upload"
)

// cut uploads and pulls the cable after so many bytes.
func (b *bench) cut(after int64) {
	b.t.Helper()
	b.proxy.Limit.Store(b.proxy.ToServer.Load() + after)
	_, _, err := b.upload()
	b.proxy.Limit.Store(0)
	b.fails(err, fault.Unreachable)
}

func TestCutConnectionResumes(t *testing.T) {
	b := newBench(t, 64*mib)
	b.cut(int64(len(b.data)) / 2)
	require.NoFileExists(t, b.spec.Remote, "half a file must not have the name")
	result, wire, err := b.upload()
	require.NoError(t, err)
	b.arrived()
	require.Equal(t, int64(len(b.data)), result.Sent+result.Skipped)
	// Half of it, a block per channel, and what was on its way in windows and buffers when the cable went.
	require.Less(t, wire, int64(len(b.data))/2+4*b.spec.Block+wire/50+mib)
}

func TestMain(m *testing.M) {
	addr := os.Getenv("UPLOAD_TEST_ADDR")
	if addr == "" {
		os.Exit(m.Run())
	}
	key, err := os.ReadFile(os.Getenv("UPLOAD_TEST_KEY")) // from here on this is the worker that gets killed
	if err == nil {
		var c *ssh.Client
		if c, err = ssh.Dial(context.Background(), sshtest.TargetOf(addr, os.Getenv("UPLOAD_TEST_HOSTKEY"), key)); err == nil {
			_, err = upload.File(context.Background(), c, upload.Spec{Local: os.Getenv("UPLOAD_TEST_LOCAL"), Remote: os.Getenv("UPLOAD_TEST_REMOTE"),
				SHA256: os.Getenv("UPLOAD_TEST_SHA"), Block: upload.MinBlock, Channels: 4}, nil)
		}
	}
	fmt.Fprintln(os.Stderr, "not killed:", err)
	os.Exit(1)
}

func TestKilledWorkerSendsAtMostOneBlockPerChannelAgain(t *testing.T) {
	b := newBench(t, 128*mib)
	worker := exec.Command(os.Args[0])
	worker.Env = append(os.Environ(), "UPLOAD_TEST_ADDR="+b.proxy.Addr, "UPLOAD_TEST_HOSTKEY="+b.server.HostKeys[0],
		"UPLOAD_TEST_KEY="+filepath.Join(b.server.Dir, "client"), "UPLOAD_TEST_LOCAL="+b.spec.Local,
		"UPLOAD_TEST_REMOTE="+b.spec.Remote, "UPLOAD_TEST_SHA="+b.spec.SHA256)
	worker.Stderr = os.Stderr
	require.NoError(t, worker.Start())
	size := int64(len(b.data))
	require.Eventually(t, func() bool { return b.proxy.ToServer.Load() > size/2 }, 30*time.Second, time.Millisecond)
	require.NoError(t, worker.Process.Kill())
	require.ErrorContains(t, worker.Wait(), "killed")
	result, _, err := b.upload()
	require.NoError(t, err)
	b.arrived()
	require.Positive(t, result.Skipped)
	sentTwice := b.proxy.ToServer.Load() - size
	overhead := size / 50 // packets, keys, scripts
	require.LessOrEqual(t, sentTwice, 4*b.spec.Block+overhead)
}

func TestTornJournalLineIsIgnored(t *testing.T) {
	b := newBench(t, 64*mib)
	b.cut(40 * mib)
	f, err := os.OpenFile(b.side("journal"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("33554432 10\nnonsense\n-5 3\n335")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, _, err = b.upload()
	require.NoError(t, err)
	b.arrived()
}

func TestDamageOnTheNodeIsFound(t *testing.T) {
	b := newBench(t, 64*mib)
	b.cut(40 * mib)
	journal, err := os.ReadFile(b.side("journal"))
	require.NoError(t, err)
	var off int64
	_, err = fmt.Sscan(string(journal), &off)
	require.NoError(t, err)
	f, err := os.OpenFile(b.side("part"), os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("damage"), off)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	_, _, err = b.upload()
	b.fails(err, fault.Corrupt, "on the node", b.spec.Remote)
	require.NoFileExists(t, b.spec.Remote)
	result, _, err := b.upload() // anew, not from the damaged part
	require.NoError(t, err)
	require.Zero(t, result.Skipped)
	b.arrived()
}

func TestWrongChecksumNamesTheLocalFile(t *testing.T) {
	b := newBench(t, 2*mib)
	b.spec.SHA256 = strings.Repeat("ab", 32)
	_, _, err := b.upload()
	b.fails(err, fault.Corrupt, b.spec.Local, digest(b.data), "abab")
	require.NoFileExists(t, b.spec.Remote)
}

func TestLocalFileThatChangesIsFound(t *testing.T) {
	for name, change := range map[string]func(*bench) error{
		"written":  func(b *bench) error { return os.WriteFile(b.spec.Local, b.data[1:], 0o600) },
		"replaced": func(b *bench) error { return os.Rename(b.spec.Local+".new", b.spec.Local) },
		"shorter":  func(b *bench) error { return os.Truncate(b.spec.Local, 1000) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 64*mib)
			b.spec.SHA256 = ""
			require.NoError(t, os.WriteFile(b.spec.Local+".new", b.data, 0o600))
			errs := make(chan error, 1)
			go func() {
				for b.proxy.ToServer.Load() < 8*mib {
					time.Sleep(time.Millisecond)
				}
				errs <- change(b)
			}()
			_, _, err := b.upload()
			require.NoError(t, <-errs)
			b.fails(err, fault.Corrupt, "changed", b.spec.Local)
			require.NoFileExists(t, b.spec.Remote)
		})
	}
}

// smallDisk mounts a file system of its own under the destination.
func (b *bench) smallDisk(megabytes int) string {
	dir := b.t.TempDir()
	require.NoError(b.t, syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)))
	b.t.Cleanup(func() { require.NoError(b.t, syscall.Unmount(dir, 0)) })
	b.spec.Remote = filepath.Join(dir, "core.tgz")
	return dir
}

func TestDiskTooSmall(t *testing.T) {
	b := newBench(t, 20*mib)
	b.smallDisk(16)
	result, wire, err := b.upload()
	b.fails(err, fault.DiskFull, b.server.Target().User+"@", fmt.Sprint(20*mib))
	require.Zero(t, result.Sent)
	require.Less(t, wire, int64(mib))
}

func TestDiskFillsUpOnTheWay(t *testing.T) {
	b := newBench(t, 128*mib)
	dir := b.smallDisk(160)
	filler := filepath.Join(dir, "filler")
	errs := make(chan error, 1)
	go func() {
		for b.proxy.ToServer.Load() < 16*mib {
			time.Sleep(time.Millisecond)
		}
		f, err := os.Create(filler)
		if err == nil {
			err = syscall.Fallocate(int(f.Fd()), 0, 0, 80*mib)
			_ = f.Close() // its space is what counts
		}
		errs <- err
	}()
	_, _, err := b.upload()
	require.NoError(t, <-errs)
	b.fails(err, fault.DiskFull, "No space left on device", b.spec.Remote)
	require.NoError(t, os.Remove(filler))
	result, _, err := b.upload()
	require.NoError(t, err)
	require.Positive(t, result.Skipped, "what was written before stays of use")
	b.arrived()
}

func TestLaterAttemptTakesOver(t *testing.T) {
	b := newBench(t, 192*mib) // 6 s on the slow line, more than the later attempt waits
	straight := b.proxy
	b.slow()
	first := b.dial()
	errs := make(chan error, 1)
	spec := b.spec
	go func() {
		_, err := upload.File(t.Context(), first, spec, nil)
		errs <- err
	}()
	require.Eventually(t, func() bool { return b.proxy.ToServer.Load() > 4*mib }, 20*time.Second, time.Millisecond)
	b.proxy, b.spec.Channels = straight, 4
	_, _, err := b.upload()
	require.NoError(t, err)
	b.arrived()
	b.fails(<-errs, fault.Conflict, "taken over")
}

func TestFrozenEarlierAttemptIsEvicted(t *testing.T) {
	b := newBench(t, 64*mib)
	b.slow()
	errs := make(chan error, 1)
	c := b.dial()
	go func() {
		_, err := upload.File(t.Context(), c, b.spec, nil)
		errs <- err
	}()
	b.freeze()
	_, _, err := b.upload()
	require.NoError(t, err)
	b.arrived()
	b.fails(<-errs, fault.Conflict, "taken over")
}

// slow puts a long line before the node, so that a test can act in mid-upload.
func (b *bench) slow() {
	b.t.Helper()
	p, err := sshtest.NewProxy(b.server.Addr, 30*time.Millisecond)
	require.NoError(b.t, err)
	b.t.Cleanup(p.Close)
	b.proxy, b.spec.Channels = p, 1
}

// freeze stops the processes on the node that hold the upload's lock files.
func (b *bench) freeze() {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.proxy.ToServer.Load() > 4*mib }, 20*time.Second, time.Millisecond)
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	require.NoError(b.t, err)
	stopped := 0
	for _, link := range links {
		if file, err := os.Readlink(link); err == nil && strings.HasPrefix(file, filepath.Dir(b.side("x"))) {
			var pid int
			_, err := fmt.Sscanf(link, "/proc/%d/", &pid)
			require.NoError(b.t, err)
			if syscall.Kill(pid, syscall.SIGSTOP) == nil { // it may just have ended
				stopped++
			}
		}
	}
	require.Positive(b.t, stopped)
}

func TestStall(t *testing.T) {
	b := newBench(t, 64*mib)
	b.slow()
	b.spec.Stall = time.Second
	errs := make(chan error, 1)
	c := b.dial()
	go func() {
		_, err := upload.File(t.Context(), c, b.spec, nil)
		errs <- err
	}()
	b.freeze()
	b.fails(<-errs, fault.Stalled, "nothing moved", "64")
	_, _, err := b.upload()
	require.NoError(t, err)
	b.arrived()
}
