package installer

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// keyFile writes a new SSH key, encrypted if there is a passphrase.
func keyFile(t *testing.T, passphrase string) (path string, key ed25519.PrivateKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "test")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "test", []byte(passphrase))
	}
	require.NoError(t, err)
	path = filepath.Join(t.TempDir(), "id_ed25519")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	return path, key
}

func siteWithKey(path string, passphrase site.Ref) site.Site {
	s := oneNode()
	s.Clusters[0].SSH = site.SSH{User: "root", Port: 22, PrivateKey: site.Ref("file:" + path), Passphrase: passphrase}
	return s
}

func TestResolveSendsThePlainKeyFile(t *testing.T) {
	t.Setenv("ADMIN_PASSWORD", "admin-password-value")
	path, _ := keyFile(t, "")
	sec, err := Resolve(siteWithKey(path, ""), "west")
	require.NoError(t, err)
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(sec.SSHPrivateKey.Reveal()), "the bytes of the file, final newline included")
	assert.Equal(t, "admin-password-value", string(sec.AdminPassword.Reveal()))
	assert.True(t, sec.SSHPassword.Empty())
}

func TestResolveDecryptsTheKey(t *testing.T) {
	t.Setenv("ADMIN_PASSWORD", "admin-password-value")
	t.Setenv("KEY_PASSPHRASE", "correct horse")
	path, key := keyFile(t, "correct horse")
	sec, err := Resolve(siteWithKey(path, "env:KEY_PASSPHRASE"), "west")
	require.NoError(t, err)
	raw, err := ssh.ParseRawPrivateKey(sec.SSHPrivateKey.Reveal())
	require.NoError(t, err)
	assert.Equal(t, &key, raw)
	assert.Equal(t, secret.Mask, secret.Redact(string(sec.SSHPrivateKey.Reveal()[:len(sec.SSHPrivateKey.Reveal())-1])), "the decrypted key is known to the redactor")
}

func TestResolveRefuses(t *testing.T) {
	t.Setenv("ADMIN_PASSWORD", "admin-password-value")
	t.Setenv("KEY_PASSPHRASE", "wrong")
	encrypted, _ := keyFile(t, "correct horse")
	junk := filepath.Join(t.TempDir(), "junk")
	require.NoError(t, os.WriteFile(junk, []byte("not a key"), 0o600))
	for name, s := range map[string]site.Site{
		"wrong passphrase": siteWithKey(encrypted, "env:KEY_PASSPHRASE"),
		"no passphrase":    siteWithKey(encrypted, ""),
		"no key":           siteWithKey(junk, ""),
		"no file":          siteWithKey(junk+"-missing", ""),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Resolve(s, "west")
			require.Error(t, err)
			assert.Equal(t, fault.BadInput, fault.ClassOf(err))
			assert.NotContains(t, err.Error(), "not a key")
		})
	}
	_, err := Resolve(oneNode(), "north")
	require.ErrorContains(t, err, `no cluster "north"`)
}

// TestStandInsGiveTheSameMaskedConfig: what is printed masked must not depend
// on whether the secrets can be read.
func TestStandInsGiveTheSameMaskedConfig(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			s := g.start()
			g.edit(&s, &s.Clusters[0])
			standIns, err := StandIns(s, "west")
			require.NoError(t, err)
			masked, err := Build(s, "west", standIns)
			require.NoError(t, err)
			full, err := Build(s, "west", secretsOf(s))
			require.NoError(t, err)
			assert.Equal(t, string(full.Redacted()), string(masked.Redacted()))
		})
	}
}
