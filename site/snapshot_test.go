package site

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSnapshotRoundTrip: what a run reads back from history is what was
// validated.
func TestSnapshotRoundTrip(t *testing.T) {
	for _, pair := range []bool{false, true} {
		before, err := NewSnapshot(parsedExample(t, pair))
		require.NoError(t, err)
		raw, err := json.Marshal(before)
		require.NoError(t, err)
		var after Snapshot
		require.NoError(t, json.Unmarshal(raw, &after))
		assert.Equal(t, before, after)
		assert.Empty(t, Validate(&after.Site, Material{}).Issues)
		again, err := NewSnapshot(&after.Site)
		require.NoError(t, err)
		assert.Equal(t, before.SHA256, again.SHA256)
	}
}

// TestWrittenDocumentsReadBack: tools may write documents from the types, in
// YAML or JSON, which is YAML as well.
func TestWrittenDocumentsReadBack(t *testing.T) {
	for _, write := range []func(any) ([]byte, error){yaml.Marshal, json.Marshal} {
		before, err := NewSnapshot(parsedExample(t, true))
		require.NoError(t, err)
		raw, err := write(before.Site)
		require.NoError(t, err)
		s, err := Parse("written", raw)
		require.NoError(t, err)
		after, err := NewSnapshot(s)
		require.NoError(t, err)
		assert.Equal(t, before, after)
	}
}

// TestDigest: it is of the resolved document, so that writing a default out
// does not change it, and every real change does.
func TestDigest(t *testing.T) {
	digest := func(change func(*Site)) string {
		s := parsedExample(t, false)
		change(s)
		Default(s)
		snapshot, err := NewSnapshot(s)
		require.NoError(t, err)
		return snapshot.SHA256
	}
	plain := digest(func(*Site) {})
	assert.Equal(t, plain, digest(func(s *Site) { s.Platform.AdminUser, s.Clusters[0].Network.PodCIDRs = "", nil }))
	assert.NotEqual(t, plain, digest(func(s *Site) { s.Clusters[0].Nodes[4].Address = "192.0.2.23" }))
	assert.NotEqual(t, plain, digest(func(s *Site) { s.Platform.AdminPassword = "env:OTHER" }))
}

func TestCanonical(t *testing.T) {
	s := &Site{Name: "a<b>&ü", Platform: Platform{Address: "x"}}
	out, err := Canonical(s)
	require.NoError(t, err)
	assert.Equal(t, `{"apiVersion":"","clusters":null,"dr":{},"name":"a<b>&ü","package":{"architecture":"","checksum":"","path":""},"platform":{"address":"x","adminPassword":""},"policy":{},"registry":{}}`, string(out))
	snapshot, err := NewSnapshot(s)
	require.NoError(t, err)
	sum := sha256.Sum256(out)
	assert.Equal(t, hex.EncodeToString(sum[:]), snapshot.SHA256)
}

func TestRefs(t *testing.T) {
	s := parsedExample(t, true)
	assert.Equal(t, []Ref{
		"file:/etc/acpflow/tls/acp.example.com.pem", "file:/etc/acpflow/tls/acp.example.com.key",
		"file:/etc/acpflow/secrets/admin-password", "file:/etc/acpflow/secrets/registry-password", "file:/etc/acpflow/secrets/tsig.key", "file:/etc/acpflow/secrets/payments.kubeconfig",
		"file:/etc/acpflow/ssh/id_ed25519",
	}, s.Refs())
}
