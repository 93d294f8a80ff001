package ssh

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"strconv"
)

// Limits of what is kept in memory of a command's output, in bytes.
const (
	maxStdout = 4 << 20
	maxStderr = 64 << 10
	maxQuoted = 2 << 10 // of it in an error
)

// Command is a bash script to run on a node.
type Command struct {
	Op     string    // what it is for, in errors: "read node facts"; default "run command"
	Script string    // travels over stdin: it is in no process list; without NUL bytes
	Stdin  io.Reader // the script's stdin after the script itself; nil = empty
	Stdout io.Writer // gets all of stdout; nil = keep it in the Result
	Sudo   bool      // run as root through `sudo -n`, unless the user is root
}

// Result is what a command left. Outputs are raw: redact before showing them.
type Result struct {
	Stdout    string // the last 4 MiB, empty when Command.Stdout was set
	Stderr    string // the last 64 KiB
	ExitCode  int
	Truncated bool // Stdout lost its beginning
}

// loader runs on the node. It takes "SIZE MARK", then SIZE bytes of script,
// then the script's stdin. The marks fence the script's output off from what
// a .bashrc prints before and background children print after it. It has no
// single quote, newline or "!", so every login shell passes it on unchanged.
const loader = `export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"; ` +
	`IFS=" " read -r n m; c=$(head -c "$n"); read -r _ _ _ _ g _ </proc/$$/stat; ` +
	`printf "\036%s %s\n" "$m" "$g"; printf "\036%s %s\n" "$m" "$g" >&2; ` +
	`(unset n m g; eval "$c"); r=$?; ` +
	`printf "\036%s.%s\n" "$m" "$r"; printf "\036%s.%s\n" "$m" "$r" >&2; exit "$r"`

// line is the command line sshd gives to the login shell. It is the same for
// every command.
func (c Command) line(user string) string {
	const bash = `bash --norc --noprofile -c '` + loader + `'`
	if c.Sudo && user != "root" {
		return "sudo -n -H -- " + bash
	}
	return bash
}

// header precedes the script.
func (c Command) header(mark string) string {
	return strconv.Itoa(len(c.Script)) + " " + mark + "\n"
}

func (c Command) op() string {
	if c.Op == "" {
		return "run command"
	}
	return c.Op
}

// newMark makes a word that no output contains by chance.
func newMark() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
