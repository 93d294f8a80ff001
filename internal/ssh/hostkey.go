package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/acpflow/acpflow/internal/fault"
)

// verifier decides about host keys and remembers its own verdict, because the
// handshake wraps errors into text.
type verifier struct {
	target  Target
	check   ssh.HostKeyCallback
	known   []ssh.PublicKey // accepted keys; empty when the host is unknown
	certs   bool            // the file trusts certificate authorities
	verdict error
}

func newVerifier(t Target) (*verifier, error) {
	v := &verifier{target: t}
	if len(t.HostKeys) > 0 {
		return v, v.usePinned()
	}
	return v, v.useFile()
}

func (v *verifier) usePinned() error {
	for _, line := range v.target.HostKeys {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return fault.New(fault.BadInput, "read pinned host key", v.target.place(),
				`write it as in /etc/ssh/ssh_host_ed25519_key.pub: "ssh-ed25519 AAAA…"`, err)
		}
		v.known = append(v.known, key)
	}
	v.check = func(_ string, _ net.Addr, offered ssh.PublicKey) error {
		for _, key := range v.known {
			if bytes.Equal(key.Marshal(), offered.Marshal()) {
				return nil
			}
		}
		return &knownhosts.KeyError{Want: make([]knownhosts.KnownKey, len(v.known))}
	}
	return nil
}

func (v *verifier) useFile() error {
	file := v.target.KnownHosts
	check, err := knownhosts.New(file)
	if err != nil {
		return fault.New(fault.BadInput, "read known_hosts", file, "make the file readable for the worker and correct the named line", err)
	}
	v.check = check
	if text, err := os.ReadFile(file); err == nil {
		v.certs = bytes.Contains(text, []byte("@cert-authority"))
	}
	// Asking about a key nobody has lists the keys that would be accepted.
	var keyErr *knownhosts.KeyError
	if errors.As(check(v.target.Address, v.remote(), nobodysKey{}), &keyErr) {
		for _, k := range keyErr.Want {
			v.known = append(v.known, k.Key)
		}
	}
	return nil
}

// nobodysKey equals no real key.
type nobodysKey struct{ ssh.PublicKey }

func (nobodysKey) Type() string    { return "none" }
func (nobodysKey) Marshal() []byte { return []byte("none") }

// remote stands in for the peer's address: through a jump host there is none,
// and the name in the site document is what known_hosts is about.
func (v *verifier) remote() net.Addr { return namedAddr(v.target.Address) }

type namedAddr string

func (namedAddr) Network() string  { return "tcp" }
func (a namedAddr) String() string { return string(a) }

// callback is the ssh.HostKeyCallback.
func (v *verifier) callback(host string, _ net.Addr, offered ssh.PublicKey) error {
	v.verdict = v.judge(host, offered)
	return v.verdict
}

func (v *verifier) judge(host string, offered ssh.PublicKey) error {
	err := v.check(host, v.remote(), offered)
	if err == nil {
		return nil
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(offered)))
	print := ssh.FingerprintSHA256(offered)
	op, place := "verify host key", v.target.place()
	var changed *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case errors.As(err, &revoked):
		return fault.New(fault.HostKey, op, place, "do not use this host before its owner has replaced the key",
			fmt.Errorf("the offered key %s %s is revoked in %s", offered.Type(), print, v.target.KnownHosts))
	case errors.As(err, &changed) && len(changed.Want) > 0:
		return fault.New(fault.HostKey, op, place,
			fmt.Sprintf("if the machine was reinstalled, compare with `ssh-keygen -lf` on its console and replace the old key by %q in %s; otherwise stop, somebody may be intercepting the connection", line, v.source()),
			fmt.Errorf("the host key CHANGED: offered %s %s, accepted %s", offered.Type(), print, v.accepted()))
	case errors.As(err, &changed):
		return fault.New(fault.HostKey, op, place,
			fmt.Sprintf("compare with `ssh-keygen -lf` on its console, then add hostKey %q to the node in the site document, or a line for %s to %s", line, knownhosts.Normalize(v.target.Address), v.target.KnownHosts),
			fmt.Errorf("the host is unknown: offered %s %s, and no key of it is accepted", offered.Type(), print))
	}
	return fault.New(fault.HostKey, op, place, "correct the host certificate or pin the host key", err)
}

func (v *verifier) source() string {
	if len(v.target.HostKeys) > 0 {
		return "the site document"
	}
	return v.target.KnownHosts
}

func (v *verifier) accepted() string {
	var out []string
	for _, key := range v.known {
		out = append(out, key.Type()+" "+ssh.FingerprintSHA256(key))
	}
	return strings.Join(out, ", ")
}

// algorithms puts those of the known keys first: a host known by its ed25519
// key must not fail because it prefers to show its ecdsa key. The others stay
// at the end, so that a changed key is seen and named.
func (v *verifier) algorithms() []string {
	var first []string
	if v.certs {
		first = append(first, ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01,
			ssh.CertAlgoECDSA521v01, ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01)
	}
	for _, key := range v.known {
		if key.Type() == ssh.KeyAlgoRSA { // never SHA-1, which is what "ssh-rsa" means in an offer
			first = append(first, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			first = append(first, key.Type())
		}
	}
	for _, algo := range []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384,
		ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256} {
		if !slices.Contains(first, algo) {
			first = append(first, algo)
		}
	}
	return first
}
