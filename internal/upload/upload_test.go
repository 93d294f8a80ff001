package upload_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
	"github.com/acpflow/acpflow/internal/upload"
)

const (
	mib  = 1 << 20
	step = upload.MinBlock / 2
)

// bench is a node behind a counting proxy, and a local file to upload to it.
type bench struct {
	t      *testing.T
	server *sshtest.Server
	proxy  *sshtest.Proxy
	data   []byte
	spec   upload.Spec
}

func newBench(t *testing.T, size int, lines ...string) *bench {
	t.Helper()
	b := &bench{t: t, server: sshtest.Start(t, lines...), data: make([]byte, size)}
	p, err := sshtest.NewProxy(b.server.Addr, 0)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	b.proxy = p
	_, _ = rand.Read(b.data)
	local := filepath.Join(t.TempDir(), "core.tgz")
	require.NoError(t, os.WriteFile(local, b.data, 0o600))
	b.spec = upload.Spec{Local: local, Remote: filepath.Join(t.TempDir(), "new folder", "core's.tgz"), SHA256: digest(b.data), Block: upload.MinBlock, Channels: 4}
	return b
}

func digest(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// dial connects through the proxy.
func (b *bench) dial() *ssh.Client {
	b.t.Helper()
	target := b.server.Target()
	target.Address = b.proxy.Addr
	c, err := ssh.Dial(b.t.Context(), target)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = c.Close() }) // may be cut already
	return c
}

// upload sends over a new connection and returns the bytes on the wire too.
func (b *bench) upload() (upload.Result, int64, error) {
	c := b.dial()
	before := b.proxy.ToServer.Load()
	result, err := upload.File(b.t.Context(), c, b.spec, nil)
	return result, b.proxy.ToServer.Load() - before, err
}

// arrived asserts that the file is on the node and nothing else is left open.
func (b *bench) arrived() {
	b.t.Helper()
	got, err := os.ReadFile(b.spec.Remote)
	require.NoError(b.t, err)
	require.True(b.t, bytes.Equal(b.data, got), "the file differs")
	require.NoFileExists(b.t, b.side("part"))
	require.NoFileExists(b.t, b.side("journal"))
}

// side is a file of the upload's own folder.
func (b *bench) side(name string) string {
	dir, base := filepath.Split(b.spec.Remote)
	return filepath.Join(dir, "."+base+".acpflow", name)
}

func (b *bench) fails(err error, class fault.Class, words ...string) {
	b.t.Helper()
	require.Error(b.t, err)
	require.Equal(b.t, class, fault.ClassOf(err), "%v", err)
	for _, w := range words {
		require.ErrorContains(b.t, err, w)
	}
}

func TestUploadAndRerun(t *testing.T) {
	b := newBench(t, 20*mib+12345)
	b.spec.Mode = 0o640
	var last upload.Progress
	result, err := upload.File(t.Context(), b.dial(), b.spec, func(p upload.Progress) { last = p })
	require.NoError(t, err)
	b.arrived()
	size := int64(len(b.data))
	require.Equal(t, size, result.Sent)
	require.Equal(t, b.spec.SHA256, result.SHA256)
	require.Equal(t, upload.Progress{Done: size, Sent: size, Total: size}, last)
	info, err := os.Stat(b.spec.Remote)
	require.NoError(t, err)
	require.EqualValues(t, 0o640, info.Mode().Perm())

	result, wire, err := b.upload() // by the cached digest
	require.NoError(t, err)
	require.Equal(t, size, result.Skipped)
	require.Zero(t, result.Sent)
	require.Less(t, wire, int64(64<<10))

	require.NoError(t, os.Remove(b.side("verified"))) // by hashing on the node
	result, wire, err = b.upload()
	require.NoError(t, err)
	require.Equal(t, size, result.Skipped)
	require.Less(t, wire, int64(64<<10))

	// Somebody damages the file without changing its size: the cache must not answer.
	f, err := os.OpenFile(b.spec.Remote, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("damage"), 5*mib)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	result, _, err = b.upload()
	require.NoError(t, err)
	require.Equal(t, size, result.Sent)
	b.arrived()
}

func TestEdges(t *testing.T) {
	for _, size := range []int{0, 1, step - 1, step, step + 1, 2*step + 7} {
		b := newBench(t, size)
		b.spec.SHA256 = "" // computed here, beside the sending
		result, _, err := b.upload()
		require.NoError(t, err)
		require.Equal(t, digest(b.data), result.SHA256)
		b.arrived()
	}
}

func TestUnverified(t *testing.T) {
	b := newBench(t, 3*mib)
	b.spec.Unverified = true
	result, _, err := b.upload()
	require.NoError(t, err)
	require.Empty(t, result.SHA256)
	b.arrived()
	require.NoFileExists(t, b.side("verified"))
}

func TestFewSessions(t *testing.T) {
	b := newBench(t, 8*mib, "MaxSessions 3")
	_, _, err := b.upload()
	require.NoError(t, err)
	b.arrived()
}

func TestSudoUser(t *testing.T) {
	b := newBench(t, 5*mib)
	target := b.server.Target()
	target.User = sshtest.User(t, "any word", "NOPASSWD: ALL")
	c, err := ssh.Dial(t.Context(), target)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	b.spec.Remote = filepath.Join(t.TempDir(), "core.tgz")
	_, err = upload.File(t.Context(), c, b.spec, nil)
	require.Error(t, err, "the user alone must not be able to write there")
	b.spec.Sudo = true
	_, err = upload.File(t.Context(), c, b.spec, nil)
	require.NoError(t, err)
	b.arrived()
}

func TestRemoveTakesOnlyTheOwnersUpload(t *testing.T) {
	b := newBench(t, 3*mib)
	b.spec.Owner = "run-a"
	_, _, err := b.upload()
	require.NoError(t, err)
	other := b.spec
	other.Owner = "run-b"
	_, err = upload.File(t.Context(), b.dial(), other, nil) // already there: stays run-a's
	require.NoError(t, err)
	removed, err := upload.Remove(t.Context(), b.dial(), other)
	require.NoError(t, err)
	require.False(t, removed)
	b.arrived()

	// run-b replaces it by something else and is undone before the end.
	other.SHA256 = digest([]byte("other"))
	_, err = upload.File(t.Context(), b.dial(), other, nil)
	b.fails(err, fault.Corrupt)
	_, err = upload.Remove(t.Context(), b.dial(), other)
	require.NoError(t, err)
	b.arrived()

	removed, err = upload.Remove(t.Context(), b.dial(), b.spec)
	require.NoError(t, err)
	require.True(t, removed)
	require.NoFileExists(t, b.spec.Remote)
	require.NoDirExists(t, filepath.Dir(b.side("x")))
	removed, err = upload.Remove(t.Context(), b.dial(), b.spec)
	require.NoError(t, err)
	require.False(t, removed)
}

func TestBadInput(t *testing.T) {
	b := newBench(t, 1)
	good := b.spec
	for _, change := range []func(*upload.Spec){
		func(s *upload.Spec) { s.Remote = "relative" },
		func(s *upload.Spec) { s.Channels = 9 },
		func(s *upload.Spec) { s.Block = 1000 },
		func(s *upload.Spec) { s.Owner = "two words" },
		func(s *upload.Spec) { s.Local = "/no/such/file" },
		func(s *upload.Spec) { s.Local = t.TempDir() },
	} {
		b.spec = good
		change(&b.spec)
		_, _, err := b.upload()
		b.fails(err, fault.BadInput)
	}
}
