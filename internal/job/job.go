// Package job runs long commands on nodes so that they survive the worker and
// its connection: detached, with a record on the node that any later attempt
// adopts. Needs bash 4.2, coreutils and util-linux there.
package job

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
)

// DefaultDir holds the records of jobs on a node.
const DefaultDir = "/var/lib/acpflow/jobs"

const (
	watchSeconds  = 2  // longest silence between two progress reports
	cancelSeconds = 10 // from TERM to KILL
)

// Why a job that began has no exit code. They are causes of a fault.Failed.
var (
	ErrRebooted = errors.New("the node was restarted while the job ran")
	ErrVanished = errors.New("the job was killed before it ended")
	ErrRemoved  = errors.New("the job was cancelled")
)

// Spec names a job. The same ID with another script is a fault.Conflict while
// the first one runs or its success is on record.
type Spec struct {
	ID     string // file name on the node: letters, digits, ".", "_", "-"
	Script string // bash; is in no process list and in no file on the node
	Sudo   bool
	Dir    string // default DefaultDir
}

// Result is the end of a job.
type Result struct {
	ExitCode int
	Tail     string // the last 4 KiB of stdout and stderr, secrets masked
	Size     int64  // bytes of output in all
	Started  time.Time
	Ended    time.Time
	Adopted  bool // it was started by an earlier attempt
}

var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$`)

func (s Spec) dir() string {
	if s.Dir == "" {
		return DefaultDir
	}
	return s.Dir
}

func (s Spec) validate(c *ssh.Client) error {
	if validID.MatchString(s.ID) && !strings.HasSuffix(s.ID, ".lock") && !strings.HasSuffix(s.ID, ".failed") {
		return nil
	}
	return fault.New(fault.BadInput, "run job", c.Target(), "use letters, digits, dots and dashes", fmt.Errorf("%q is no job id", s.ID))
}

// Run starts the job or adopts it and waits for its end; progress (nil allowed)
// gets the last line of output every few seconds. When ctx or the connection
// ends the job goes on; call Run again to adopt it, or Cancel.
//
// A success stays on record and is returned by every later Run. A failure is
// returned once; then the record moves to ID.failed and Run starts afresh.
// Errors: those of ssh.Client.Run; fault.Command and DiskFull with the job's
// exit code; Failed with ErrRebooted, ErrVanished or ErrRemoved; Conflict.
func Run(ctx context.Context, c *ssh.Client, spec Spec, progress func(last string)) (Result, error) {
	if err := spec.validate(c); err != nil {
		return Result{}, err
	}
	cmd := spec.command("start", start, 0, ssh.Quote(supervisor))
	cmd.Stdin = strings.NewReader(spec.Script)
	out, err := c.Run(ctx, cmd)
	if out.ExitCode == 65 {
		return Result{}, fault.New(fault.Conflict, cmd.Op, c.Target(), "wait for the other job or cancel it",
			errors.New("a job of this name with another script runs or has succeeded there"))
	}
	if err != nil {
		return Result{}, err
	}
	adopted := strings.TrimSpace(out.Stdout) != "none"
	for {
		now, err := look(ctx, c, spec)
		if err != nil {
			return Result{}, err
		}
		if now.state == "running" {
			if progress != nil {
				progress(lastLine(now.Tail))
			}
			continue
		}
		now.Adopted = adopted
		return finish(ctx, c, spec, now)
	}
}

// Cancel kills the job's process group, if it runs, and removes the record.
// A job that never was is no error.
func Cancel(ctx context.Context, c *ssh.Client, spec Spec) error {
	if err := spec.validate(c); err != nil {
		return err
	}
	_, err := c.Run(ctx, spec.command("cancel", cancel, cancelSeconds))
	return err
}

// sight is what one look at a job shows.
type sight struct {
	Result
	state string
}

// look waits a little for the job's end and reads its record.
func look(ctx context.Context, c *ssh.Client, spec Spec) (sight, error) {
	cmd := spec.command("watch", watch, watchSeconds)
	out, err := c.Run(ctx, cmd)
	if err != nil {
		return sight{}, err
	}
	head, tail, _ := strings.Cut(out.Stdout, "\n")
	var s sight
	var code, began, ended string
	if _, err := fmt.Sscan(head, &s.state, &code, &began, &ended, &s.Size); err != nil {
		return sight{}, fault.New(fault.Protocol, cmd.Op, c.Target(), "", fmt.Errorf("the node answers %q: %w", head, err))
	}
	if _, err := fmt.Sscan(code, &s.ExitCode); err != nil {
		s.ExitCode = -1
	}
	s.Started, s.Ended = epoch(began), epoch(ended)
	s.Tail = secret.Redact(strings.ToValidUTF8(tail, ""))
	return s, nil
}

func epoch(text string) time.Time {
	var seconds int64
	if _, err := fmt.Sscan(text, &seconds); err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// finish turns the end of a job into a result or an error.
func finish(ctx context.Context, c *ssh.Client, spec Spec, s sight) (Result, error) {
	if s.state == "done" && s.ExitCode == 0 {
		return s.Result, nil
	}
	if _, err := c.Run(ctx, spec.command("archive", archive, 0)); err != nil {
		return Result{}, err // the next attempt adopts the failure
	}
	log := fmt.Sprintf("the log is %s/%s.failed/log; the end of it: %s", spec.dir(), spec.ID, strings.TrimSpace(clip(s.Tail, 1500)))
	failed := func(class fault.Class, fix string, cause error) (Result, error) {
		return s.Result, fault.New(class, "job "+spec.ID, c.Target(), fix, fmt.Errorf("%w; %s", cause, log))
	}
	switch s.state {
	case "done":
		cause := fmt.Errorf("exit code %d", s.ExitCode)
		if ssh.DiskFull(s.Tail) {
			return failed(fault.DiskFull, "free space on the named file system, then retry", cause)
		}
		return failed(fault.Command, "", cause)
	case "rebooted":
		return failed(fault.Failed, "see why the node restarted, then retry", ErrRebooted)
	case "vanished":
		return failed(fault.Failed, "see the node's log for an out-of-memory kill, then retry", ErrVanished)
	}
	return failed(fault.Failed, "retry when the job is wanted after all", ErrRemoved)
}

func lastLine(text string) string {
	text = strings.TrimRight(text, "\r\n\t ")
	if i := strings.LastIndexAny(text, "\r\n"); i >= 0 {
		text = text[i+1:]
	}
	return clip(text, 200)
}

// clip keeps the last n bytes.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return "…" + strings.ToValidUTF8(text[len(text)-n:], "")
}
