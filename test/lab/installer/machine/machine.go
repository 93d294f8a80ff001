// Package machine is how the stand-in installer works on the machines of its
// configuration: over SSH with the credentials it was given, with sudo.
package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/acpflow/acpflow/test/lab/installer/config"
)

const dialLimit = 10 * time.Second

// Machine is an open login to one machine.
type Machine struct {
	config.Machine
	Hostname     string // as the machine names itself
	Architecture string // of the running kernel, as uname -m prints it
	client       *ssh.Client
}

// hostKeys remembers the key each machine showed first. The interface carries
// no host keys, so the first contact is trusted; a change later is not.
var hostKeys sync.Map

func rememberHostKey(host string, _ net.Addr, key ssh.PublicKey) error {
	known, loaded := hostKeys.LoadOrStore(host, key.Marshal())
	if loaded && !bytes.Equal(known.([]byte), key.Marshal()) {
		return fmt.Errorf("the host key of %s changed during the install", host)
	}
	return nil
}

// Connect proves every credential of m (each one must log in on its own) and
// that sudo works without a password, then keeps the last login open.
func Connect(ctx context.Context, m config.Machine) (*Machine, error) {
	methods, err := methods(m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.IP, err)
	}
	out := &Machine{Machine: m}
	for name, method := range methods {
		if out.client != nil {
			_ = out.client.Close()
		}
		if out.client, err = login(ctx, m, method); err != nil {
			return nil, fmt.Errorf("%s: login of %s with the %s failed: %w", m.IP, m.Username, name, err)
		}
	}
	facts, err := out.Run(ctx, "uname -n; uname -m", nil)
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("%s: %s cannot become root: %w", m.IP, m.Username, err)
	}
	fields := strings.Fields(facts)
	if len(fields) != 2 {
		out.Close()
		return nil, fmt.Errorf("%s: the shell prints other text into command output", m.IP)
	}
	out.Hostname, out.Architecture = fields[0], fields[1]
	return out, nil
}

func methods(m config.Machine) (map[string]ssh.AuthMethod, error) {
	out := map[string]ssh.AuthMethod{}
	if len(m.Password) > 0 {
		out["password"] = ssh.Password(string(m.Password))
	}
	if len(m.PrivateKey) > 0 {
		signer, err := ssh.ParsePrivateKey(m.PrivateKey)
		if err != nil {
			return nil, errors.New("privateKey is no SSH key without a passphrase")
		}
		out["private key"] = ssh.PublicKeys(signer)
	}
	if len(out) == 0 {
		return nil, errors.New("neither password nor privateKey")
	}
	return out, nil
}

func login(ctx context.Context, m config.Machine, method ssh.AuthMethod) (*ssh.Client, error) {
	address := net.JoinHostPort(m.IP, strconv.Itoa(m.Port))
	conn, err := (&net.Dialer{Timeout: dialLimit}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(dialLimit))
	c, chans, reqs, err := ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		User:            m.Username,
		Auth:            []ssh.AuthMethod{method},
		HostKeyCallback: rememberHostKey,
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return ssh.NewClient(c, chans, reqs), nil
}

// Run runs a shell script as root and returns its standard output. The script
// travels as an argument: it must hold no secret; stdin may.
func (m *Machine) Run(ctx context.Context, script string, stdin io.Reader) (string, error) {
	session, err := m.client.NewSession()
	if err != nil {
		return "", err
	}
	defer func() { _ = session.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer stop()
	var stdout, stderr bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = stdin, &stdout, &stderr
	command := "sh -euc " + quote(script)
	if m.Username != "root" {
		command = "sudo -n -- " + command
	}
	if err := session.Run(command); err != nil {
		return "", fmt.Errorf("%w: %s", err, tail(stderr.String()))
	}
	return stdout.String(), nil
}

// Close ends the login.
func (m *Machine) Close() {
	if m.client != nil {
		_ = m.client.Close()
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func tail(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = "…" + s[len(s)-300:]
	}
	return s
}
