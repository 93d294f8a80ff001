package safecopy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

// snapshot looks like one of etcd's: pages, and the digest of them at the end.
func snapshot(pages int, seed byte) []byte {
	body := make([]byte, 512*pages)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(body)
	sum := sha256.Sum256(body)
	return slices.Concat(body, sum[:])
}

func newPath(t *testing.T) Path { return Path{Root: t.TempDir(), Run: "run-1", Name: "east-etcd.db"} }

func sealed(data []byte) Content {
	return Content{From: bytes.NewReader(data), Seal: EtcdSeal, Need: int64(len(data))}
}

// files are the names in the folder of the run, the lock left out.
func files(t *testing.T, p Path) (out []string) {
	t.Helper()
	all, err := os.ReadDir(p.dir())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	for _, e := range all {
		if e.Name() != ".lock" {
			out = append(out, e.Name())
		}
	}
	return out
}

func TestACopyIsKeptOnce(t *testing.T) {
	c, p, data := sshtest.Start(t).Dial(t), newPath(t), snapshot(4000, 1)
	_, found, err := Find(t.Context(), c, p)
	require.NoError(t, err)
	require.False(t, found)
	first, err := Keep(t.Context(), c, p, sealed(data))
	require.NoError(t, err)
	require.False(t, first.Before)
	require.EqualValues(t, len(data), first.Bytes)
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(data)), first.SHA256)

	again, err := Keep(t.Context(), c, p, sealed(snapshot(4000, 2)))
	require.NoError(t, err)
	require.True(t, again.Before)
	require.Equal(t, first.SHA256, again.SHA256, "what is kept is never written again")
	seen, found, err := Find(t.Context(), c, p)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, again, seen)
	got, err := os.ReadFile(p.String())
	require.NoError(t, err)
	require.Equal(t, data, got)
	require.ElementsMatch(t, []string{p.Name, p.Name + ".sha256"}, files(t, p))

	check := exec.Command("sha256sum", "--check", p.Name+".sha256")
	check.Dir = p.dir()
	require.NoError(t, check.Run())
	for path, mode := range map[string]os.FileMode{p.dir(): 0o700, filepath.Dir(p.dir()): 0o700, p.String(): 0o600} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
		require.Zero(t, info.Sys().(*syscall.Stat_t).Uid)
	}
}

// halfway gives a part of the data and then does what a test says.
type halfway struct {
	data []byte
	then func() error
}

func (h *halfway) Read(p []byte) (int, error) {
	if len(h.data) == 0 {
		return 0, h.then()
	}
	n := copy(p, h.data)
	h.data = h.data[n:]
	return n, nil
}

// TestHalfACopyNeverCounts: whatever ends it in the middle, nothing has the name,
// and the next attempt ends well and leaves nothing else.
func TestHalfACopyNeverCounts(t *testing.T) {
	server := sshtest.Start(t)
	data := snapshot(8000, 1)
	half := data[:512*5000]
	for name, end := range map[string]func(c *ssh.Client, cancel func()) error{
		"the source fails": func(*ssh.Client, func()) error { return fault.New(fault.Unreachable, "read", "etcd", "", nil) },
		"it is cancelled":  func(_ *ssh.Client, cancel func()) error { cancel(); time.Sleep(time.Second); return io.EOF },
		"the worker dies":  func(c *ssh.Client, _ func()) error { _ = c.Close(); return io.EOF },
		"the stream ends":  func(*ssh.Client, func()) error { return io.EOF },
	} {
		t.Run(name, func(t *testing.T) {
			p, c := newPath(t), server.Dial(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := Keep(ctx, c, p, Content{From: &halfway{data: half, then: func() error { return end(c, cancel) }}, Seal: EtcdSeal, Need: 1})
			require.Error(t, err)
			require.NotContains(t, files(t, p), p.Name)
			c = server.Dial(t)
			_, found, err := Find(t.Context(), c, p)
			require.NoError(t, err)
			require.False(t, found)
			kept, err := Keep(t.Context(), c, p, sealed(data))
			require.NoError(t, err)
			require.False(t, kept.Before)
			require.Eventually(t, func() bool { return len(files(t, p)) == 2 }, 10*time.Second, 50*time.Millisecond, "%s", files(t, p))
		})
	}
	t.Run("the node dies", func(t *testing.T) { // what it was writing stays, and nobody holds it
		p, c := newPath(t), server.Dial(t)
		require.NoError(t, os.MkdirAll(p.dir(), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(p.dir(), "."+p.Name+".part.abcdef"), half, 0o600))
		_, err := Keep(t.Context(), c, p, sealed(data))
		require.NoError(t, err)
		require.ElementsMatch(t, []string{p.Name, p.Name + ".sha256"}, files(t, p))
	})
	for name, bad := range map[string][]byte{
		"nothing": {}, "a seal of nothing": snapshot(0, 1), "no pages": append([]byte("x"), data...), "a flipped bit": append(append(bytes.Clone(data[:1000]), data[1000]^1), data[1001:]...),
	} {
		p, c := newPath(t), server.Dial(t)
		_, err := Keep(t.Context(), c, p, sealed(bad))
		require.Equal(t, fault.Corrupt, fault.ClassOf(err), "%s: %v", name, err)
		require.Empty(t, files(t, p), name)
	}
}

func TestAttemptsThatOverlap(t *testing.T) {
	server, p := sshtest.Start(t), newPath(t)
	var wait sync.WaitGroup
	sums := make([]string, 5)
	for i := range sums {
		c := server.Dial(t)
		wait.Go(func() {
			kept, err := Keep(t.Context(), c, p, sealed(snapshot(3000, byte(i))))
			if err != nil {
				t.Error(err)
			}
			sums[i] = kept.SHA256
		})
	}
	wait.Wait()
	for _, sum := range sums {
		require.Equal(t, sums[0], sum, "all tell of the one that is kept")
	}
	require.Len(t, files(t, p), 2)
}

func TestADamagedCopyIsTold(t *testing.T) {
	c, p, data := sshtest.Start(t).Dial(t), newPath(t), snapshot(10, 1)
	_, err := Keep(t.Context(), c, p, sealed(data))
	require.NoError(t, err)
	for name, damage := range map[string]func() error{
		"cut":       func() error { return os.Truncate(p.String(), 512) },
		"no digest": func() error { return os.Remove(p.String() + ".sha256") },
		"a link":    func() error { _ = os.Remove(p.String()); return os.Symlink("/etc/hostname", p.String()) },
	} {
		require.NoError(t, damage(), name)
		_, _, err := Find(t.Context(), c, p)
		require.Equal(t, fault.Corrupt, fault.ClassOf(err), name)
		_, err = Keep(t.Context(), c, p, sealed(data))
		require.Equal(t, fault.Corrupt, fault.ClassOf(err), name)
	}
}

// TestNoSpace on a file system of its own.
func TestNoSpace(t *testing.T) {
	c, p := sshtest.Start(t).Dial(t), newPath(t)
	require.NoError(t, syscall.Mount("none", p.Root, "tmpfs", 0, "size=4m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(p.Root, 0)) })
	big := snapshot(16384, 1) // 8 MiB
	_, err := Keep(t.Context(), c, p, sealed(big))
	require.Equal(t, fault.DiskFull, fault.ClassOf(err), "%v", err)
	require.ErrorContains(t, err, "4 MiB are free of 4 MiB, 8 MiB are needed")
	_, err = Keep(t.Context(), c, p, sealed(snapshot(7680, 1))) // 3.75 MiB
	require.ErrorContains(t, err, "a tenth must stay free")
	lie := sealed(big)
	lie.Need = 1 // it fills up in the middle
	_, err = Keep(t.Context(), c, p, lie)
	require.Equal(t, fault.DiskFull, fault.ClassOf(err), "%v", err)
	require.Eventually(t, func() bool { return len(files(t, p)) == 0 }, 10*time.Second, 50*time.Millisecond)
	_, err = Keep(t.Context(), c, p, sealed(snapshot(100, 1)))
	require.NoError(t, err)
}

func TestATextIsKept(t *testing.T) {
	c, p := sshtest.Start(t).Dial(t), newPath(t)
	write := func(seal bool) io.Reader {
		var b bytes.Buffer
		text := NewText(&b)
		for i := range 100 {
			_, _ = fmt.Fprintf(text, "line %d\n", i)
		}
		if seal {
			require.NoError(t, text.Seal())
		}
		return &b
	}
	_, err := Keep(t.Context(), c, p, Content{From: write(false), Seal: TextSeal})
	require.Equal(t, fault.Corrupt, fault.ClassOf(err))
	_, err = Keep(t.Context(), c, p, Content{From: write(true), Seal: TextSeal})
	require.NoError(t, err)
	tail, err := Tail(t.Context(), c, p, 2)
	require.NoError(t, err)
	require.Equal(t, "line 98\nline 99\n", tail)
	empty := p
	empty.Name = "empty"
	_, err = Keep(t.Context(), c, empty, Content{From: strings.NewReader(""), Seal: TextSeal})
	require.Equal(t, fault.Corrupt, fault.ClassOf(err))
}

func TestNamesLeadNowhereElse(t *testing.T) {
	for _, bad := range []Path{{Run: "..", Name: "x"}, {Run: "a/b", Name: "x"}, {Run: "", Name: "x"}, {Run: "a", Name: "../x"}, {Run: "a", Name: ".x"}, {Run: "a", Name: "x\n"}} {
		_, _, err := Find(t.Context(), nil, bad)
		require.Equal(t, fault.BadInput, fault.ClassOf(err), "%+v", bad)
		_, err = Keep(t.Context(), nil, bad, Content{})
		require.Equal(t, fault.BadInput, fault.ClassOf(err), "%+v", bad)
	}
}
