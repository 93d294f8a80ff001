package ssh

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// noSpace is what tools print for ENOSPC and EDQUOT under LC_ALL=C.
var noSpace = regexp.MustCompile(`(?i)no space left on device|disk quota exceeded`)

// DiskFull reports whether a tool's output says that a file system is full.
func DiskFull(output string) bool { return noSpace.MatchString(output) }

// judge turns the end of a command into its error.
func (e *exec) judge() error {
	if e.out.ended {
		e.exitCode = e.out.exitCode
		return e.exitError()
	}
	<-e.session.ended // the outputs have ended, so this follows at once
	if e.session.code < 0 && e.client.endedSoon() {
		return e.client.lost(e.cmd, errors.New("it ended before the command"))
	}
	e.exitCode = e.session.code
	if e.out.began {
		// The loader itself died, so the script did not run to its end.
		if e.exitCode == 0 {
			e.exitCode = -1
		}
		return e.exitError()
	}
	return e.notStarted()
}

func (e *exec) exitError() error {
	if e.exitCode == 0 {
		return nil
	}
	output := quote(e.stderr.String())
	if output == "" {
		output = quote(e.stdout.String())
	}
	cause := fmt.Errorf("exit code %d: %s", e.exitCode, output)
	if DiskFull(e.stderr.String()) || DiskFull(e.stdout.String()) {
		return fault.New(fault.DiskFull, e.cmd.op(), e.client.target.place(), "free space on the named file system, then retry", cause)
	}
	return fault.New(fault.Command, e.cmd.op(), e.client.target.place(), "", cause)
}

// notStarted explains why the node never began with the script.
func (e *exec) notStarted() error {
	output := strings.TrimSpace(quote(e.err.noise.String()) + " " + quote(e.out.noise.String()))
	cause := fmt.Errorf("exit code %d: %s", e.exitCode, output)
	if e.cmd.Sudo && strings.Contains(output, "sudo") {
		return fault.New(fault.Sudo, e.cmd.op(), e.client.target.place(),
			fmt.Sprintf(`let the user run everything without a password: put "%s ALL=(ALL) NOPASSWD: ALL" into /etc/sudoers.d/acpflow (check with visudo -c), without requiretty`, e.client.target.User), cause)
	}
	return e.client.refused(e.cmd, fmt.Errorf("the node did not start the script: %w", cause))
}

// quote is the end of an output that fits into an error, without secrets.
func quote(output string) string {
	output = strings.TrimSpace(output)
	if over := len(output) - maxQuoted; over > 0 {
		output = "…" + strings.ToValidUTF8(output[over:], "")
	}
	return secret.Redact(output)
}

// endedSoon tells a closed connection from a closed channel: the first closes
// its channels a moment before it counts as ended.
func (c *Client) endedSoon() bool {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-c.dead:
		return true
	case <-timer.C:
		return false
	}
}

func (c *Client) ended() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

func (c *Client) lost(cmd Command, err error) error {
	return fault.New(fault.Unreachable, cmd.op(), c.target.place(), "check that the machine is up and the network between is stable",
		fmt.Errorf("the connection was lost: %w", err))
}

func (c *Client) refused(cmd Command, err error) error {
	return fault.New(fault.Refused, cmd.op(), c.target.place(),
		"the user needs a login shell and bash on the node, without ForceCommand, sftp-only rules or MaxSessions 0", err)
}
