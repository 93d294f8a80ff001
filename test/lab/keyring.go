package lab

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os/exec"
	"strings"

	"golang.org/x/crypto/ssh"
)

// keyring is every secret of a lab, made new by each Up.
type keyring struct {
	userKey      string            // private, OpenSSH format
	authorized   string            // its public half
	host         map[string]string // private host key by node
	password     string            // of root and ops on every node
	passwordHash string            // crypt format
	admin        string            // password of the platform's admin
	tsig         string            // base64, HMAC-SHA256
	rndc         string            // of the resolver's control channel, base64
	salt         string            // makes machine ids unique to this lab
}

func newKeyring(ctx context.Context, nodes []Node) (*keyring, error) {
	k := &keyring{
		host: map[string]string{}, password: newPassword(), admin: newPassword(),
		tsig: base64.StdEncoding.EncodeToString(randomBytes(32)), rndc: base64.StdEncoding.EncodeToString(randomBytes(32)), salt: rand.Text(),
	}
	var err error
	if k.userKey, k.authorized, err = newSSHKey("acpflow-lab"); err != nil {
		return nil, err
	}
	k.authorized += "\n"
	for i := range nodes {
		n := &nodes[i]
		if k.host[n.Name], n.HostKey, err = newSSHKey(""); err != nil {
			return nil, err
		}
	}
	k.passwordHash, err = crypt(ctx, k.password)
	return k, err
}

// newPassword makes a password that meets the usual policies: length, upper
// and lower case, digit, special character. The specials include those that a
// shell, a URL or a JSON document would trip over.
func newPassword() string { return rand.Text()[:16] + `a1!$&"` }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}

// newSSHKey returns an ed25519 key pair: private in OpenSSH format, public as
// a line of authorized_keys without a comment or newline.
func newSSHKey(comment string) (private, public string, err error) {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", "", err
	}
	block, err := ssh.MarshalPrivateKey(priv, comment)
	if err != nil {
		return "", "", err
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", "", err
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return string(pem.EncodeToMemory(block)), line, nil
}

// crypt hashes a password for the shadow file; it goes through a pipe because
// every user of the machine can read arguments.
func crypt(ctx context.Context, password string) (string, error) {
	cmd := exec.CommandContext(ctx, "openssl", "passwd", "-6", "-stdin")
	cmd.Stdin = strings.NewReader(password + "\n")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("lab: openssl passwd: %w: %s", err, tail(errs.Bytes(), 500))
	}
	return strings.TrimSpace(string(out)), nil
}

// machineID is stable for a node through all resets of one lab.
func (k *keyring) machineID(machine string) string {
	sum := sha256.Sum256([]byte(k.salt + machine))
	return hex.EncodeToString(sum[:16])
}
