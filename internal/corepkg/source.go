package corepkg

import (
	"context"
	"crypto/md5" //nolint:gosec // the vendor publishes md5 sums (CHK-20)
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync"
	"sync/atomic"
)

// blockSize is how much is read and hashed at a time.
const blockSize = 1 << 20

// source reads the file and hashes what it gives. Each sum has a goroutine of
// its own: MD5 alone is slower than reading, unpacking and SHA-256 together.
type source struct {
	ctx      context.Context
	file     io.Reader
	done     int64
	total    int64
	progress func(done, total int64)
	failed   error // the first error of the file itself
	hashers  []*hasher
	blocks   sync.Pool
}

func newSource(ctx context.Context, file io.Reader, total int64, progress func(done, total int64)) *source {
	s := &source{ctx: ctx, file: file, total: total, progress: progress}
	for _, h := range []hash.Hash{sha256.New(), md5.New()} { //nolint:gosec // see import
		s.hashers = append(s.hashers, newHasher(h, &s.blocks))
	}
	return s
}

// Read reads from the file; errors other than its end are kept for drain.
func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.file.Read(p[:min(len(p), blockSize)])
	s.hash(p[:n])
	s.done += int64(n)
	if s.progress != nil && n > 0 {
		s.progress(s.done, s.total)
	}
	if err != nil && !errors.Is(err, io.EOF) && s.failed == nil {
		s.failed = err
	}
	return n, err
}

// hash hands a copy of p to every hasher.
func (s *source) hash(p []byte) {
	if len(p) == 0 {
		return
	}
	b, ok := s.blocks.Get().(*block)
	if !ok {
		b = &block{data: make([]byte, blockSize)}
	}
	b.n = copy(b.data, p)
	b.users.Store(int32(len(s.hashers)))
	for _, h := range s.hashers {
		h.in <- b
	}
}

// drain reads to the file's end and returns what went wrong with the file, if anything.
func (s *source) drain() error {
	p := make([]byte, blockSize)
	for s.failed == nil {
		if _, err := s.Read(p); err != nil {
			break // the end, or failed keeps it
		}
	}
	return s.failed
}

// sums ends the hashing and returns the SHA-256 and MD5 of all that was read.
func (s *source) sums() (sha, md string) {
	for _, h := range s.hashers {
		close(h.in)
		<-h.ended
	}
	return hex.EncodeToString(s.hashers[0].Sum(nil)), hex.EncodeToString(s.hashers[1].Sum(nil))
}

// block is data that several hashers read; it is reused when all are through.
type block struct {
	data  []byte
	n     int
	users atomic.Int32
}

// hasher hashes blocks in a goroutine of its own.
type hasher struct {
	hash.Hash
	in    chan *block
	ended chan struct{}
}

// ahead bounds how many blocks may wait for the slower hasher.
const ahead = 8

func newHasher(sum hash.Hash, used *sync.Pool) *hasher {
	h := &hasher{Hash: sum, in: make(chan *block, ahead), ended: make(chan struct{})}
	go func() {
		defer close(h.ended)
		for b := range h.in {
			_, _ = h.Write(b.data[:b.n]) // hashes never fail
			if b.users.Add(-1) == 0 {
				used.Put(b)
			}
		}
	}()
	return h
}
