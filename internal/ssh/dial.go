package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"

	"github.com/acpflow/acpflow/internal/fault"
)

// How long the steps of a connect may take when ctx allows more. A node that
// drops packets must not hold an activity for minutes.
const (
	connectTimeout   = 10 * time.Second
	handshakeTimeout = 30 * time.Second // sshd with UseDNS yes and a dead resolver needs over 10 s
)

// Dial connects, verifies the host key and logs in. The connection is the
// caller's to Close; a jump host's connection is closed with it.
// Errors: fault.BadInput, Unreachable, HostKey, Auth, Refused.
func Dial(ctx context.Context, t Target) (*Client, error) {
	if t.Jump == nil {
		return dialDirect(ctx, t)
	}
	jump, err := Dial(ctx, *t.Jump)
	if err != nil {
		return nil, throughJump(t, err)
	}
	c, err := dialThrough(ctx, jump, t)
	if err != nil {
		_ = jump.Close() // the error that matters is err
		return nil, err
	}
	c.onClose = func() { _ = jump.Close() }
	return c, nil
}

func dialDirect(ctx context.Context, t Target) (*Client, error) {
	if err := t.validate(); err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: connectTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, unreachable(t, err)
	}
	return handshake(ctx, conn, t)
}

func dialThrough(ctx context.Context, jump *Client, t Target) (*Client, error) {
	if err := t.validate(); err != nil {
		return nil, err
	}
	conn, err := jump.DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, throughJump(t, err)
	}
	return handshake(ctx, conn, t)
}

// throughJump says for which node the jump host was needed; class and fix stay.
func throughJump(t Target, err error) error {
	fault, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	named := *fault
	named.Op += " (jump host for " + t.place() + ")"
	return &named
}

func unreachable(t Target, err error) error {
	return fault.New(fault.Unreachable, "connect", t.place(),
		"check that the machine is up, the address and port are right, and the firewall lets the worker through", err)
}

// handshake turns a connection into a Client. It owns conn.
func handshake(ctx context.Context, conn net.Conn, t Target) (*Client, error) {
	known, err := newVerifier(t)
	if err == nil {
		var in *login
		if in, err = newLogin(t); err == nil {
			defer in.close()
			return negotiate(ctx, conn, t, known, in)
		}
	}
	_ = conn.Close() // nothing was sent yet
	return nil, err
}

func negotiate(ctx context.Context, conn net.Conn, t Target, known *verifier, in *login) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	w := newWire(conn)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // unblocks the handshake
	config := &ssh.ClientConfig{
		Config:            ssh.Config{Ciphers: ciphers()},
		User:              t.User,
		Auth:              in.methods(),
		HostKeyCallback:   known.callback,
		HostKeyAlgorithms: known.algorithms(),
		ClientVersion:     "SSH-2.0-acpflow",
	}
	sc, chans, reqs, err := ssh.NewClientConn(w, t.Address, config)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = w.Close() // a second Close is harmless
		return nil, classifyHandshake(ctx, t, known, in, err)
	}
	return newClient(t, w, ssh.NewClient(sc, chans, reqs)), nil
}

func classifyHandshake(ctx context.Context, t Target, known *verifier, in *login, err error) error {
	var algorithms *ssh.AlgorithmNegotiationError
	switch text := err.Error(); {
	case known.verdict != nil:
		return known.verdict
	case strings.Contains(text, "unable to authenticate"),
		strings.Contains(text, "Too many authentication failures"),
		strings.Contains(text, "unexpected message type 51"), // sshd offers keyboard-interactive without PAM, then refuses to ask
		strings.Contains(text, "keyboard-interactive asks"):
		return in.rejected(err)
	case errors.As(err, &algorithms):
		return fault.New(fault.Refused, "agree on algorithms", t.place(),
			"allow curve25519-sha256, aes128-gcm@openssh.com and an ed25519, ecdsa or rsa-sha2 host key in the node's sshd_config", err)
	case ctx.Err() != nil:
		return unreachable(t, fmt.Errorf("the SSH handshake did not finish: %w", context.Cause(ctx)))
	case errors.Is(err, io.EOF):
		return unreachable(t, fmt.Errorf("sshd closed the connection during the handshake; it may be starting, full (MaxStartups) or refusing this address (%w)", err))
	}
	return unreachable(t, err)
}

// ciphers are the authenticated ones, fastest first: with AES instructions GCM
// costs half the time of chacha20, without them several times more.
func ciphers() []string {
	gcm := []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM}
	chacha := []string{ssh.CipherChaCha20Poly1305}
	ctr := []string{ssh.CipherAES128CTR, ssh.CipherAES256CTR}
	if cpu.X86.HasAES || cpu.ARM64.HasAES || cpu.S390X.HasAESGCM {
		return append(append(gcm, chacha...), ctr...)
	}
	return append(append(chacha, gcm...), ctr...)
}
