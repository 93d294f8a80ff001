package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/secret"
)

const configSite = `apiVersion: acpflow/v1
name: moscow
scenario: single-node
platform:
  address: 192.0.2.11
  adminPassword: env:ACPFLOW_TEST_ADMIN
package:
  path: /srv/core.tar
  checksum: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  architecture: amd64
clusters:
  - name: west
    endpoint: {vip: 192.0.2.11}
    kubernetes: {version: v1.32.6, containerRuntime: "containerd://1.7.27-4"}
    ssh: {password: "env:ACPFLOW_TEST_SSH", knownHosts: /etc/acpflow/known_hosts}
    nodes:
      - {name: m1, address: 192.0.2.11, role: control-plane}
`

// runCommand runs the CLI in this process.
func runCommand(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut bytes.Buffer
	root := newRootCmd()
	root.SetOut(&out)
	root.SetErr(&errOut)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		errOut.WriteString(err.Error())
	}
	return out.String(), errOut.String(), exitCode(err)
}

func siteFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "moscow.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestInstallerConfigMasksWithoutReadingSecrets(t *testing.T) {
	out, stderr, code := runCommand(t, "installer-config", "--site", siteFile(t, configSite), "--cluster", "west")
	require.Zero(t, code, stderr)
	var body struct {
		Basic struct{ Username, Password string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &body))
	assert.Equal(t, "admin", body.Basic.Username)
	assert.Equal(t, secret.Mask, body.Basic.Password)
}

func TestInstallerConfigRevealsOnRequest(t *testing.T) {
	path := siteFile(t, configSite)
	_, stderr, code := runCommand(t, "installer-config", "--site", path, "--reveal-secrets")
	assert.Equal(t, exitBadInput, code, "the secrets are out of reach")
	assert.Contains(t, stderr, "env:ACPFLOW_TEST_ADMIN")

	t.Setenv("ACPFLOW_TEST_ADMIN", "admin-password-value")
	t.Setenv("ACPFLOW_TEST_SSH", "ssh-password-value")
	out, stderr, code := runCommand(t, "installer-config", "--site", path, "--reveal-secrets")
	require.Zero(t, code, stderr)
	assert.Contains(t, out, base64.StdEncoding.EncodeToString([]byte("admin-password-value")))
	assert.Contains(t, out, base64.StdEncoding.EncodeToString([]byte("ssh-password-value")))
}

func TestInstallerConfigRefuses(t *testing.T) {
	path := siteFile(t, configSite)
	_, stderr, code := runCommand(t, "installer-config", "--site", path, "--cluster", "east")
	assert.Equal(t, exitBadInput, code)
	assert.Contains(t, stderr, "use one of: west")
	_, _, code = runCommand(t, "installer-config")
	assert.Equal(t, exitBadInput, code, "--site is missing")
}
