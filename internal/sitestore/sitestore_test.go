package sitestore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// store is a folder with the site moscow and real secrets beside it.
type store struct{ dir, secrets string }

func newStore(t *testing.T) store {
	t.Helper()
	s := store{dir: t.TempDir(), secrets: t.TempDir()}
	cert, key := selfSigned(t, "acp.example.com", time.Now().AddDate(1, 0, 0))
	s.secret(t, "tls.pem", cert)
	s.secret(t, "tls.key", key)
	s.secret(t, "admin", "Admin-Pa55w0rd\n")
	s.secret(t, "ssh", "not looked into here\n")
	s.write(t, "moscow.yaml", s.document())
	return s
}

func (s store) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
}

func (s store) secret(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(s.secrets, name), []byte(text), 0o600))
}

// document is the example with references into the folder of secrets.
func (s store) document() string {
	return strings.NewReplacer(
		"file:/etc/acpflow/tls/acp.example.com.pem", "file:"+s.secrets+"/tls.pem",
		"file:/etc/acpflow/tls/acp.example.com.key", "file:"+s.secrets+"/tls.key",
		"file:/etc/acpflow/secrets/admin-password", "file:"+s.secrets+"/admin",
		"file:/etc/acpflow/ssh/id_ed25519", "file:"+s.secrets+"/ssh",
	).Replace(string(site.Example()))
}

func TestLoad(t *testing.T) {
	s := newStore(t)
	snapshot, err := Load(s.dir, "moscow")
	require.NoError(t, err)
	assert.Equal(t, "moscow", snapshot.Name)
	assert.Len(t, snapshot.SHA256, 64)
	assert.Equal(t, site.DefaultMaxPods, snapshot.Site.Clusters[0].Network.MaxPods)
	assert.Equal(t, secret.Mask, secret.Redact("Admin-Pa55w0rd"), "a loaded site's secrets are masked from then on")

	require.NoError(t, os.Rename(filepath.Join(s.dir, "moscow.yaml"), filepath.Join(s.dir, "moscow.yml")))
	again, err := Load(s.dir, "moscow")
	require.NoError(t, err)
	assert.Equal(t, snapshot, again)
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct {
		name, load string
		spoil      func(*testing.T, store)
		says       []string
	}{
		{"path", "../moscow", nil, []string{"can be no site name"}},
		{"hidden path", "moscow/../moscow", nil, []string{"can be no site name"}},
		{"no name", "", nil, []string{"can be no site name"}},
		{"upper case", "Moscow", nil, []string{"can be no site name"}},
		{"unknown site", "kazan", nil, []string{`no site "kazan"`, "name one of: moscow"}},
		{"name inside", "kazan", func(t *testing.T, s store) { s.write(t, "kazan.yaml", s.document()) }, []string{`"moscow"`, "rename"}},
		{"form", "moscow", func(t *testing.T, s store) { s.write(t, "moscow.yaml", "nmae: moscow\n") }, []string{"moscow.yaml:1:1", "DOC-02", `did you mean "name"`}},
		{"rule", "moscow", func(t *testing.T, s store) {
			s.write(t, "moscow.yaml", strings.ReplaceAll(s.document(), "192.0.2.12", "192.0.2.11"))
		}, []string{"API-10", "clusters[0].nodes[1].address", "acpflow site validate"}},
		{"secret not there", "moscow", func(t *testing.T, s store) { require.NoError(t, os.Remove(filepath.Join(s.secrets, "admin"))) },
			[]string{"DOC-07", "platform.adminPassword", "no such file"}},
		{"empty secret", "moscow", func(t *testing.T, s store) { s.secret(t, "admin", "\n") }, []string{"DOC-07", "empty"}},
		{"expired certificate", "moscow", func(t *testing.T, s store) {
			cert, key := selfSigned(t, "acp.example.com", time.Now().Add(-time.Hour))
			s.secret(t, "tls.pem", cert)
			s.secret(t, "tls.key", key)
		}, []string{"PAR-11", "expired"}},
		{"key of another certificate", "moscow", func(t *testing.T, s store) {
			_, key := selfSigned(t, "acp.example.com", time.Now().AddDate(1, 0, 0))
			s.secret(t, "tls.key", key)
		}, []string{"PAR-11", "platform.certificate.privateKey"}},
		{"folder", "moscow", func(t *testing.T, s store) { require.NoError(t, os.RemoveAll(s.dir)) }, []string{"ACPFLOW_SITES_DIR"}},
		{"directory for a file", "moscow", func(t *testing.T, s store) {
			require.NoError(t, os.Remove(filepath.Join(s.dir, "moscow.yaml")))
			require.NoError(t, os.Mkdir(filepath.Join(s.dir, "moscow.yaml"), 0o700))
		}, []string{"is a directory"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t)
			if c.spoil != nil {
				c.spoil(t, s)
			}
			snapshot, err := Load(s.dir, c.load)
			require.Error(t, err)
			assert.Equal(t, fault.BadInput, fault.ClassOf(err))
			assert.Zero(t, snapshot)
			for _, says := range c.says {
				assert.ErrorContains(t, err, says)
			}
		})
	}
}

// TestLoadWithValueForReference: the secret was typed into the document, and
// must not spread from there.
func TestLoadWithValueForReference(t *testing.T) {
	s := newStore(t)
	s.write(t, "moscow.yaml", strings.ReplaceAll(s.document(), "file:"+s.secrets+"/admin", "Typed-Pa55w0rd"))
	_, err := Load(s.dir, "moscow")
	require.ErrorContains(t, err, "DOC-07")
	assert.NotContains(t, err.Error(), "Typed-Pa55w0rd")
}

func TestList(t *testing.T) {
	s := newStore(t)
	s.write(t, "kazan.yml", "")
	s.write(t, "kazan.yaml", "")
	s.write(t, "README.md", "")
	s.write(t, "Not_a_name.yaml", "")
	names, err := List(s.dir)
	require.NoError(t, err)
	assert.Equal(t, []string{"kazan", "moscow"}, names)
}

func TestCheckFormReadsNoSecret(t *testing.T) {
	s, problems := CheckForm("moscow.yaml", site.Example(), time.Now())
	assert.NotNil(t, s)
	assert.Empty(t, problems.Issues)
	_, problems = Check("moscow.yaml", site.Example(), time.Now())
	assert.Equal(t, 4, problems.Errors(), "none of the example's secrets is there: %s", problems.Error())
}
