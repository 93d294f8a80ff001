package upload

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
)

// early is how long the channels wait for the control script's first answer
// before they open on suspicion. On a long line that saves two round trips; on
// a short one the answer may be that nothing is to do.
const early = 25 * time.Millisecond

// transfer is the channels of an upload.
type transfer struct {
	attempt *attempt
	ctx     context.Context
	cancel  context.CancelCauseFunc
	group   *errgroup.Group
	inner   context.Context // ends with the first channel that fails
	timer   *time.Timer
	start   sync.Once
	digest  string
}

// prepare opens the channels soon; they send nothing before run.
func (a *attempt) prepare(ctx context.Context) *transfer {
	t := &transfer{attempt: a}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	t.group, t.inner = errgroup.WithContext(t.ctx)
	t.timer = time.AfterFunc(early, t.open)
	return t
}

func (t *transfer) open() {
	t.start.Do(func() {
		a := t.attempt
		for range a.spec.Channels {
			t.group.Go(func() error { return a.write(t.inner) })
		}
		if !a.spec.Unverified {
			t.group.Go(func() (err error) { t.digest, err = a.hash(t.inner); return err })
		}
	})
}

// run sends what is missing and returns the digest computed on the node while
// the blocks arrive.
func (t *transfer) run(ctl *controller) (string, error) {
	defer t.cancel(nil)
	t.attempt.blocks.release(true)
	t.open()
	go t.attempt.watch(t.ctx, t.cancel, ctl)
	err := t.group.Wait()
	if cause := context.Cause(t.ctx); cause != nil {
		return "", cause // the channels only say that they were interrupted
	}
	return t.digest, err
}

// dismiss ends the channels without sending. Their errors don't matter.
func (t *transfer) dismiss(failed bool) {
	t.timer.Stop()
	if failed {
		t.cancel(nil)
	}
	t.attempt.blocks.release(false)
	t.start.Do(func() {}) // from here on nothing opens
	_ = t.group.Wait()
	t.cancel(nil)
}

// write runs one channel until no block is left.
func (a *attempt) write(ctx context.Context) error {
	out, err := a.client.Run(ctx, ssh.Command{
		Op: "upload " + a.spec.Remote, Script: a.spec.script(channel, a.token), Sudo: a.spec.Sudo,
		Stdin: &feeder{ctx: ctx, file: a.file, blocks: a.blocks}, Stdout: &acks{blocks: a.blocks},
	})
	return overtaken(a.client, a.spec, out, err)
}

// hash computes the digest on the node, following the writers.
func (a *attempt) hash(ctx context.Context) (string, error) {
	out, err := a.client.Run(ctx, ssh.Command{
		Op: "hash " + a.spec.Remote, Script: a.spec.script(hasher), Sudo: a.spec.Sudo,
		Stdin: &ranges{ctx: ctx, blocks: a.blocks},
	})
	if err != nil {
		return "", overtaken(a.client, a.spec, out, err)
	}
	digest := strings.TrimSpace(out.Stdout)
	if len(digest) != 64 {
		return "", fault.New(fault.Protocol, "hash "+a.spec.Remote, a.client.Target(), "", fmt.Errorf("the node answers %q", digest))
	}
	return digest, nil
}

// watch ends the transfer when nothing moves or the lock is lost.
func (a *attempt) watch(ctx context.Context, cancel context.CancelCauseFunc, ctl *controller) {
	ticker := time.NewTicker(min(a.spec.Stall/4, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ctl.ended:
			cancel(ctl.failed())
			return
		case <-ticker.C:
			if p, quiet := a.blocks.progress(); quiet > a.spec.Stall && p.Done < p.Total {
				cancel(fault.New(fault.Stalled, "upload "+a.spec.Remote, a.client.Target(),
					"see whether the node's disk hangs or sshd allows fewer than three sessions (MaxSessions), then retry: the upload goes on where it stopped",
					fmt.Errorf("nothing moved for %s, %d of %d bytes are there", quiet.Round(time.Second), p.Done, p.Total)))
				return
			}
		}
	}
}

// prove compares what the node has with what it should have.
func (a *attempt) prove(ctx context.Context, ctl *controller, digest string, local func() (string, error)) error {
	if err := unchanged(a.file, a.info); err != nil {
		ctl.discard()
		return changed(a.spec.Local, err)
	}
	if a.spec.Unverified {
		return nil
	}
	want, err := local()
	if err != nil || digest == want {
		return err
	}
	ctl.discard()
	here, err := HashFile(ctx, a.spec.Local, nil)
	if err != nil {
		return err
	}
	if here != want {
		return fault.New(fault.Corrupt, "upload", a.spec.Local, "fetch the file again or correct the checksum",
			fmt.Errorf("its SHA-256 is %s, expected %s", here, want))
	}
	return fault.New(fault.Corrupt, "upload "+a.spec.Remote, a.client.Target(), "check the node's disk and memory, then retry: the upload starts anew",
		fmt.Errorf("SHA-256 on the node is %s, here %s", digest, here))
}

// report calls progress until the returned function is called, which reports
// once more.
func (a *attempt) report(progress func(Progress)) (stop func()) {
	if progress == nil {
		return func() {}
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p, _ := a.blocks.progress()
				progress(p)
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-gone
		p, _ := a.blocks.progress()
		progress(p)
	}
}

// overtaken recognises that a later attempt killed this one's processes.
func overtaken(c *ssh.Client, spec Spec, out ssh.Result, err error) error {
	if fault.Is(err, fault.Command) && (out.ExitCode == 75 || out.ExitCode == 137 || out.ExitCode == -1) {
		return fault.New(fault.Conflict, "upload "+spec.Remote, c.Target(), "let the later attempt finish",
			errors.Join(errors.New("another attempt at the same file has taken over"), err))
	}
	return err
}
