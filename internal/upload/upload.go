// Package upload brings big files onto nodes: several channels of one SSH
// connection write at offsets, a journal on the node lets any later attempt go
// on, and the SHA-256 is proven there before the file gets its name. The node
// needs bash 4.2, GNU coreutils, findutils and util-linux.
package upload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
)

// Defaults and bounds of Spec.
const (
	DefaultChannels = 7        // with control and hash 9 of the 10 sessions that sshd allows
	MaxChannels     = 8        //
	DefaultBlock    = 32 << 20 // bytes
	MinBlock        = 8 << 20  // sshd's window of 2 MiB must be well below
	MaxBlock        = 64 << 20 //
	DefaultStall    = 2 * time.Minute
)

// Spec says what goes where.
type Spec struct {
	Local      string // file on this machine
	Remote     string // absolute path on the node; its folder is made when missing
	SHA256     string // expected digest in hex; empty = that of the local file
	Sudo       bool
	Owner      string        // who uploads, for Remove; one word
	Mode       os.FileMode   // default 0600
	Channels   int           // 1…MaxChannels
	Block      int64         // bytes that a channel sends again after a crash, at most; an even number of MiB
	Stall      time.Duration // give up when nothing moves for so long
	Unverified bool          // don't compute the digest; for callers who check in another way
}

// Progress is where an upload stands, in bytes.
type Progress struct {
	Done    int64 // on the node for certain, Resumed included
	Sent    int64 // handed to the connection by this attempt
	Resumed int64 // found there from earlier attempts
	Total   int64
}

// Result is what an upload did.
type Result struct {
	Sent    int64  // bytes sent
	Skipped int64  // bytes that were there already
	SHA256  string // proven on the node; empty when Unverified
	Seconds float64
}

func (s *Spec) complete() error {
	if s.Channels == 0 {
		s.Channels = DefaultChannels
	}
	if s.Block == 0 {
		s.Block = DefaultBlock
	}
	if s.Stall == 0 {
		s.Stall = DefaultStall
	}
	if s.Mode == 0 {
		s.Mode = 0o600
	}
	if s.Owner == "" {
		s.Owner = "-"
	}
	s.SHA256 = strings.ToLower(s.SHA256)
	switch {
	case !path.IsAbs(s.Remote) || strings.HasSuffix(s.Remote, "/") || strings.ContainsAny(s.Remote, "\n\x00"):
		return s.bad("%q is no absolute path of a file", s.Remote)
	case s.Channels < 1 || s.Channels > MaxChannels:
		return s.bad("%d channels, 1 to %d are possible", s.Channels, MaxChannels)
	case s.Block < MinBlock || s.Block > MaxBlock || s.Block%(2<<20) != 0:
		return s.bad("a block of %d bytes, an even number of MiB from 8 to 64 is possible", s.Block)
	case strings.ContainsAny(s.Owner, " \n"):
		return s.bad("owner %q is not one word", s.Owner)
	}
	return nil
}

// step is what is written and journalled as a whole. Lost in a crash are, per
// channel, an unfinished step and what sshd's window held: less than Block.
// Small files get smaller steps, so that no channel is idle for long at the end.
func (s *Spec) step(size int64) int64 {
	fair := size / int64(8*s.Channels) >> 20 << 20
	return min(max(fair, 4<<20), s.Block/2)
}

func (s *Spec) bad(format string, args ...any) error {
	return fault.New(fault.BadInput, "upload", s.Remote, "", fmt.Errorf(format, args...))
}

// File uploads one file. A file that is there already (by its SHA-256) is not
// sent; blocks of an interrupted upload are not sent again. Of two attempts at
// the same file the later one goes on and the earlier one fails.
// progress (nil allowed) is called about twice a second.
// Errors: those of ssh.Client.Run; fault.Corrupt, DiskFull, Conflict, Stalled, BadInput.
func File(ctx context.Context, c *ssh.Client, spec Spec, progress func(Progress)) (Result, error) {
	start := time.Now()
	if err := spec.complete(); err != nil {
		return Result{}, err
	}
	file, err := os.Open(spec.Local)
	if err != nil {
		return Result{}, unreadable(spec.Local, err)
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return Result{}, unreadable(spec.Local, err)
	}
	a := &attempt{client: c, spec: spec, file: file, info: info, blocks: newBlocks(info.Size(), spec.step(info.Size()))}
	stop := a.report(progress)
	defer stop()
	result, err := a.run(ctx)
	result.Seconds = time.Since(start).Seconds()
	return result, err
}

// attempt is one call of File.
type attempt struct {
	client *ssh.Client
	spec   Spec
	file   *os.File
	info   os.FileInfo
	blocks *blocks
	token  string
}

func (a *attempt) run(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends hashLocal
	ctl := a.open(ctx)
	defer ctl.close()
	local := a.hashLocal(ctx)
	channels := a.prepare(ctx)
	there, err := ctl.begin(a, func(digest string) (bool, error) {
		want, err := local()
		return digest == want, err
	})
	if err != nil || there {
		channels.dismiss(err != nil)
	}
	if err != nil {
		return Result{}, err
	}
	if there {
		want, err := local()
		return Result{Skipped: a.info.Size(), SHA256: want}, err
	}
	digest, err := channels.run(ctl)
	p, _ := a.blocks.progress()
	result := Result{Sent: p.Sent, Skipped: p.Resumed}
	if errors.Is(err, errChanged) {
		ctl.discard()
		return result, changed(a.spec.Local, err)
	}
	if err == nil {
		err = a.prove(ctx, ctl, digest, local)
	}
	if err != nil {
		return result, err
	}
	result.SHA256 = digest
	return result, ctl.commit(digest)
}

// identity changes with anything that makes an earlier attempt's part useless.
func (a *attempt) identity() string {
	content := a.spec.SHA256
	if content == "" {
		content = fmt.Sprintf("mtime:%d", a.info.ModTime().UnixNano())
	}
	return fmt.Sprintf("%s size:%d step:%d", content, a.info.Size(), a.blocks.step)
}

// hashLocal starts reading the local file when nobody said what its digest is.
// The returned function waits for it.
func (a *attempt) hashLocal(ctx context.Context) func() (string, error) {
	if a.spec.SHA256 != "" || a.spec.Unverified {
		return func() (string, error) { return a.spec.SHA256, nil }
	}
	var digest string
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		digest, err = HashFile(ctx, a.spec.Local, nil)
	}()
	return func() (string, error) { <-done; return digest, err }
}
