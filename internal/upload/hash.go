package upload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"sync"

	"github.com/acpflow/acpflow/internal/fault"
)

// hashed is a digest and the file it belongs to.
type hashed struct {
	info   os.FileInfo
	digest string
}

// known caches digests by path for the life of the process; size, time of
// change and inode tell whether one still holds.
var known sync.Map

// HashFile returns the SHA-256 of a local file in hex. progress (nil allowed)
// gets bytes done and in all. A file that was not touched since the last call
// is not read again. Errors: fault.BadInput, or ctx's.
func HashFile(ctx context.Context, path string, progress func(done, total int64)) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", unreadable(path, err)
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return "", unreadable(path, err)
	}
	if v, ok := known.Load(path); ok {
		if h := v.(hashed); h.info.Size() == info.Size() && h.info.ModTime().Equal(info.ModTime()) && os.SameFile(h.info, info) {
			return h.digest, nil
		}
	}
	digest, err := hashStream(ctx, file, info.Size(), progress)
	if err != nil {
		return "", err
	}
	if err := unchanged(file, info); err != nil {
		return "", changed(path, err)
	}
	known.Store(path, hashed{info, digest})
	return digest, nil
}

func hashStream(ctx context.Context, file io.Reader, total int64, progress func(done, total int64)) (string, error) {
	sum := sha256.New()
	buf := make([]byte, 1<<20)
	for done := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := file.Read(buf)
		_, _ = sum.Write(buf[:n]) // never fails
		done += int64(n)
		if progress != nil {
			progress(done, total)
		}
		if err == io.EOF {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}

func unreadable(path string, err error) error {
	return fault.New(fault.BadInput, "read file", path, "give a file that the worker can read", err)
}

func changed(path string, err error) error {
	return fault.New(fault.Corrupt, "upload", path, "leave the file alone while it is uploaded, then retry", err)
}
