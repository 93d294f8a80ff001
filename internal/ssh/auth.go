package ssh

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/acpflow/acpflow/internal/fault"
)

// login holds the ways to authenticate that a target offers, and which of them
// were really tried, for the error text.
type login struct {
	target  Target
	signers []ssh.Signer
	agent   net.Conn
	tried   []string
}

// newLogin reads the credentials. Call close when the handshake is over.
func newLogin(t Target) (*login, error) {
	l := &login{target: t}
	if !t.PrivateKey.Empty() {
		signer, err := parseKey(t)
		if err != nil {
			return nil, err
		}
		l.signers = append(l.signers, signer)
	}
	if t.Agent {
		if err := l.addAgent(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func parseKey(t Target) (ssh.Signer, error) {
	var signer ssh.Signer
	var err error
	if t.Passphrase.Empty() {
		signer, err = ssh.ParsePrivateKey(t.PrivateKey.Reveal())
	} else {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(t.PrivateKey.Reveal(), t.Passphrase.Reveal())
	}
	if err == nil {
		return signer, nil
	}
	fix := "give a private key in OpenSSH or PEM format"
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		fix = "set passphrase under ssh in the site document"
	} else if !t.Passphrase.Empty() {
		fix = "correct the passphrase under ssh in the site document, or the key"
	}
	return nil, fault.New(fault.Auth, "read private key", t.place(), fix, err)
}

func (l *login) addAgent() error {
	const fix = "start the worker with SSH_AUTH_SOCK of a running agent that holds the key"
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return fault.New(fault.Auth, "ask SSH agent", l.target.place(), fix, errors.New("SSH_AUTH_SOCK is not set where the worker runs"))
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return fault.New(fault.Auth, "ask SSH agent", l.target.place(), fix, err)
	}
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		_ = conn.Close()
		return fault.New(fault.Auth, "ask SSH agent", l.target.place(), fix, err)
	}
	l.agent = conn
	l.signers = append(l.signers, signers...) // after the named key: servers stop at 6 tries
	return nil
}

func (l *login) close() {
	if l.agent != nil {
		_ = l.agent.Close() // it was only read
	}
}

// methods are tried in this order, as far as the server offers them.
func (l *login) methods() []ssh.AuthMethod {
	var out []ssh.AuthMethod
	if len(l.signers) > 0 {
		out = append(out, ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
			for _, s := range l.signers {
				l.tried = append(l.tried, "publickey "+ssh.FingerprintSHA256(s.PublicKey()))
			}
			return l.signers, nil
		}))
	}
	if !l.target.Password.Empty() {
		out = append(out, ssh.PasswordCallback(func() (string, error) {
			l.tried = append(l.tried, "password")
			return string(l.target.Password.Reveal()), nil
		}), ssh.KeyboardInteractive(l.answer))
	}
	return out
}

// answer gives the password to the first hidden prompt and refuses anything
// else: a second factor or a forced password change needs a person.
func (l *login) answer(_, instruction string, questions []string, echos []bool) ([]string, error) {
	if len(questions) == 0 {
		return nil, nil
	}
	if len(questions) != 1 || echos[0] {
		return nil, fmt.Errorf("keyboard-interactive asks what acpflow can't answer: %s %s", instruction, strings.Join(questions, " "))
	}
	l.tried = append(l.tried, "keyboard-interactive")
	return []string{string(l.target.Password.Reveal())}, nil
}

// rejected is the error when the server took none of the credentials.
func (l *login) rejected(cause error) error {
	tried := "none that the server offers"
	if len(l.tried) > 0 {
		tried = strings.Join(l.tried, ", ")
	}
	return fault.New(fault.Auth, "log in", l.target.place(),
		"correct user, key or password under ssh in the site document, or the account on the node (authorized_keys, PasswordAuthentication, PermitRootLogin, expiry)",
		fmt.Errorf("the node rejected the credentials, tried: %s (%w)", tried, cause))
}
