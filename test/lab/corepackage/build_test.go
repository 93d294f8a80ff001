package corepackage

import (
	"archive/tar"
	"bytes"
	"crypto/md5" //nolint:gosec // the package lists MD5 sums
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func build(t *testing.T, a Architecture, payload int) (Package, map[string][]byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "core.tar")
	p, err := Build(t.Context(), Options{Path: path, Architecture: a, PayloadMB: payload})
	require.NoError(t, err)
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	files := map[string][]byte{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return p, files
		}
		require.NoError(t, err)
		require.False(t, filepath.IsAbs(h.Name))
		if h.Typeflag == tar.TypeReg {
			files[h.Name], err = io.ReadAll(r)
			require.NoError(t, err)
		}
	}
}

func machineOf(t *testing.T, program []byte) elf.Machine {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(program))
	require.NoError(t, err)
	return f.Machine
}

func TestPackageHasTheVendorsLayout(t *testing.T) {
	p, files := build(t, AMD64, 33)
	for _, name := range []string{"installer/setup.sh", "installer/upgrade.sh", "res/init.sh",
		"installer/res/packaged-scripts/for-upgrade/ensure-asm-template.sh"} {
		require.Contains(t, files, name)
	}
	require.Equal(t, elf.EM_X86_64, machineOf(t, files["installer/bin/amd64/minialauda"]))
	require.NotContains(t, files, "installer/bin/arm64/minialauda")
	require.Len(t, files["installer/res/images/amd64/layer-00.bin"], 32<<20)
	require.Len(t, files["installer/res/images/amd64/layer-01.bin"], 1<<20)

	listed := 0
	for line := range strings.Lines(string(files["installer/res/images.md5"])) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		require.Equal(t, sum, fmt.Sprintf("%x", md5.Sum(files["installer/"+name])), name) //nolint:gosec // see above
		listed++
	}
	require.Equal(t, 3, listed)

	data, err := os.ReadFile(p.Path)
	require.NoError(t, err)
	sum := sha256.Sum256(data)
	require.Equal(t, hex.EncodeToString(sum[:]), p.SHA256)
	require.EqualValues(t, len(data), p.Size)
}

func TestPackagesOfOtherArchitectures(t *testing.T) {
	_, files := build(t, ARM64, 1)
	require.Equal(t, elf.EM_AARCH64, machineOf(t, files["installer/bin/arm64/minialauda"]))
	require.NotContains(t, files, "installer/bin/amd64/minialauda")
	_, files = build(t, Hybrid, 1)
	require.Equal(t, elf.EM_AARCH64, machineOf(t, files["installer/bin/arm64/minialauda"]))
	require.Equal(t, elf.EM_X86_64, machineOf(t, files["installer/bin/amd64/minialauda"]))
	_, err := Build(t.Context(), Options{Path: filepath.Join(t.TempDir(), "x"), Architecture: "sparc"})
	require.ErrorContains(t, err, "sparc")
}

func TestTwoBuildsAreEqual(t *testing.T) {
	a, _ := build(t, AMD64, 1)
	b, _ := build(t, AMD64, 1)
	require.Equal(t, a.SHA256, b.SHA256)
}

// The scripts refuse before they change anything, so they can be tried here.
func TestScriptsRefuse(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":         {[]string{"setup.sh", "--network-plugin", "calico"}, "unknown option '--network-plugin'"},
		"flag with equal sign": {[]string{"setup.sh", "--network-mode=flannel"}, "'flannel' is unknown"},
		"flag without value":   {[]string{"setup.sh", "--network-mode"}, "--network-mode: '' is unknown"},
		"address family":       {[]string{"setup.sh", "--ip-family", "ipv4"}, "'ipv4' is unknown"},
		"not root":             {[]string{"setup.sh", "--network-mode", "calico", "--ip-family=ipv6"}, "root rights are needed"},
		"upgrade flag":         {[]string{"upgrade.sh", "--sync"}, "unknown option '--sync'"},
		"upgrade not root":     {[]string{"upgrade.sh", "--only-sync-image=true"}, "root rights are needed"},
		"init not root":        {[]string{"init.sh"}, "root rights are needed"},
	} {
		t.Run(name, func(t *testing.T) {
			script, err := scripts.ReadFile("scripts/" + c.args[0])
			require.NoError(t, err)
			cmd := exec.Command("bash", append([]string{"-s", "--"}, c.args[1:]...)...)
			cmd.Stdin = bytes.NewReader(script)
			if os.Geteuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, 1, exit.ExitCode(), "%s", out)
			require.Contains(t, string(out), c.want)
		})
	}
}
