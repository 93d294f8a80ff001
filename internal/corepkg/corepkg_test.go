package corepkg

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
)

func elf(machine byte) string {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	head[18] = machine
	return string(head)
}

func archive(t *testing.T, files map[string]string, zip bool) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, content := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o755}))
		_, err := w.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	if zip {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		_, err := z.Write(out.Bytes())
		require.NoError(t, err)
		require.NoError(t, z.Close())
		out = zipped
	}
	file := filepath.Join(t.TempDir(), "core.tar")
	require.NoError(t, os.WriteFile(file, out.Bytes(), 0o600))
	return file
}

func good(machines ...byte) map[string]string {
	files := map[string]string{"./installer/setup.sh": "#!/bin/bash\n", "res/init.sh": "#!/bin/bash\n"}
	for i, m := range machines {
		files[string(rune('a'+i))+"/program"] = elf(m)
	}
	return files
}

func TestInspectFindsArchitectureInsidePlainAndZipped(t *testing.T) {
	for want, machines := range map[string][]byte{"amd64": {0x3e}, "arm64": {0xb7}, "hybrid": {0x3e, 0xb7}, "": nil} {
		for _, zip := range []bool{false, true} {
			info, err := Inspect(t.Context(), archive(t, good(machines...), zip), nil)
			require.NoError(t, err)
			assert.Equal(t, want, info.Architecture)
			assert.Empty(t, info.Missing)
			assert.Equal(t, int64(2*12+64*len(machines)), info.ExtractedBytes)
		}
	}
}

func TestInspectReportsProgressToTheEnd(t *testing.T) {
	var last, total int64
	file := archive(t, good(0x3e), false)
	_, err := Inspect(t.Context(), file, func(done, all int64) { last, total = done, all })
	require.NoError(t, err)
	assert.Equal(t, total, last)
}

func TestInspectRefusesWhatIsNoPackage(t *testing.T) {
	_, err := Inspect(t.Context(), filepath.Join(t.TempDir(), "missing.tar"), nil)
	assert.True(t, fault.Is(err, fault.BadInput), err)
	_, err = Inspect(t.Context(), t.TempDir(), nil)
	assert.True(t, fault.Is(err, fault.BadInput), err)
	_, err = Inspect(t.Context(), archive(t, map[string]string{"../../etc/cron.d/x": "x"}, false), nil)
	assert.True(t, fault.Is(err, fault.Corrupt), err)
	for _, zip := range []bool{false, true} {
		file := archive(t, good(0x3e), zip)
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, data[:len(data)/3], 0o600))
		_, err = Inspect(t.Context(), file, nil)
		assert.True(t, fault.Is(err, fault.Corrupt), "truncated: %v", err)
	}
}

func TestInspectStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Inspect(ctx, archive(t, good(0x3e), false), nil)
	require.Error(t, err)
}

func TestAccept(t *testing.T) {
	amd := Info{SHA256: "ab", MD5: "cd", Architecture: "amd64"}
	hybrid := Info{SHA256: "ab", Architecture: "hybrid"}
	cases := map[string]struct {
		info   Info
		demand Demand
		class  fault.Class // "" = accepted
	}{
		"sha256":           {amd, Demand{Checksum: "sha256:AB", Architecture: "amd64", Machines: []string{"x86_64"}}, ""},
		"md5":              {amd, Demand{Checksum: "md5:cd", Architecture: "amd64"}, ""},
		"wrong sum":        {amd, Demand{Checksum: "sha256:ac", Architecture: "amd64"}, fault.Corrupt},
		"unknown sum":      {amd, Demand{Checksum: "crc:1", Architecture: "amd64"}, fault.Corrupt},
		"document differs": {amd, Demand{Checksum: "sha256:ab", Architecture: "arm64"}, fault.Architecture},
		"node differs":     {amd, Demand{Checksum: "sha256:ab", Architecture: "amd64", Machines: []string{"x86_64", "aarch64"}}, fault.Architecture},
		"unknown machine":  {hybrid, Demand{Checksum: "sha256:ab", Architecture: "hybrid", Machines: []string{"riscv64"}}, fault.Architecture},
		"hybrid fits all":  {hybrid, Demand{Checksum: "sha256:ab", Architecture: "hybrid", Machines: []string{"x86_64", "aarch64"}, Hybrid: true}, ""},
		"hybrid demanded":  {amd, Demand{Checksum: "sha256:ab", Architecture: "amd64", Hybrid: true}, fault.Architecture},
		"nothing inside":   {Info{SHA256: "ab"}, Demand{Checksum: "sha256:ab", Architecture: "amd64"}, fault.Architecture},
		"not the package":  {Info{SHA256: "ab", Architecture: "amd64", Missing: []string{"res/init.sh"}}, Demand{Checksum: "sha256:ab", Architecture: "amd64"}, fault.Corrupt},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.info.Accept(c.demand)
			if c.class == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Equal(t, c.class, fault.ClassOf(err), err)
			assert.Contains(t, err.Error(), "Fix:")
		})
	}
}
