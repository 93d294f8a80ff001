package corepackage

import (
	"context"
	"crypto/md5" //nolint:gosec // the package lists MD5 sums, as md5sum checks them
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
)

const layerMB = 32

// ballast adds an image set: random bytes, which no compression shortens, the
// same in every build.
func ballast(a *archive, sums *strings.Builder, arch string, megabytes int) error {
	random := rand.NewChaCha8(sha256.Sum256([]byte("core package images " + arch)))
	buffer := make([]byte, layerMB<<20)
	for n := 0; megabytes > 0; n++ {
		layer := buffer[:min(megabytes, layerMB)<<20]
		_, _ = random.Read(layer) // never fails
		name := fmt.Sprintf("res/images/%s/layer-%02d.bin", arch, n)
		if err := a.add("installer/"+name, 0o644, layer); err != nil {
			return err
		}
		fmt.Fprintf(sums, "%x  %s\n", md5.Sum(layer), name) //nolint:gosec // see above
		megabytes -= layerMB
	}
	return nil
}

// compile builds the installer for each architecture. The Go build cache makes
// the second time quick.
func compile(ctx context.Context, architectures []string, log io.Writer) (map[string][]byte, error) {
	_, file, _, ok := runtime.Caller(0)
	src := filepath.Join(filepath.Dir(filepath.Dir(file)), "installer")
	if _, err := os.Stat(filepath.Join(src, "main.go")); !ok || err != nil {
		return nil, fault.New(fault.Internal, "find the installer's sources", src,
			"run from a checkout of the repository, built without -trimpath", err)
	}
	dir, err := os.MkdirTemp("", "corepackage-")
	if err != nil {
		return nil, fault.New(fault.Internal, "create directory", os.TempDir(), "", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out := map[string][]byte{}
	for _, arch := range architectures {
		fmt.Fprintf(log, "core package: building the installer for %s\n", arch)
		program := filepath.Join(dir, arch)
		cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", program, ".")
		cmd.Dir = src
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=")
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fault.New(fault.Internal, "build the installer for "+arch, src, "install Go and put it in PATH",
				fmt.Errorf("%w: %s", err, strings.TrimSpace(string(text))))
		}
		if out[arch], err = os.ReadFile(program); err != nil {
			return nil, fault.New(fault.Internal, "read the installer", program, "", err)
		}
	}
	return out, nil
}
