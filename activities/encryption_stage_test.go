package activities

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/secret"
)

// change runs the script as a control plane without a kube-apiserver does, with
// its files elsewhere. It returns what the file is then, what was called and what
// the script said.
func change(t *testing.T, have, want string, old bool) (file, called, said string, err error) {
	t.Helper()
	dir := t.TempDir()
	place := func(path, text string, mode os.FileMode) {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
	}
	place(encryption.Path, have, 0o600)
	place("/proc/stat", "btime 1\n", 0o600)
	for _, tool := range []string{"crictl", "systemctl"} {
		place("/bin/"+tool, "#!/bin/bash\necho "+tool+" $* >>"+dir+"/called\n", 0o700)
	}
	place("/bin/chown", "#!/bin/bash\n", 0o700) // who tests may not be root
	script := changeScript(secret.NewValue([]byte(want)), secret.NewValue([]byte(have)), old)
	for _, root := range []string{"/etc/kubernetes", "/var/lib/acpflow", "/proc"} {
		script = strings.ReplaceAll(script, root+"/", dir+root+"/")
	}
	path := filepath.Join(dir, "script")
	require.NoError(t, os.WriteFile(path, []byte(script), 0o600))
	cmd := exec.CommandContext(t.Context(), "bash", "--norc", "--noprofile", path)
	cmd.Env = []string{"PATH=" + dir + "/bin:" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader(want)
	out, err := cmd.CombinedOutput()
	now, readErr := os.ReadFile(filepath.Join(dir, encryption.Path))
	require.NoError(t, readErr)
	calls, readErr := os.ReadFile(filepath.Join(dir, "called"))
	if !os.IsNotExist(readErr) {
		require.NoError(t, readErr)
	}
	return string(now), string(calls), string(out), err
}

// The new file may be why no API server runs: then above all the old one must come
// back. A new file is for a node that works.
func TestOldKeysComeBackWhereNoServerRuns(t *testing.T) {
	file, called, said, err := change(t, "merged", "original", true)
	require.NoError(t, err, said)
	assert.Equal(t, "original", file)
	assert.Contains(t, called, "systemctl restart kubelet.service")
	assert.Contains(t, said, "the API server is restarted")

	file, called, said, err = change(t, "original", "merged", false)
	require.Error(t, err)
	assert.Contains(t, said, "no kube-apiserver runs on")
	assert.Equal(t, "original", file)
	assert.Empty(t, called)
}
