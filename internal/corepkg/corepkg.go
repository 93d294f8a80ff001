// Package corepkg reads a vendor's Core Package once, as a stream: checksums,
// required entries, the architectures of what is inside, and the room it takes
// when extracted. The package carries no published manifest, so the headers of
// its programs and images say what it was built for.
package corepkg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/acpflow/acpflow/internal/fault"
)

// Required are the entries without which the runbook can't go on (vendor
// interface, package layout).
var Required = []string{"installer/setup.sh", "res/init.sh"}

// Info is what one pass over the package found.
type Info struct {
	Path           string
	Size           int64    // bytes of the file
	SHA256, MD5    string   // hex, of the whole file
	Architecture   string   // amd64, arm64, hybrid; "" = nothing inside tells
	Files          int      // regular files inside
	ExtractedBytes int64    // what they take on a disk, in blocks of 4 KiB
	Missing        []string // of Required
}

const (
	inspecting = "read the Core Package"
	getAgain   = "download the package again and compare its checksum"
)

// Inspect reads the package. progress may be nil; it is called with bytes, up to
// once for each MiB read. Errors: fault.BadInput (no such file), fault.Corrupt
// (not a complete tar, or entries that leave its folder), fault.Conflict (the
// file changed meanwhile), fault.Internal (the disk does not read), or ctx's.
func Inspect(ctx context.Context, file string, progress func(done, total int64)) (Info, error) {
	f, err := os.Open(file)
	if err != nil {
		return Info{}, fault.New(fault.BadInput, "open the Core Package", file, "put the package where the worker runs, or correct package.path of the site", err)
	}
	defer func() { _ = f.Close() }()
	before, err := f.Stat()
	if err != nil {
		return Info{}, fault.New(fault.Internal, inspecting, file, "", err)
	}
	if !before.Mode().IsRegular() {
		return Info{}, fault.New(fault.BadInput, inspecting, file, "name the package file", errors.New("it is not a regular file"))
	}

	in := newSource(ctx, f, before.Size(), progress)
	contents, bad := scan(bufio.NewReaderSize(in, blockSize))
	rest := in.drain() // the checksum covers the whole file, also behind the archive's end
	sha, md := in.sums()
	switch {
	case ctx.Err() != nil:
		return Info{}, ctx.Err()
	case rest != nil:
		return Info{}, fault.New(fault.Internal, inspecting, file, "check the disk of the worker", rest)
	}
	after, err := os.Stat(file)
	if err != nil || !os.SameFile(before, after) || before.Size() != after.Size() || !before.ModTime().Equal(after.ModTime()) {
		return Info{}, fault.New(fault.Conflict, inspecting, file, "wait until the file is complete, then retry", errors.New("it changed while it was read"))
	}
	info := Info{
		Path: file, Size: before.Size(), SHA256: sha, MD5: md,
		Architecture: contents.architecture(), Files: contents.files, ExtractedBytes: contents.bytes, Missing: contents.missing(),
	}
	if bad != nil {
		return info, fault.New(fault.Corrupt, inspecting, file, getAgain, fmt.Errorf("sha256 %.16s…: %w", sha, bad))
	}
	return info, nil
}
