package corepkg

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
)

const (
	x86 = 0x3e
	arm = 0xb7
)

// program is the head of a 64-bit ELF executable.
func program(machine byte) string {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	head[16], head[18] = 2, machine
	return string(head)
}

func image(arch string) string {
	return `{"architecture":"` + arch + `","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}`
}

func file(name, content string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o755, PAXRecords: map[string]string{"TEST.content": content}}
}

// pack writes entries; a file's content travels in its header until here.
func pack(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range entries {
		content := h.PAXRecords["TEST.content"]
		h.PAXRecords = nil
		require.NoError(t, w.WriteHeader(&h))
		_, err := w.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(data)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return out.Bytes()
}

func saved(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "core.tar")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func scripts(more ...tar.Header) []tar.Header {
	return append([]tar.Header{file("./installer/setup.sh", "#!/bin/bash\n"), file("res/init.sh", "#!/bin/bash\n")}, more...)
}

func TestInspectFindsArchitectureInsidePlainAndZipped(t *testing.T) {
	object := []byte(program(arm))
	object[16] = 1 // a kernel module or BPF code
	cases := map[string]struct {
		inside []tar.Header
		want   string
	}{
		"amd64":                    {[]tar.Header{file("a", program(x86))}, "amd64"},
		"arm64":                    {[]tar.Header{file("a", program(arm))}, "arm64"},
		"hybrid":                   {[]tar.Header{file("a", program(x86)), file("b", program(arm))}, "hybrid"},
		"nothing tells":            {[]tar.Header{file("a", "plain text"), file("b", program(8)), file("c", "\x7fELF"), file("d", "{")}, ""},
		"object files don't count": {[]tar.Header{file("a", program(x86)), file("b", string(object))}, "amd64"},
		"images alone":             {[]tar.Header{file("blobs/a", image("arm64"))}, "arm64"},
		"images before programs":   {[]tar.Header{file("a", program(x86)), file("b", program(arm)), file("blobs/a", image("amd64"))}, "amd64"},
		"both image sets":          {[]tar.Header{file("blobs/a", image("amd64")), file("blobs/b", image("arm64")), file("c", program(x86))}, "hybrid"},
		"other JSON":               {[]tar.Header{file("a", `{"architecture":"arm64"}`), file("b", program(x86))}, "amd64"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			plain := pack(t, scripts(c.inside...)...)
			for _, data := range [][]byte{plain, zipped(t, plain)} {
				info, err := Inspect(t.Context(), saved(t, data), nil)
				require.NoError(t, err)
				assert.Equal(t, c.want, info.Architecture)
				assert.Empty(t, info.Missing)
				assert.Equal(t, len(c.inside)+2, info.Files)
				assert.Equal(t, int64(4096*info.Files), info.ExtractedBytes)
			}
		})
	}
}

func TestInspectSumsTheWholeFileAndReportsToItsEnd(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 5*blockSize/16+11)
	data := append(pack(t, scripts(file("payload", string(big)))...), make([]byte, 3*blockSize)...) // tar pads its last record
	var last, total int64
	info, err := Inspect(t.Context(), saved(t, data), func(done, all int64) {
		assert.Greater(t, done, last)
		last, total = done, all
	})
	require.NoError(t, err)
	sha, md := sha256.Sum256(data), md5.Sum(data)
	assert.Equal(t, hex.EncodeToString(sha[:]), info.SHA256)
	assert.Equal(t, hex.EncodeToString(md[:]), info.MD5)
	assert.Equal(t, int64(len(data)), info.Size)
	assert.Equal(t, []int64{info.Size, info.Size}, []int64{last, total})
}

func TestInspectNamesMissingEntries(t *testing.T) {
	folder := tar.Header{Name: "installer/setup.sh/", Typeflag: tar.TypeDir, Mode: 0o755}
	for _, wrong := range []tar.Header{file("other/installer/setup.sh", "x"), file("installer/setup.sh", ""), folder} {
		info, err := Inspect(t.Context(), saved(t, pack(t, file("res/init.sh", "x"), wrong)), nil)
		require.NoError(t, err)
		assert.Equal(t, []string{"installer/setup.sh"}, info.Missing)
	}
}

func TestInspectRefusesWhatIsNoFile(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "missing.tar"), t.TempDir(), os.DevNull} {
		_, err := Inspect(t.Context(), path, nil)
		require.Error(t, err)
		assert.Equal(t, fault.BadInput, fault.ClassOf(err), err)
	}
}

func TestInspectRefusesEntriesThatLeaveTheFolder(t *testing.T) {
	link := func(name, target string) tar.Header {
		return tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeSymlink}
	}
	cases := map[string][]tar.Header{
		"parent":            {file("../../etc/cron.d/x", "x")},
		"parent inside":     {file("res/../../x", "x")},
		"absolute":          {file("/etc/cron.d/x", "x")},
		"behind a link":     {link("res", "/etc"), file("res/x", "x")},
		"behind a far link": {link("./a/b", "../.."), file("a/b/c/d", "x")},
		"folder of links":   {link("a", "/"), {Name: "a/etc/", Typeflag: tar.TypeDir}},
		"hard link":         {{Name: "x", Linkname: "/etc/shadow", Typeflag: tar.TypeLink}},
		"hard link by link": {link("a", "/etc"), {Name: "x", Linkname: "a/shadow", Typeflag: tar.TypeLink}},
	}
	for name, entries := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Inspect(t.Context(), saved(t, pack(t, scripts(entries...)...)), nil)
			require.Error(t, err)
			assert.Equal(t, fault.Corrupt, fault.ClassOf(err), err)
		})
	}
	inside := scripts(link("lib", "/usr/lib"), link("res/current", "v1"), tar.Header{Name: "setup", Linkname: "installer/setup.sh", Typeflag: tar.TypeLink})
	_, err := Inspect(t.Context(), saved(t, pack(t, inside...)), nil)
	require.NoError(t, err, "a link alone writes nothing")
}

// Every way of losing the end of a file is found, also where one entry ends
// and the next would begin.
func TestInspectFindsCutFiles(t *testing.T) {
	whole := pack(t, scripts(file("program", program(x86)), file("zeros", string(make([]byte, 8192))))...)
	for cut := 1; cut < len(whole); cut += 127 {
		_, err := Inspect(t.Context(), saved(t, whole[:cut]), nil)
		require.Error(t, err, "cut to %d of %d bytes", cut, len(whole))
		assert.Equal(t, fault.Corrupt, fault.ClassOf(err), err)
	}
	for blocks := range len(whole) / 512 {
		_, err := Inspect(t.Context(), saved(t, whole[:blocks*512]), nil)
		require.Error(t, err, "cut after %d of %d blocks", blocks, len(whole)/512)
	}
	packed := zipped(t, whole)
	for cut := range packed {
		_, err := Inspect(t.Context(), saved(t, packed[:cut]), nil)
		require.Error(t, err, "gzip cut to %d of %d bytes", cut, len(packed))
	}
}

func TestInspectFindsCorruptFiles(t *testing.T) {
	whole := pack(t, scripts(file("program", program(x86)))...)
	header := bytes.Clone(whole)
	header[100] ^= 1 // the mode in the first header, guarded by its checksum
	packed := zipped(t, whole)
	checksum := bytes.Clone(packed)
	checksum[len(checksum)-6] ^= 1
	for name, data := range map[string][]byte{
		"header": header, "gzip checksum": checksum, "behind gzip": append(bytes.Clone(packed), "garbage"...),
		"web page": []byte("<html>404 not found</html>" + string(make([]byte, 2048))), "empty": nil, "xz": []byte("\xfd7zXZ\x00\x00\x04"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Inspect(t.Context(), saved(t, data), nil)
			require.Error(t, err)
			assert.Equal(t, fault.Corrupt, fault.ClassOf(err), err)
			assert.Contains(t, err.Error(), "Fix:")
		})
	}
}

func TestInspectNoticesAFileThatGrows(t *testing.T) {
	path := saved(t, pack(t, scripts(file("payload", string(make([]byte, 3*blockSize))))...))
	grown := false
	_, err := Inspect(t.Context(), path, func(int64, int64) {
		if !grown {
			grown = true
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if assert.NoError(t, err) {
				_, err = f.WriteString("more")
				assert.NoError(t, err)
				assert.NoError(t, f.Close())
			}
		}
	})
	require.Error(t, err)
	assert.Equal(t, fault.Conflict, fault.ClassOf(err), err)
}

func TestInspectStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var seen int64
	_, err := Inspect(ctx, saved(t, pack(t, scripts(file("payload", string(make([]byte, 9*blockSize))))...)), func(done, _ int64) {
		seen = done
		cancel()
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.LessOrEqual(t, seen, int64(blockSize))
}

// Whatever a file holds, reading it ends with contents or an error.
func FuzzScan(f *testing.F) {
	f.Add([]byte("\x1f\x8b"))
	f.Add(make([]byte, 1024))
	whole := pack(f, scripts(file("program", program(x86)), file("blobs/a", image("arm64")))...)
	f.Add(whole)
	f.Add(zipped(f, whole))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := scan(bufio.NewReader(bytes.NewReader(data)))
		if err == nil && c.files > 0 {
			assert.Greater(t, len(data), 20) // not even gzip makes an entry of less
		}
	})
}
