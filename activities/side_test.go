package activities

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func pemOf(t *testing.T, end time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: end}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

// The script runs here as it does on a control plane, with its files elsewhere.
func TestControlPlaneIsRead(t *testing.T) {
	dir := t.TempDir()
	end := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "pki"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pki/apiserver.crt"), []byte(pemOf(t, end)), 0o600))
	config := "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers:\n" +
		"  - aescbc: {keys: [{name: key1, secret: UFBQUFBQUFBQUFBQUFBQUA==}]}\n  - identity: {}\n"
	file := filepath.Join(dir, "encryption-provider.conf")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o644))
	run := func() string {
		cmd := exec.Command("bash", "--norc", "--noprofile", "-s")
		cmd.Stdin = strings.NewReader(strings.ReplaceAll(readControlPlane, "/etc/kubernetes", dir))
		out, err := cmd.Output()
		require.NoError(t, err)
		return string(out)
	}
	answer := run()
	now, err := clockOf(answer)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), now, 10*time.Second)
	keys, certificates := readSide("m1", answer, "")
	assert.Empty(t, keys.Fault)
	assert.Equal(t, "0644", keys.Mode)
	assert.Contains(t, strings.Join(keys.Keys, " "), `"key1"=`)
	assert.NotContains(t, strings.Join(keys.Keys, " "), "UFBQ")
	require.Len(t, certificates, 3)
	assert.Equal(t, "apiserver of m1", certificates[0].Name)
	assert.Equal(t, end, certificates[0].NotAfter)
	assert.Contains(t, certificates[1].Fault, "no certificate there: cat: ")

	require.NoError(t, os.Remove(file))
	keys, _ = readSide("m1", run(), "")
	assert.True(t, keys.Absent)
	require.NoError(t, os.Mkdir(file, 0o700))
	keys, _ = readSide("m1", run(), "")
	assert.Contains(t, keys.Fault, "not understood")
}

func TestUnreadNodeIsKnownOfNothing(t *testing.T) {
	keys, certificates := readSide("m1", "", "no route")
	assert.Equal(t, "no route", keys.Fault)
	for _, c := range certificates {
		assert.Equal(t, "no route", c.Fault)
	}
	for _, bad := range []string{"", "now", "now x.y\n", "later 1.2\n", "now 1.2.3\n", "now 1e99\n"} {
		_, err := clockOf(bad)
		assert.Error(t, err, bad)
	}
}
