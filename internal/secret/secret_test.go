package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
)

func TestValueNeverPrints(t *testing.T) {
	v := NewValue([]byte("correct-horse"))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		assert.NotContains(t, fmt.Sprintf(verb, v), "horse", verb)
		assert.NotContains(t, fmt.Sprintf(verb, struct{ V Value }{v}), "horse", verb)
	}
	b, err := json.Marshal(map[string]Value{"p": v})
	require.NoError(t, err)
	assert.JSONEq(t, `{"p":"[redacted]"}`, string(b))
}

func TestRedactMasksRawAndBase64(t *testing.T) {
	const password = "s3cret pass=word"
	NewValue([]byte(password))
	coded := base64.StdEncoding.EncodeToString([]byte(password))
	assert.Equal(t, "a [redacted] b [redacted]", Redact("a "+password+" b "+coded))
}

func TestRedactMasksLinesOfAKey(t *testing.T) {
	NewValue([]byte("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n-----END KEY-----\n"))
	assert.Equal(t, "got [redacted]!", Redact("got MIIEvQIBADANBgkqhkiG9w0!"))
	assert.Equal(t, "-----BEGIN KEY-----", Redact("-----BEGIN KEY-----"))
}

func TestLongerSecretWinsOverItsPrefix(t *testing.T) {
	var r Redactor
	r.Add([]byte("abcd"))
	r.Add([]byte("abcdef"))
	assert.Equal(t, Mask, r.Redact("abcdef"))
}

func TestResolve(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("from-file\n"), 0o600))
	t.Setenv("ACPFLOW_TEST_SECRET", "from-env")
	for ref, want := range map[string]string{"env:ACPFLOW_TEST_SECRET": "from-env", "file:" + file: "from-file", "": ""} {
		v, err := Resolve(ref)
		require.NoError(t, err)
		assert.Equal(t, want, string(v.Reveal()))
	}
}

func TestResolveRefusesTheValueItselfWithoutShowingIt(t *testing.T) {
	for _, ref := range []string{"hunter2-plain", "vault:x", "env:ACPFLOW_NOT_SET", "file:/does/not/exist"} {
		_, err := Resolve(ref)
		require.Error(t, err)
		assert.True(t, fault.Is(err, fault.BadInput))
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestLoggerMasks(t *testing.T) {
	NewValue([]byte("log-secret-1"))
	var out bytes.Buffer
	NewLogger(&out, slog.LevelInfo, true).Info("connecting with log-secret-1", "password", "log-secret-1", "error", fmt.Errorf("bad log-secret-1"))
	assert.NotContains(t, out.String(), "log-secret-1")
	assert.Contains(t, out.String(), Mask)
}
