// Package corepackage writes the lab's stand-in for the vendor's Core Package:
// the same layout, scripts that are as strict, an installer that is real, and
// as much ballast as a test wants.
package corepackage

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/md5" //nolint:gosec // the vendor publishes MD5 sums
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/test/lab/installer/bundle"
)

// Architecture of a package (PKG-03).
type Architecture string

// The architectures a package can be built for.
const (
	AMD64  Architecture = "amd64"
	ARM64  Architecture = "arm64"
	Hybrid Architecture = "hybrid" // both image sets
)

func (a Architecture) sets() ([]string, error) {
	switch a {
	case AMD64, ARM64:
		return []string{string(a)}, nil
	case Hybrid:
		return []string{string(AMD64), string(ARM64)}, nil
	}
	return nil, fault.New(fault.BadInput, "build core package", "", "use amd64, arm64 or hybrid", fmt.Errorf("unknown architecture %q", a))
}

// DefaultPayloadMB is the ballast of each architecture's image set.
const DefaultPayloadMB = 128

// Options of Build.
type Options struct {
	Path         string       // the file to write, usually .tar
	Architecture Architecture // default AMD64
	PayloadMB    int          // ballast per architecture in MiB; 0 = DefaultPayloadMB
	Log          io.Writer    // progress lines; nil discards them
}

// Package is a package on disk.
type Package struct {
	Path         string       `json:"path"`
	Architecture Architecture `json:"architecture"`
	Size         int64        `json:"size"`   // bytes
	SHA256       string       `json:"sha256"` // hex
	MD5          string       `json:"md5"`    // hex
}

//go:embed scripts
var scripts embed.FS

// layout is where each script stands in the package.
var layout = []struct{ path, script string }{
	{"installer/setup.sh", "setup.sh"},
	{"installer/upgrade.sh", "upgrade.sh"},
	{"installer/res/packaged-scripts/for-upgrade/ensure-asm-template.sh", "ensure-asm-template.sh"},
	{"res/init.sh", "init.sh"},
}

// stamp is the time of every entry: two builds of the same inputs are equal.
var stamp = time.Date(2025, 9, 2, 0, 0, 0, 0, time.UTC)

// Build writes the package. The file appears under its name only when whole.
func Build(ctx context.Context, o Options) (Package, error) {
	if o.Architecture == "" {
		o.Architecture = AMD64
	}
	if o.PayloadMB == 0 {
		o.PayloadMB = DefaultPayloadMB
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	sets, err := o.Architecture.sets()
	if err != nil {
		return Package{}, err
	}
	programs, err := compile(ctx, sets, o.Log)
	if err != nil {
		return Package{}, err
	}
	p, err := write(o, sets, programs)
	if err != nil {
		return Package{}, fault.New(fault.Internal, "write core package", o.Path, "", err)
	}
	fmt.Fprintf(o.Log, "core package: %s, %s, %d MiB\n", p.Path, p.Architecture, p.Size>>20)
	return p, nil
}

func write(o Options, sets []string, programs map[string][]byte) (Package, error) {
	f, err := os.CreateTemp(filepath.Dir(o.Path), "."+filepath.Base(o.Path)+"-")
	if err != nil {
		return Package{}, err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already when all went well
	defer f.Close()
	sum, old := sha256.New(), md5.New() //nolint:gosec // see above
	out := bufio.NewWriterSize(f, 1<<20)
	archive := &archive{w: tar.NewWriter(io.MultiWriter(out, sum, old)), dirs: map[string]bool{}}
	if err := fill(archive, o, sets, programs); err != nil {
		return Package{}, err
	}
	if err := archive.w.Close(); err != nil {
		return Package{}, err
	}
	if err := out.Flush(); err != nil {
		return Package{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return Package{}, err
	}
	if err := f.Chmod(0o644); err != nil {
		return Package{}, err
	}
	return Package{Path: o.Path, Architecture: o.Architecture, Size: info.Size(),
		SHA256: hex.EncodeToString(sum.Sum(nil)), MD5: hex.EncodeToString(old.Sum(nil))}, os.Rename(f.Name(), o.Path)
}

func fill(a *archive, o Options, sets []string, programs map[string][]byte) error {
	for _, l := range layout {
		data, err := scripts.ReadFile("scripts/" + l.script)
		if err != nil {
			return err
		}
		if err := a.add(l.path, 0o755, data); err != nil {
			return err
		}
	}
	description, err := json.MarshalIndent(bundle.New(sets), "", "  ")
	if err != nil {
		return err
	}
	if err := a.add("installer/"+bundle.File, 0o644, append(description, '\n')); err != nil {
		return err
	}
	var sums strings.Builder
	for _, arch := range sets {
		name := "bin/" + arch + "/minialauda"
		if err := a.add("installer/"+name, 0o755, programs[arch]); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(programs[arch]), name) //nolint:gosec // see above
		if err := ballast(a, &sums, arch, o.PayloadMB); err != nil {
			return err
		}
	}
	return a.add("installer/res/images.md5", 0o644, []byte(sums.String()))
}

// archive writes entries and the folders above them.
type archive struct {
	w    *tar.Writer
	dirs map[string]bool
}

func (a *archive) add(name string, mode int64, data []byte) error {
	if err := a.parents(name); err != nil {
		return err
	}
	if err := a.w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(data)), ModTime: stamp, Uname: "root", Gname: "root"}); err != nil {
		return err
	}
	_, err := a.w.Write(data)
	return err
}

func (a *archive) parents(name string) error {
	for i, r := range name {
		dir := name[:i] + "/"
		if r != '/' || a.dirs[dir] {
			continue
		}
		a.dirs[dir] = true
		if err := a.w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: stamp, Uname: "root", Gname: "root"}); err != nil {
			return err
		}
	}
	return nil
}
