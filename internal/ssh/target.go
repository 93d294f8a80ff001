// Package ssh reaches nodes: verified host keys, every usual way to log in,
// jump hosts, scripts over stdin and TCP through the connection. It does not
// retry; errors are *fault.Error with the host, the cause and the fix.
package ssh

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// Target is one account on one machine and how it may be reached. At least one
// of HostKeys and KnownHosts must be set: an unverified host is never used.
type Target struct {
	Address    string   // host:port
	User       string   // login name
	HostKeys   []string // accepted keys, authorized_keys format; when set, KnownHosts is not read
	KnownHosts string   // known_hosts file on this machine
	PrivateKey secret.Value
	Passphrase secret.Value // of PrivateKey
	Password   secret.Value // for password and keyboard-interactive login
	Agent      bool         // also offer the keys of SSH_AUTH_SOCK
	Jump       *Target      // connect through this host
}

// place names the target in errors: user@host:port.
func (t Target) place() string { return t.User + "@" + t.Address }

func (t Target) validate() error {
	bad := func(fix, format string, args ...any) error {
		return fault.New(fault.BadInput, "connect", t.place(), fix, fmt.Errorf(format, args...))
	}
	switch {
	case t.Address == "" || t.User == "":
		return bad("give address and user", "the SSH target lacks an address or a user")
	case len(t.HostKeys) == 0 && t.KnownHosts == "":
		return bad("pin the node's hostKey or name a knownHosts file in the site document", "no host key is known, and an unverified host is never used")
	case t.PrivateKey.Empty() && t.Password.Empty() && !t.Agent:
		return bad("set privateKey, password or agent under ssh in the site document", "no credential is configured")
	}
	return nil
}

// poolKey blinds the pool's keys, which are made from credentials.
var poolKey = func() []byte {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		panic(err) // never happens: crypto/rand does not fail
	}
	return b
}()

// identity changes when anything that decides about the connection changes:
// credential, accepted host keys, known_hosts file, jump host.
func (t Target) identity() [32]byte {
	mac := hmac.New(sha256.New, poolKey)
	for hop := &t; hop != nil; hop = hop.Jump {
		stamp := ""
		if info, err := os.Stat(hop.KnownHosts); hop.KnownHosts != "" && err == nil {
			stamp = fmt.Sprint(info.Size(), info.ModTime().UnixNano())
		}
		// A JSON array keeps neighbouring fields apart; writing to a hash cannot fail.
		_ = json.NewEncoder(mac).Encode([]any{
			hop.Address, hop.User, hop.HostKeys, hop.KnownHosts, stamp, hop.Agent,
			hop.PrivateKey.Reveal(), hop.Passphrase.Reveal(), hop.Password.Reveal(),
		})
	}
	return [32]byte(mac.Sum(nil))
}
