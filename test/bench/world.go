package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

// world is the sshd, the files and the lines to it.
type world struct {
	options
	tmp    string
	server *sshtest.Server
	direct *sshtest.Proxy // counts, without delay
	ms10   *sshtest.Proxy // 10 ms round trip
	ms50   *sshtest.Proxy
	big    file
	small  file
}

// file is something to upload.
type file struct {
	path   string
	size   int64
	digest string
}

func newWorld(o options) (*world, error) {
	tmp, err := os.MkdirTemp(o.dir, "acpflow-bench")
	if err != nil {
		return nil, err
	}
	w := &world{options: o, tmp: tmp}
	if err := w.fill(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) fill() error {
	if err := os.Chmod(w.tmp, 0o755); err != nil {
		return err
	}
	var err error
	if w.server, err = sshtest.Run(w.tmp, "Subsystem sftp /usr/lib/openssh/sftp-server"); err != nil {
		return err
	}
	for _, p := range []struct {
		into  **sshtest.Proxy
		delay time.Duration
	}{{&w.direct, 0}, {&w.ms10, 5 * time.Millisecond}, {&w.ms50, 25 * time.Millisecond}} {
		if *p.into, err = sshtest.NewProxy(w.server.Addr, p.delay); err != nil {
			return err
		}
	}
	if w.big, err = w.random("big", w.size); err != nil {
		return err
	}
	if w.small, err = w.random("small", w.wan); err != nil {
		return err
	}
	return w.trust()
}

func (w *world) close() {
	for _, p := range []*sshtest.Proxy{w.direct, w.ms10, w.ms50} {
		if p != nil {
			p.Close()
		}
	}
	if w.server != nil {
		w.server.Stop()
	}
	_ = os.RemoveAll(w.tmp) // named in the error of the next run when it fills the disk
}

// random makes a file that no compression can shrink.
func (w *world) random(name string, size int64) (file, error) {
	f := file{path: filepath.Join(w.tmp, name), size: size}
	out, err := os.Create(f.path)
	if err != nil {
		return f, err
	}
	sum := sha256.New()
	_, err = io.CopyN(io.MultiWriter(out, sum), rand.Reader, size)
	f.digest = fmt.Sprintf("%x", sum.Sum(nil))
	return f, errors.Join(err, out.Close())
}

// target is where uploads go.
func (w *world) target() string { return filepath.Join(w.tmp, "target", "file") }

// clean removes what the last run uploaded.
func (w *world) clean() error {
	dir := filepath.Dir(w.target())
	return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755))
}

// check compares the uploaded file with the source.
func (w *world) check(f file) error {
	a, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }() // only read, as b
	b, err := os.Open(w.target())
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	x, y := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, err1 := io.ReadFull(a, x)
		m, err2 := io.ReadFull(b, y)
		if !bytes.Equal(x[:n], y[:m]) {
			return errors.New("the uploaded file differs from the source")
		}
		if err1 != nil || err2 != nil {
			return nil // both at their end: equal lengths
		}
	}
}

// ours is the command that uploads with acpflow's code.
func (w *world) ours(ctx context.Context, addr string, f file, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	all := append([]string{"client", "-addr", addr, "-hostkey", w.server.HostKeys[0], "-key", filepath.Join(w.tmp, "client"),
		"-local", f.path, "-remote", w.target()}, args...)
	return exec.CommandContext(ctx, self, all...)
}

// options of OpenSSH's clients: only this key and this host, no user settings.
func (w *world) sshOptions(cipher string) []string {
	out := []string{"-q", "-F", "none", "-i", filepath.Join(w.tmp, "client"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
		"-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + filepath.Join(w.tmp, "known_hosts")}
	if cipher != "" {
		out = append(out, "-c", cipher)
	}
	return out
}

func (w *world) scp(ctx context.Context, addr, cipher string, f file) *exec.Cmd {
	_, port, _ := net.SplitHostPort(addr)
	args := append(w.sshOptions(cipher), "-P", port, f.path, "root@127.0.0.1:"+w.target())
	return exec.CommandContext(ctx, "scp", args...)
}

func (w *world) ssh(ctx context.Context, addr, cipher, command string) *exec.Cmd {
	_, port, _ := net.SplitHostPort(addr)
	args := append(w.sshOptions(cipher), "-p", port, "root@127.0.0.1", command)
	return exec.CommandContext(ctx, "ssh", args...)
}

// trust writes known_hosts for the server and every proxy in front of it.
func (w *world) trust() error {
	var text string
	for _, addr := range []string{w.server.Addr, w.direct.Addr, w.ms10.Addr, w.ms50.Addr} {
		_, port, _ := net.SplitHostPort(addr)
		text += fmt.Sprintf("[127.0.0.1]:%s %s\n", port, w.server.HostKeys[0])
	}
	return os.WriteFile(filepath.Join(w.tmp, "known_hosts"), []byte(text), 0o600)
}
