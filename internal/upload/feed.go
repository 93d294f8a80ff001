package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// errChanged says that the local file is not the one the upload began with.
var errChanged = errors.New("the local file changed during the upload")

// feeder is the stdin of a writing channel: headers, data and "ok" of block
// after block, taken from the common list until it is empty.
type feeder struct {
	ctx    context.Context
	file   io.ReaderAt
	blocks *blocks
	words  []byte // header or trailer still to be given
	off    int64
	left   int64
}

// Read implements io.Reader. Data goes straight from the file into p.
func (f *feeder) Read(p []byte) (int, error) {
	if len(f.words) == 0 && f.left == 0 {
		select {
		case <-f.blocks.gate:
		case <-f.ctx.Done():
			return 0, f.ctx.Err()
		}
		b, ok := f.blocks.take()
		if !ok {
			return 0, io.EOF
		}
		f.off, f.left = b.off, b.size
		f.words = fmt.Appendf(nil, "%d %d\n", b.off, b.size)
	}
	if len(f.words) > 0 {
		n := copy(p, f.words)
		f.words = f.words[n:]
		return n, nil
	}
	n, err := f.file.ReadAt(p[:min(int64(len(p)), f.left)], f.off)
	if n == 0 {
		if errors.Is(err, io.EOF) {
			err = errChanged
		}
		return 0, err
	}
	f.off += int64(n)
	f.left -= int64(n)
	f.blocks.count(n)
	if f.left == 0 {
		f.words = []byte("ok\n")
	}
	return n, nil
}

// acks is the stdout of a writing channel: one offset per finished block.
type acks struct {
	blocks *blocks
	buf    []byte
}

// Write implements io.Writer.
func (a *acks) Write(p []byte) (int, error) {
	a.buf = append(a.buf, p...)
	for {
		line, rest, ok := bytes.Cut(a.buf, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		off, err := strconv.ParseInt(string(line), 10, 64)
		if err == nil {
			err = a.blocks.confirm(off)
		}
		if err != nil {
			return 0, err
		}
		a.buf = append(a.buf[:0], rest...)
	}
}

// ranges is the stdin of the hasher: what is complete from the start of the
// file, as it grows, until everything is.
type ranges struct {
	ctx    context.Context
	blocks *blocks
	upTo   int64
	line   []byte
}

// Read implements io.Reader.
func (r *ranges) Read(p []byte) (int, error) {
	select {
	case <-r.blocks.gate:
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
	for len(r.line) == 0 {
		upTo, all, grown := r.blocks.ready()
		switch {
		case upTo > r.upTo:
			r.line = fmt.Appendf(nil, "%d %d\n", r.upTo, upTo-r.upTo)
			r.upTo = upTo
		case all:
			return 0, io.EOF
		default:
			select {
			case <-grown:
			case <-r.ctx.Done():
				return 0, r.ctx.Err()
			}
		}
	}
	n := copy(p, r.line)
	r.line = r.line[n:]
	return n, nil
}

// unchanged compares the open file, and what its name now leads to, with how
// it was.
func unchanged(file *os.File, was os.FileInfo) error {
	open, err := file.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(file.Name())
	if err != nil {
		return err
	}
	for _, now := range []os.FileInfo{open, named} {
		if now.Size() != was.Size() || !now.ModTime().Equal(was.ModTime()) || !os.SameFile(now, was) {
			return errChanged
		}
	}
	return nil
}
