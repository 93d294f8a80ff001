package sshtest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
)

// Start runs a server for the length of a test.
func Start(t testing.TB, lines ...string) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "acpflow-sshd") //nolint:usetesting // other users must be able to enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // other users read authorized_keys
		t.Fatal(err)
	}
	s, err := Run(dir, lines...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("sshd: %s", s.Log())
		}
	})
	return s
}

// Target logs in as root with the server's key and its pinned host keys.
func (s *Server) Target() ssh.Target {
	return TargetOf(s.Addr, s.HostKeys[0], s.Key)
}

// TargetOf is Target for another process, which knows only these.
func TargetOf(addr, hostKey string, key []byte) ssh.Target {
	return ssh.Target{Address: addr, User: "root", HostKeys: []string{hostKey}, PrivateKey: secret.NewValue(key)}
}

// Dial connects as root for the length of a test.
func (s *Server) Dial(t testing.TB) *ssh.Client {
	t.Helper()
	c, err := ssh.Dial(t.Context(), s.Target())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // may be closed already
	return c
}

// User creates an account with a password for the length of a test and
// returns its name. sudo is its sudoers rule: "NOPASSWD: ALL", "ALL", or "".
func User(t testing.TB, password, sudo string) string {
	t.Helper()
	name := fmt.Sprintf("acpt%d", os.Getpid()%100000) + strings.ToLower(strings.Map(letters, t.Name()))
	name = name[:min(len(name), 30)]
	run := func(stdin string, args ...string) {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdin = strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", args, err, out)
		}
	}
	run("", "useradd", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/bash", name)
	// By force: the session of a connection just closed may not have ended yet.
	t.Cleanup(func() { run("", "userdel", "--force", name) })
	run(name+":"+password+"\n", "chpasswd")
	if sudo != "" {
		file := "/etc/sudoers.d/" + name
		if err := os.WriteFile(file, []byte(name+" ALL=(ALL) "+sudo+"\n"), 0o440); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(file) })
	}
	return name
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return -1
}
