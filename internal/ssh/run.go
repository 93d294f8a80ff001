package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/ssh"
)

// How long a cancelled command may take to die, and how long a finished one
// may keep its session because children it left behind hold its output.
const (
	killTimeout = 5 * time.Second
	lingerTime  = time.Second
)

// Run runs a script and waits for it, not for children it left in the
// background. When ctx ends, the script's process group is killed on the node
// and ctx's error is returned (in the chain); Stdin may then still be read from once.
// A non-zero exit is an error too, with the Result filled in.
// Errors: fault.Command, DiskFull, Sudo, Refused, Unreachable.
func (c *Client) Run(ctx context.Context, cmd Command) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, c.interrupted(cmd, err)
	}
	session, err := c.session(ctx, cmd)
	if err != nil {
		return Result{}, err
	}
	e := newExec(c, cmd, session)
	done := make(chan error, 1)
	go func() { done <- e.run() }()
	select {
	case err := <-done:
		return e.result(), err
	case <-ctx.Done():
		group := e.abort()
		c.kill(context.WithoutCancel(ctx), cmd, group)
		return Result{}, c.interrupted(cmd, context.Cause(ctx))
	}
}

func (c *Client) interrupted(cmd Command, cause error) error {
	return fmt.Errorf("%s: %s: interrupted: %w", cmd.op(), c.target.place(), cause)
}

// session opens a channel for a command, waiting for a free one if need be.
func (c *Client) session(ctx context.Context, cmd Command) (*session, error) {
	type opened struct {
		session *session
		err     error
	}
	for lonely := 0; ; {
		if err := c.slots.take(ctx, c.dead); err != nil {
			if ctx.Err() != nil {
				return nil, c.interrupted(cmd, err)
			}
			return nil, c.lost(cmd, err)
		}
		c.wire.nudge()
		answer := make(chan opened, 1)
		go func() {
			s, err := openSession(c.conn)
			answer <- opened{s, err}
		}()
		select {
		case o := <-answer:
			if o.err == nil {
				return o.session, nil
			}
			if err := c.openFailed(ctx, cmd, o.err, &lonely); err != nil {
				return nil, err
			}
		case <-ctx.Done():
			go func() { // the answer may still come
				if o := <-answer; o.err == nil {
					_ = o.session.Close()
				}
				c.slots.give()
			}()
			return nil, c.interrupted(cmd, context.Cause(ctx))
		}
	}
}

// openFailed gives the slot back and says whether to give up: a server with a
// small MaxSessions refuses while other sessions run, or have just ended. A
// server that refuses again and again though nothing runs grants none at all.
func (c *Client) openFailed(ctx context.Context, cmd Command, err error, lonely *int) error {
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) {
		c.slots.give()
		return c.lost(cmd, err)
	}
	if c.slots.refused(ctx, 200*time.Millisecond) == 0 {
		*lonely++
	}
	if *lonely >= 5 {
		return c.refused(cmd, fmt.Errorf("sshd opens no session: %w", err))
	}
	return nil
}

// exec is one running command.
type exec struct {
	client   *Client
	cmd      Command
	session  *session
	mark     string
	out, err *frame
	stdout   Tail
	stderr   Tail
	exitCode int
}

func newExec(c *Client, cmd Command, session *session) *exec {
	e := &exec{client: c, cmd: cmd, session: session, mark: newMark()}
	e.stdout.Limit, e.stderr.Limit = maxStdout, maxStderr
	var stdout io.Writer = &e.stdout
	if cmd.Stdout != nil {
		stdout = cmd.Stdout
	}
	e.out, e.err = newFrame(e.mark, stdout), newFrame(e.mark, &e.stderr)
	return e
}

// run starts the command and follows it to its end.
func (e *exec) run() error {
	defer func() { go e.release() }()
	if err := e.session.exec(e.cmd.line(e.client.target.User)); err != nil {
		return e.client.lost(e.cmd, err)
	}
	fed, outDone, errDone := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() { fed <- e.feed() }()
	go func() { outDone <- e.out.consume(e.session) }()
	go func() { errDone <- e.err.consume(e.session.Stderr()) }()
	late := time.NewTimer(startTimeout)
	defer late.Stop()

	for outDone != nil || errDone != nil {
		select {
		case err := <-fed:
			fed = nil
			if err != nil {
				return e.giveUp("read the data to send", err)
			}
		case err := <-outDone:
			outDone = nil
			if err != nil {
				return e.giveUp("keep the output", err)
			}
		case <-errDone: // stderr is kept in memory, which can't fail
			errDone = nil
		case <-late.C:
			if e.out.groupNow() == 0 {
				e.abort()
				return e.client.refused(e.cmd, fmt.Errorf("the node did not start the script within %s", startTimeout))
			}
		}
	}
	return e.judge()
}

// giveUp ends the command because our own side failed.
func (e *exec) giveUp(what string, err error) error {
	e.client.kill(context.Background(), e.cmd, e.abort())
	return fmt.Errorf("%s: %s: %s: %w", e.cmd.op(), e.client.target.place(), what, err)
}

// release ends the session. A short wait lets the server count it as closed
// before the slot is used again.
func (e *exec) release() {
	timer := time.NewTimer(lingerTime)
	defer timer.Stop()
	select {
	case <-e.session.ended:
	case <-timer.C:
	}
	_ = e.session.Close() // io.EOF when it has ended already
	e.client.slots.give()
}

// feed sends the script and the command's stdin. It returns only errors of the
// source, and then leaves stdin open: the node must not take what came so far
// for all. The node's own end shows in the outputs.
func (e *exec) feed() error {
	_, err := io.WriteString(e.session, e.cmd.header(e.mark)+e.cmd.Script)
	if err == nil && e.cmd.Stdin != nil {
		if err := pump(e.session, e.cmd.Stdin); err != nil {
			return err
		}
	}
	_ = e.session.CloseWrite() // fails when the node closed first
	return nil
}

// pump copies in pieces big enough for several packets. A failing destination
// ends it without an error.
func pump(to io.Writer, from io.Reader) error {
	buf := make([]byte, 256<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !sent(to, buf[:n]) || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func sent(to io.Writer, p []byte) bool {
	_, err := to.Write(p)
	return err == nil
}

// abort stops following and returns the process group, 0 when it never began.
func (e *exec) abort() int {
	e.out.detach()
	e.err.detach()
	_ = e.session.Close() // the node is told again by kill
	return e.out.groupNow()
}

func (e *exec) result() Result {
	return Result{Stdout: e.stdout.String(), Stderr: e.stderr.String(), ExitCode: e.exitCode, Truncated: e.stdout.Dropped > 0}
}

// kill ends a process group on the node, gently first.
func (c *Client) kill(ctx context.Context, cmd Command, group int) {
	if group <= 1 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	script := fmt.Sprintf("g=%d; kill -TERM -- -$g 2>/dev/null; "+
		"for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 -- -$g 2>/dev/null || exit 0; sleep 0.1; done; kill -KILL -- -$g", group)
	// When this fails the connection is gone, and nothing can be done from here.
	_, _ = c.Run(ctx, Command{Op: "stop " + cmd.op(), Script: script, Sudo: cmd.Sudo})
}
