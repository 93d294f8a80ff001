package corepkg

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
)

func TestEntryOfAProvenPackage(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range map[string]string{"./res/init.sh": "echo hello\n", "installer/setup.sh": "true\n"} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}))
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	file := filepath.Join(t.TempDir(), "core.tar")
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
	sum := sha256.Sum256(b.Bytes())
	checksum := "sha256:" + hex.EncodeToString(sum[:])

	content, err := Entry(t.Context(), file, "res/init.sh", checksum, 100, nil)
	require.NoError(t, err)
	assert.Equal(t, "echo hello\n", string(content))

	for name, c := range map[string]struct {
		file, entry, checksum string
		limit                 int64
		class                 fault.Class
		text                  string
	}{
		"another checksum": {file, "res/init.sh", "sha256:00", 100, fault.Corrupt, "the site document says 00"},
		"no checksum":      {file, "res/init.sh", "", 100, fault.Corrupt, "the site document says"},
		"no such entry":    {file, "res/other.sh", checksum, 100, fault.Corrupt, "it has no res/other.sh"},
		"too long":         {file, "res/init.sh", checksum, 3, fault.Corrupt, "more than 3"},
		"no such file":     {file + "x", "res/init.sh", checksum, 100, fault.BadInput, "package.path"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Entry(t.Context(), c.file, c.entry, c.checksum, c.limit, nil)
			require.ErrorContains(t, err, c.text)
			assert.Equal(t, c.class, fault.ClassOf(err))
		})
	}
}
