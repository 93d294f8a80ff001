package corepkg

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const diskBlock = 4096 // bytes, the usual block of ext4 and xfs

// contents is what the archive holds.
type contents struct {
	files    int
	bytes    int64 // in whole disk blocks
	found    map[string]bool
	links    map[string]bool // symbolic links, by clean name
	programs []string        // architectures of ELF programs
	images   []string        // architectures of container images
}

// scan reads an archive, plain or gzipped, to its end. The contents are what
// was seen before the error.
func scan(in *bufio.Reader) (*contents, error) {
	c := &contents{found: map[string]bool{}, links: map[string]bool{}}
	stream, err := unpacked(in)
	if err != nil {
		return c, err
	}
	counted := &counter{Reader: stream}
	archive := tar.NewReader(counted)
	var before int64 // where the last entry's content ended
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c, err
		}
		if err := c.entry(header, archive); err != nil {
			return c, err
		}
		before = counted.n
	}
	// Go's reader takes a missing end mark (two zero blocks) for the end, but
	// that is what a copy cut between two entries looks like. Before the mark
	// there is at most the padding of the last entry, less than a block.
	if counted.n-before < 2*512 {
		return c, fmt.Errorf("the archive has no end mark after %d files: %w", c.files, io.ErrUnexpectedEOF)
	}
	_, err = io.Copy(io.Discard, stream) // gzip's own checksum comes last
	return c, err
}

// unpacked recognises the compression by its magic bytes.
func unpacked(in *bufio.Reader) (io.Reader, error) {
	magic, _ := in.Peek(6)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return gzip.NewReader(in)
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")), bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}), bytes.HasPrefix(magic, []byte("BZh")):
		return nil, errors.New("it is compressed with xz, zstd or bzip2; a Core Package is a plain or gzipped tar")
	}
	return in, nil
}

func (c *contents) entry(h *tar.Header, content io.Reader) error {
	name, err := c.inside(h.Name)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		c.links[name] = true
	case tar.TypeLink:
		if _, err := c.inside(h.Linkname); err != nil {
			return fmt.Errorf("hard link %q: %w", h.Name, err)
		}
	case tar.TypeReg:
		c.files++
		c.bytes += (h.Size + diskBlock - 1) / diskBlock * diskBlock
		if slices.Contains(Required, name) && h.Size > 0 {
			c.found[name] = true
		}
		return c.look(h.Size, content)
	}
	return nil
}

// inside cleans an entry's name and refuses one that tar, as root, would write
// outside the package's folder: directly, or through a link of the archive.
func (c *contents) inside(entry string) (string, error) {
	name := path.Clean(entry)
	if !filepath.IsLocal(name) || strings.HasPrefix(entry, "/") {
		return "", fmt.Errorf("entry %q leaves the package's folder", entry)
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if c.links[dir] {
			return "", fmt.Errorf("entry %q lies behind the link %q of the same archive", entry, dir)
		}
	}
	return name, nil
}

func (c *contents) missing() []string {
	var out []string
	for _, name := range Required {
		if !c.found[name] {
			out = append(out, name)
		}
	}
	return out
}

// counter counts the bytes that are read through it.
type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}
