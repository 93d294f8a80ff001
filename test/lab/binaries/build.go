package binaries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/test/gobuild"
)

// build compiles the multi-call binary once per key and links the components
// to it. The key covers all that shapes the result.
func build(ctx context.Context, o Options) (string, error) {
	src, err := sourceDir()
	if err != nil {
		return "", err
	}
	key, err := buildKey(ctx, src)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(o.Cache, "controlplane-"+key)
	if complete(dir) {
		return dir, nil
	}
	return publish(dir, func(tmp string) error {
		if err := compile(ctx, src, filepath.Join(tmp, multicall), o.Log); err != nil {
			return err
		}
		for _, name := range Components {
			if err := os.Symlink(multicall, filepath.Join(tmp, name)); err != nil {
				return fault.New(fault.Internal, "link component", name, "", err)
			}
		}
		return nil
	})
}

func compile(ctx context.Context, src, out string, log io.Writer) error {
	version, err := kubernetesVersion(src)
	if err != nil {
		return err
	}
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	const pkg = "k8s.io/component-base/version."
	flags := fmt.Sprintf("-s -w -X %sgitVersion=%s -X %sgitMajor=%s -X %sgitMinor=%s", pkg, version, pkg, major, pkg, minor)
	return gobuild.Compile(ctx, gobuild.Program{
		Name: "control plane (Kubernetes " + version + ", etcd, kwok)", Dir: src, Log: log,
		Takes: "about 10 minutes cold, half a minute warm", Flags: []string{"-ldflags", flags},
	}, out)
}

// buildKey names a build by its inputs: module files, program, Go release.
func buildKey(ctx context.Context, src string) (string, error) {
	goenv, err := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOOS", "GOARCH").Output()
	if err != nil {
		return "", fault.New(fault.Internal, "ask Go for its version", "", "install Go and put it in PATH", err)
	}
	sum := sha256.New()
	sum.Write(goenv)
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		data, err := os.ReadFile(filepath.Join(src, name))
		if err != nil {
			return "", fault.New(fault.Internal, "read control plane sources", filepath.Join(src, name), "", err)
		}
		sum.Write(data)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

// fingerprint names installed programs by path, size and time of change.
func fingerprint(found map[string]string) (string, error) {
	sum := sha256.New()
	for _, name := range Components {
		info, err := os.Stat(found[name])
		if err != nil {
			return "", fault.New(fault.Internal, "look at program", found[name], "", err)
		}
		fmt.Fprintln(sum, found[name], info.Size(), info.ModTime().UnixNano())
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

var required = regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes (v\S+)$`)

// kubernetesVersion reads the release from the module file; a program built
// from modules does not know its own version otherwise.
func kubernetesVersion(src string) (string, error) {
	data, err := os.ReadFile(filepath.Join(src, "go.mod"))
	if err != nil {
		return "", fault.New(fault.Internal, "read control plane module", src, "", err)
	}
	m := required.FindSubmatch(data)
	if m == nil {
		return "", fault.New(fault.Internal, "find the Kubernetes release", filepath.Join(src, "go.mod"), "", nil)
	}
	return string(m[1]), nil
}
