// Package safecopy keeps copies of what a run is about to change on the nodes
// themselves: /var/lib/acpflow/safety/RUN/NAME, root 0600 in folders 0700, because
// they may hold every Secret of a cluster. What is kept ends with a seal, a digest
// of all before it, that the node itself verifies before the copy gets its name. So
// half a copy never passes for a whole one, whoever dies in the middle. A copy that
// is there is never written again. The node needs bash 4.2 and GNU coreutils.
package safecopy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
)

// DefaultRoot is where copies are kept.
const DefaultRoot = "/var/lib/acpflow/safety"

// Path names one copy.
type Path struct {
	Root string // "" = DefaultRoot
	Run  string // letters, digits, dots, dashes and underscores
	Name string // of the file; the same
}

// String is the file's absolute path on the node.
func (p Path) String() string { return p.dir() + "/" + p.Name }

func (p Path) dir() string {
	if p.Root == "" {
		return DefaultRoot + "/" + p.Run
	}
	return p.Root + "/" + p.Run
}

var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

func (p Path) check(op string) error {
	for _, w := range []string{p.Run, p.Name} {
		if !word.MatchString(w) {
			return fault.New(fault.BadInput, op, p.dir(), "", fmt.Errorf("%q is no name of a file", w))
		}
	}
	return nil
}

// Seal says how a copy proves that it is whole.
type Seal string

// The seals.
const (
	EtcdSeal Seal = "etcd" // the last 32 bytes are the SHA-256 of all before, as etcd ends its snapshots
	TextSeal Seal = "text" // the last line is "# sha256 HEX" of all before, as Text writes it
)

// Content is what shall be kept.
type Content struct {
	From io.Reader
	Seal Seal
	Need int64 // bytes, about; so many, and a tenth of the file system beside them, must be free
}

// Kept is a copy that is whole.
type Kept struct {
	SHA256 string    // of the whole file, 64 hex digits; also in NAME.sha256 beside it, for sha256sum -c
	Bytes  int64     //
	Made   time.Time // when it was written
	Before bool      // it was there already
}

// Find looks for a copy and proves that it is what was once kept. One that is not
// is fault.Corrupt, one that is not there no error.
func Find(ctx context.Context, c *ssh.Client, p Path) (kept Kept, found bool, err error) {
	const op = "look for a safety copy"
	if err := p.check(op); err != nil {
		return Kept{}, false, err
	}
	out, err := c.Run(ctx, ssh.Command{Op: op, Sudo: true, Script: p.script(find)})
	if err != nil {
		return Kept{}, false, err
	}
	kept, err = p.read(op, out.Stdout)
	kept.Before = true
	return kept, kept.SHA256 != "", err
}

// Keep writes a copy unless it is there, and returns when it is safe on the disk.
// Of two attempts at the same copy both end well, and one of the two contents is
// kept. Errors: those of the source; fault.DiskFull, Corrupt, and those of
// ssh.Client.Run.
func Keep(ctx context.Context, c *ssh.Client, p Path, content Content) (Kept, error) {
	op := "keep a safety copy"
	if err := p.check(op); err != nil {
		return Kept{}, err
	}
	script := p.script(fmt.Sprintf("seal=%s need=%d\n", content.Seal, content.Need) + keep)
	out, err := c.Run(ctx, ssh.Command{Op: op, Sudo: true, Script: script, Stdin: content.From})
	if err != nil {
		return Kept{}, err
	}
	kept, err := p.read(op, out.Stdout)
	if err == nil && kept.SHA256 == "" {
		err = fault.New(fault.Protocol, op, p.String(), "", fmt.Errorf("the node answers %q", out.Stdout))
	}
	return kept, err
}

// Tail returns the last lines of a text that was kept, without its seal; at most 1 MiB.
func Tail(ctx context.Context, c *ssh.Client, p Path, lines int) (string, error) {
	const op = "read a safety copy"
	if err := p.check(op); err != nil {
		return "", err
	}
	out, err := c.Run(ctx, ssh.Command{Op: op, Sudo: true, Script: p.script(fmt.Sprintf(`tail -n %d -- "$f" | head -n -1 | tail -c 1048576`, lines+1))})
	return out.Stdout, err
}

// read understands what a script says last.
func (p Path) read(op, said string) (Kept, error) {
	words := strings.Fields(said)
	switch {
	case len(words) == 0 || words[0] == "none":
		return Kept{}, nil
	case words[0] == "damaged":
		return Kept{}, fault.New(fault.Corrupt, op, p.String(), "find out who changed it; move it away to have another one made", errors.New("it is not what was kept, by its SHA-256"))
	case words[0] == "torn":
		return Kept{}, fault.New(fault.Corrupt, op, p.String(), "retry", errors.New("what came is cut short or damaged: its seal does not fit; it was removed"))
	case words[0] == "full" && len(words) == 4:
		return Kept{}, p.full(op, words[1:])
	case words[0] == "kept" && len(words) == 5:
		size, errSize := strconv.ParseInt(words[2], 10, 64)
		made, errMade := strconv.ParseInt(words[3], 10, 64)
		if errSize == nil && errMade == nil && len(words[1]) == 64 {
			return Kept{SHA256: words[1], Bytes: size, Made: time.Unix(made, 0).UTC(), Before: words[4] == "before"}, nil
		}
	}
	return Kept{}, fault.New(fault.Protocol, op, p.String(), "", fmt.Errorf("the node answers %q", said))
}

func (p Path) full(op string, words []string) error {
	var mib [3]int64
	for i, w := range words {
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil {
			return fault.New(fault.Protocol, op, p.String(), "", err)
		}
		mib[i] = n >> 20
	}
	return fault.New(fault.DiskFull, op, p.dir(), "free space on that file system, for example by removing old copies below "+DefaultRoot+", then retry",
		fmt.Errorf("%d MiB are free of %d MiB, %d MiB are needed, and a tenth must stay free: with less the kubelet begins to evict Pods", mib[0], mib[1], mib[2]))
}

// script puts a body behind the prelude.
func (p Path) script(body string) string {
	return fmt.Sprintf("dir=%s name=%s\n", ssh.Quote(p.dir()), ssh.Quote(p.Name)) + prelude + body
}
