package upload

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
)

// controller is the dialogue with the control script, which holds the lock on
// the node as long as it lives.
type controller struct {
	client  *ssh.Client
	spec    Spec
	op      string
	to      *io.PipeWriter
	answers *io.PipeReader
	from    *bufio.Reader // of answers
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the script has ended; out and err are set
	out     ssh.Result
	err     error
}

// open starts the control script.
func (a *attempt) open(ctx context.Context) *controller {
	a.token = rand.Text()
	body := a.spec.script(control, a.info.Size(), a.token, ssh.Quote(a.spec.Owner),
		fmt.Sprintf("%04o", a.spec.Mode.Perm()), !a.spec.Unverified, ssh.Quote(a.identity()))
	stdin, to := io.Pipe()
	answers, stdout := io.Pipe()
	c := &controller{client: a.client, spec: a.spec, op: "upload " + a.spec.Remote, to: to,
		answers: answers, from: bufio.NewReader(answers), ended: make(chan struct{})}
	ctx, c.cancel = context.WithCancel(ctx)
	go func() {
		defer close(c.ended)
		c.out, c.err = a.client.Run(ctx, ssh.Command{Op: c.op, Script: body, Stdin: stdin, Stdout: stdout, Sudo: a.spec.Sudo})
		_ = stdout.Close() // ends a waiting read
		_ = stdin.Close()  // and a waiting write
	}()
	return c
}

// close ends the script, which gives the lock up, and waits for it.
func (c *controller) close() {
	_ = c.to.Close() // like the next one: never fails
	_ = c.answers.Close()
	select {
	case <-c.ended:
	case <-time.After(2 * time.Second):
		c.cancel()
		<-c.ended
	}
	c.cancel()
}

// failed says why the script ended before its time.
func (c *controller) failed() error {
	<-c.ended
	if c.err == nil {
		return c.confused("the node ended the dialogue early")
	}
	return overtaken(c.client, c.spec, c.out, c.err)
}

func (c *controller) confused(format string, args ...any) error {
	return fault.New(fault.Protocol, c.op, c.client.Target(), "", fmt.Errorf(format, args...))
}

func (c *controller) line() (string, error) {
	text, err := c.from.ReadString('\n')
	if err != nil {
		return "", c.failed()
	}
	return text[:len(text)-1], nil
}

func (c *controller) say(format string, args ...any) error {
	if _, err := fmt.Fprintf(c.to, format+"\n", args...); err != nil {
		return c.failed()
	}
	return nil
}

// begin learns what the node has: same is called with the digest of a
// destination of the right size (the node may have to read all of it first),
// and its true ends the dialogue. Otherwise begin learns what an earlier
// attempt left and whether the rest has room.
func (c *controller) begin(a *attempt, same func(digest string) (bool, error)) (bool, error) {
	room := int64(-1)
	for {
		text, err := c.line()
		if err != nil {
			return false, err
		}
		if digest, ok := strings.CutPrefix(text, "have "); ok {
			if equal, err := same(digest); err != nil || equal {
				return equal, err
			}
			if err := c.say("send"); err != nil {
				return false, err
			}
			continue
		}
		var off, size int64
		if text == "ready" {
			break
		} else if n, _ := fmt.Sscanf(text, "room %d", &room); n == 1 {
			continue
		} else if n, _ := fmt.Sscanf(text, "block %d %d", &off, &size); n == 2 {
			a.blocks.resume(off, size)
		} // else a journal line that was cut short: that block is sent again
	}
	if need := a.info.Size(); room < need {
		return false, fault.New(fault.DiskFull, c.op, c.client.Target(), "free or add disk space there, then retry",
			fmt.Errorf("%d bytes are free for it, it has %d", room, need))
	}
	return false, nil
}

// commit gives the part its name. digest may be empty: unverified.
func (c *controller) commit(digest string) error {
	if digest == "" {
		digest = "-"
	}
	if err := c.say("commit %s", digest); err != nil {
		return err
	}
	text, err := c.line()
	if err != nil {
		return err
	}
	if text != "committed" {
		return c.confused("the node says %q", text)
	}
	return nil
}

// discard throws the part away: something in it is wrong. When even that
// fails, the digest will be wrong again at the next attempt, and nothing worse.
func (c *controller) discard() {
	if c.say("discard") == nil {
		_, _ = c.line()
	}
}

// Remove deletes what spec.Owner uploaded to spec.Remote, partial or whole, and
// reports whether there was anything. What others uploaded, or was there
// before, stays. An attempt under way is ended.
func Remove(ctx context.Context, c *ssh.Client, spec Spec) (bool, error) {
	if err := spec.complete(); err != nil {
		return false, err
	}
	if spec.Owner == "-" {
		return false, fault.New(fault.BadInput, "remove upload", spec.Remote, "", errors.New("no owner is named"))
	}
	out, err := c.Run(ctx, ssh.Command{Op: "remove upload " + spec.Remote, Script: spec.script(remove, ssh.Quote(spec.Owner)), Sudo: spec.Sudo})
	if err != nil {
		return false, err
	}
	return out.Stdout == "removed\n", nil
}
