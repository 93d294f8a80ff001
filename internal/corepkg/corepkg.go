// Package corepkg reads a vendor's Core Package once, as a stream: checksums,
// required entries, the architectures of the programs inside, and the room it
// takes when extracted. The package carries no published manifest, so the ELF
// headers of its files say what it was built for.
package corepkg

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/md5" //nolint:gosec // the vendor publishes md5 sums (CHK-20)
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
)

// Required are the entries without which the runbook can't go on (vendor
// interface, package layout).
var Required = []string{"installer/setup.sh", "res/init.sh"}

// Info is what one pass over the package found.
type Info struct {
	Path           string
	Size           int64 // bytes of the file
	SHA256, MD5    string
	Architecture   string   // amd64, arm64, hybrid; "" = no program inside
	ExtractedBytes int64    // sum of the files inside
	Missing        []string // of Required
}

// Inspect reads the package. progress may be nil. Errors: fault.BadInput (no
// such file), fault.Corrupt (not a complete tar, or entries that leave the
// folder).
func Inspect(ctx context.Context, file string, progress func(done, total int64)) (Info, error) {
	f, err := os.Open(file)
	if err != nil {
		return Info{}, fault.New(fault.BadInput, "open the Core Package", file, "put the package where the worker runs, or correct package.path of the site", err)
	}
	defer func() { _ = f.Close() }()
	stat, err := f.Stat()
	if err != nil {
		return Info{}, fault.New(fault.Internal, "read the Core Package", file, "", err)
	}
	if !stat.Mode().IsRegular() {
		return Info{}, fault.New(fault.BadInput, "read the Core Package", file, "name the package file", errors.New("it is not a regular file"))
	}
	s := &scan{ctx: ctx, info: Info{Path: file, Size: stat.Size()}, sha: sha256.New(), md5: md5.New(), progress: progress} //nolint:gosec // see import
	in := bufio.NewReaderSize(s.tee(f), 1<<20)
	entriesErr := s.entries(in)
	if _, err := io.Copy(io.Discard, in); err != nil { // the checksum covers the whole file, also behind the tar's end
		return Info{}, fault.New(fault.Internal, "read the Core Package", file, "", err)
	}
	s.info.SHA256, s.info.MD5 = hex.EncodeToString(s.sha.Sum(nil)), hex.EncodeToString(s.md5.Sum(nil))
	s.info.Architecture = s.architecture()
	for _, name := range Required {
		if !s.seen[name] {
			s.info.Missing = append(s.info.Missing, name)
		}
	}
	if entriesErr != nil && ctx.Err() == nil {
		return s.info, fault.New(fault.Corrupt, "read the Core Package", file, "download the package again and compare its checksum", fmt.Errorf("sha256 %.16s…: %w", s.info.SHA256, entriesErr))
	}
	return s.info, ctx.Err()
}

// scan is one pass.
type scan struct {
	ctx      context.Context
	info     Info
	sha, md5 hash.Hash
	done     int64
	progress func(done, total int64)
	seen     map[string]bool
	arches   []string
}

// tee hashes and counts everything that is read of r.
func (s *scan) tee(r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := s.ctx.Err(); err != nil {
			return 0, err
		}
		n, err := r.Read(p)
		_, _ = s.sha.Write(p[:n]) // hashes never fail
		_, _ = s.md5.Write(p[:n])
		s.done += int64(n)
		if s.progress != nil {
			s.progress(s.done, s.info.Size)
		}
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (s *scan) entries(in *bufio.Reader) error {
	s.seen = map[string]bool{}
	var stream io.Reader = in
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		stream = unzipped
	}
	archive := tar.NewReader(stream)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.entry(header, archive); err != nil {
			return err
		}
	}
}

func (s *scan) entry(h *tar.Header, content io.Reader) error {
	name := path.Clean(strings.TrimPrefix(h.Name, "./"))
	if path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") {
		return fmt.Errorf("entry %q leaves the package's folder", h.Name)
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	s.seen[name] = true
	s.info.ExtractedBytes += h.Size
	head := make([]byte, 20)
	if n, err := io.ReadFull(content, head); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		if arch := elfArchitecture(head[:n]); arch != "" && !slices.Contains(s.arches, arch) {
			s.arches = append(s.arches, arch)
		}
	}
	return nil
}

// elfArchitecture reads e_machine of a 64-bit little-endian ELF header.
func elfArchitecture(head []byte) string {
	if len(head) < 20 || string(head[:4]) != "\x7fELF" || head[4] != 2 || head[5] != 1 {
		return ""
	}
	switch uint16(head[18]) | uint16(head[19])<<8 {
	case 0x3e:
		return "amd64"
	case 0xb7:
		return "arm64"
	}
	return ""
}

func (s *scan) architecture() string {
	switch len(s.arches) {
	case 0:
		return ""
	case 1:
		return s.arches[0]
	}
	return "hybrid"
}
