package corepkg

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
)

// Entry reads one file out of the package and the whole package once, because
// nothing of it may be used before its checksum ("sha256:<hex>" or "md5:<hex>")
// has been proven. limit is the most the file may hold, in bytes. Errors are
// those of Inspect; an entry that is not there, or too long, is fault.Corrupt.
func Entry(ctx context.Context, file, name, checksum string, limit int64, progress func(done, total int64)) ([]byte, error) {
	const op = "read the Core Package"
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.New(fault.BadInput, "open the Core Package", file, "put the package where the worker runs, or correct package.path of the site", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fault.New(fault.Internal, op, file, "", err)
	}
	in := newSource(ctx, f, info.Size(), progress)
	content, missing := pick(bufio.NewReaderSize(in, blockSize), name, limit)
	rest := in.drain()
	sha, md := in.sums()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case rest != nil:
		return nil, fault.New(fault.Internal, op, file, "check the disk of the worker", rest)
	}
	kind, want, _ := strings.Cut(checksum, ":")
	have := map[string]string{"sha256": sha, "md5": md}[kind]
	if have == "" || !strings.EqualFold(have, want) {
		return nil, fault.New(fault.Corrupt, "verify the Core Package", file, "download the package again, or correct package.checksum of the site",
			fmt.Errorf("its %s is %s, the site document says %s", kind, have, want))
	}
	if missing != nil {
		return nil, fault.New(fault.Corrupt, op, file, "is this the Core Package? correct package.path of the site", missing)
	}
	return content, nil
}

// pick returns the content of the named file of an archive.
func pick(in *bufio.Reader, name string, limit int64) ([]byte, error) {
	stream, err := unpacked(in)
	if err != nil {
		return nil, err
	}
	archive := tar.NewReader(stream)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("it has no %s", name)
		}
		if err != nil {
			return nil, err
		}
		if path.Clean(header.Name) != name || header.Typeflag != tar.TypeReg {
			continue
		}
		if header.Size > limit {
			return nil, fmt.Errorf("%s has %d bytes, more than %d", name, header.Size, limit)
		}
		return io.ReadAll(io.LimitReader(archive, limit))
	}
}
