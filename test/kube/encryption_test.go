package kube

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// keyFile writes an encryption configuration whose keys are "name", "fill" pairs.
func keyFile(t *testing.T, keys ...string) (path string, config encryption.Config) {
	t.Helper()
	text := "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers:\n  - aescbc:\n      keys:\n"
	for i := 0; i < len(keys); i += 2 {
		text += fmt.Sprintf("      - name: %s\n        secret: %s\n", keys[i], base64.StdEncoding.EncodeToString([]byte(strings.Repeat(keys[i+1], 32))))
	}
	config, err := encryption.Parse(secret.NewValue([]byte(text)), "test")
	require.NoError(t, err)
	return writeKeys(t, []byte(text)), config
}

func writeKeys(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "encryption.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

// TestKeysOfOneName shows on a real API server why the withdrawn text can't be
// followed as it was written (FAQ-02), and that the stages of a merge can.
func TestKeysOfOneName(t *testing.T) {
	a := startAPIServer(t)
	c := client(t, a, a.kubeconfig(t, "kubernetes-admin", "system:masters"))
	with := func(path string) {
		a.stop()
		a.stop = a.start("--encryption-provider-config=" + path)
	}
	ready := func() {
		t.Helper()
		eventually(t, 5*time.Minute, func(ctx context.Context) error { return c.Ready(ctx) })
	}
	standby, own := keyFile(t, "key1", "S")
	_, foreign := keyFile(t, "key1", "P")
	merged, _ := keyFile(t, "key1", "P", "key2", "S")
	with(standby)
	ready()
	const secrets = 40 // some of them are read as rubbish by chance, the others not at all
	for i := range secrets {
		apply(t, a, object{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": fmt.Sprintf("own-%d", i), "namespace": "default"}})
	}

	with(merged)
	eventually(t, 5*time.Minute, func(ctx context.Context) error { return c.Serving(ctx) })
	end := time.Now().Add(15 * time.Second)
	for time.Now().Before(end) {
		err := c.Ready(t.Context())
		require.True(t, fault.Is(err, fault.Protocol), "an API server that can't read its Secrets is never ready: %v", err)
		time.Sleep(time.Second)
	}
	_, failed, err := c.ReadableSecrets(t.Context())
	require.NoError(t, err)
	assert.Len(t, failed, 1, "the document's merged file makes the standby's own Secrets unreadable")

	plan, err := encryption.Plan(foreign, own)
	require.NoError(t, err)
	for _, stage := range plan.Standby {
		text, err := stage.Config.Marshal()
		require.NoError(t, err)
		with(writeKeys(t, text.Reveal()))
		ready()
		if stage.Rewrite {
			for i := range secrets {
				require.NoError(t, c.RewriteSecret(t.Context(), "default", fmt.Sprintf("own-%d", i)))
			}
		}
		read, failed, err := c.ReadableSecrets(t.Context())
		require.NoError(t, err, stage.Kind)
		assert.Empty(t, failed, stage.Kind)
		assert.GreaterOrEqual(t, read, secrets, stage.Kind)
	}
	assert.NoError(t, c.RewriteSecret(t.Context(), "default", "gone"), "one that is gone is fine")
}
