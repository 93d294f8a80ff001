package ssh_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	cryptossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

// dial connects, runs a command, and returns the error of either.
func dial(t *testing.T, target ssh.Target) error {
	t.Helper()
	c, err := ssh.Dial(t.Context(), target)
	if err != nil {
		return err
	}
	defer func() { require.NoError(t, c.Close()) }()
	out, err := c.Run(t.Context(), ssh.Command{Script: "echo here"})
	if err == nil {
		require.Equal(t, "here\n", out.Stdout)
	}
	return err
}

// fails asserts the class and what the text must name.
func fails(t *testing.T, err error, class fault.Class, words ...string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, class, fault.ClassOf(err), "%v", err)
	for _, w := range words {
		require.ErrorContains(t, err, w)
	}
}

func TestHostKeys(t *testing.T) {
	s := sshtest.Start(t)
	other := sshtest.Start(t)
	file := filepath.Join(t.TempDir(), "known_hosts")
	known := func(text string) ssh.Target {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		target := s.Target()
		target.HostKeys, target.KnownHosts = nil, file
		return target
	}
	host := knownhosts.Normalize(s.Addr)

	for i, key := range s.HostKeys { // also when only the key the server likes less is known
		target := s.Target()
		target.HostKeys = []string{key}
		require.NoError(t, dial(t, target))
		require.NoError(t, dial(t, known(host+" "+key+"\n")), "key %d", i)
	}
	require.NoError(t, dial(t, known(knownhosts.HashHostname(host)+" "+s.HostKeys[1]+"\n")))

	fails(t, dial(t, known("")), fault.HostKey, "unknown", "SHA256:", s.HostKeys[0], "ssh-keygen -lf", s.Addr)
	fails(t, dial(t, known(host+" "+other.HostKeys[0]+"\n")), fault.HostKey, "CHANGED", "SHA256:", file)
	fails(t, dial(t, known("@revoked * "+s.HostKeys[0]+"\n")), fault.HostKey, "revoked")
	fails(t, dial(t, known("what is this\n")), fault.BadInput, file+":1")

	pinned := s.Target()
	pinned.HostKeys = other.HostKeys
	pinned.KnownHosts = file // must not be asked
	fails(t, dial(t, pinned), fault.HostKey, "CHANGED", "the site document")
	pinned.HostKeys = []string{"nonsense"}
	fails(t, dial(t, pinned), fault.BadInput, "ssh-ed25519 AAAA")
	pinned.HostKeys, pinned.KnownHosts = nil, ""
	fails(t, dial(t, pinned), fault.BadInput, "no host key is known")
}

func TestPasswords(t *testing.T) {
	const password = "correct horse"
	interactive := []string{"UsePAM yes", "PasswordAuthentication no", "KbdInteractiveAuthentication yes"}
	for name, lines := range map[string][]string{"password": {"KbdInteractiveAuthentication no"}, "keyboard-interactive": interactive} {
		t.Run(name, func(t *testing.T) {
			s := sshtest.Start(t, lines...)
			target := s.Target()
			target.User, target.PrivateKey = sshtest.User(t, password, ""), secret.Value{}
			target.Password = secret.NewValue([]byte(password))
			require.NoError(t, dial(t, target))
			target.Password = secret.NewValue([]byte("battery staple"))
			err := dial(t, target)
			fails(t, err, fault.Auth, "tried: ", name, target.User)
			require.NotContains(t, err.Error(), "battery")
		})
	}
}

// encrypted returns a new key in PEM, locked with the passphrase, that the
// server accepts.
func encrypted(t *testing.T, s *sshtest.Server, passphrase string) (ed25519.PrivateKey, []byte) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := cryptossh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	require.NoError(t, err)
	signer, err := cryptossh.NewSignerFromKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(s.Dir, "authorized_keys"), cryptossh.MarshalAuthorizedKey(signer.PublicKey()), 0o644))
	return key, pem.EncodeToMemory(block)
}

func TestKeys(t *testing.T) {
	s := sshtest.Start(t)
	target := s.Target()
	_, locked := encrypted(t, s, "open sesame")
	fails(t, dial(t, target), fault.Auth, "publickey SHA256:") // its key is no longer accepted
	target.PrivateKey = secret.NewValue(locked)
	fails(t, dial(t, target), fault.Auth, "set passphrase")
	target.Passphrase = secret.NewValue([]byte("open barley"))
	fails(t, dial(t, target), fault.Auth, "correct the passphrase")
	target.Passphrase = secret.NewValue([]byte("open sesame"))
	require.NoError(t, dial(t, target))
	target.PrivateKey = secret.NewValue([]byte("no key at all"))
	fails(t, dial(t, target), fault.Auth, "private key")
	target.PrivateKey = secret.Value{}
	fails(t, dial(t, target), fault.BadInput, "no credential")
}

func TestAgent(t *testing.T) {
	s := sshtest.Start(t)
	target := s.Target()
	target.PrivateKey, target.Agent = secret.Value{}, true
	t.Setenv("SSH_AUTH_SOCK", "")
	fails(t, dial(t, target), fault.Auth, "SSH_AUTH_SOCK")

	key, _ := encrypted(t, s, "x")
	ring := agent.NewKeyring()
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, conn) }() // ends with the connection
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", socket)
	fails(t, dial(t, target), fault.Auth, "rejected")
	require.NoError(t, ring.Add(agent.AddedKey{PrivateKey: key}))
	require.NoError(t, dial(t, target))
}

func TestUnreachable(t *testing.T) {
	s := sshtest.Start(t)
	target := s.Target()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	target.Address = silent.Addr().String() // accepts and hangs up
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	fails(t, dial(t, target), fault.Unreachable, target.Address, "handshake")
	require.NoError(t, silent.Close())
	fails(t, dial(t, target), fault.Unreachable, target.Address, "refused", "firewall")
	target.Address = "no-such-host.invalid:22"
	fails(t, dial(t, target), fault.Unreachable, "no-such-host.invalid")
}

func TestSudo(t *testing.T) {
	s := sshtest.Start(t)
	root := ssh.Command{Script: "id -u; echo $HOME", Sudo: true}
	for name, rule := range map[string]string{"allowed": "NOPASSWD: ALL", "asks": "ALL", "denied": ""} {
		t.Run(name, func(t *testing.T) {
			target := s.Target()
			target.User = sshtest.User(t, "secret word", rule)
			c, err := ssh.Dial(t.Context(), target)
			require.NoError(t, err)
			defer func() { require.NoError(t, c.Close()) }()
			out, err := c.Run(t.Context(), root)
			if name == "allowed" {
				require.NoError(t, err)
				require.Equal(t, "0\n/root\n", out.Stdout)
				return
			}
			fails(t, err, fault.Sudo, "password is required", fmt.Sprintf("%s ALL=(ALL) NOPASSWD: ALL", target.User))
		})
	}
}

func TestJumpHost(t *testing.T) {
	for name, lines := range map[string][]string{"forwarding": nil, "hardened": {"DisableForwarding yes"}} {
		t.Run(name, func(t *testing.T) {
			bastion, node := sshtest.Start(t, lines...), sshtest.Start(t)
			target := node.Target()
			jump := bastion.Target()
			target.Jump = &jump
			require.NoError(t, dial(t, target))

			jump.HostKeys = node.HostKeys
			fails(t, dial(t, target), fault.HostKey, "jump host for "+target.User+"@"+target.Address)
			jump.HostKeys = bastion.HostKeys
			target.Address = "127.0.0.1:1"
			fails(t, dial(t, target), fault.Unreachable, "127.0.0.1:1", "through root@"+bastion.Addr, "refused")
			target.Address = node.Addr
			target.HostKeys = bastion.HostKeys
			fails(t, dial(t, target), fault.HostKey, "CHANGED")
		})
	}
}

func TestDialHonoursTheDeadline(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts into its backlog and never speaks
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	target := sshtest.Start(t).Target()
	target.Address = l.Addr().String()
	ctx, cancel := contextWithTimeout(t, 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = ssh.Dial(ctx, target)
	fails(t, err, fault.Unreachable, "deadline")
	require.Less(t, time.Since(began), 8*time.Second)
}
