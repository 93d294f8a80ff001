// Package fix plans repairs of nodes: pure functions from what the checks found
// and what a few files hold to a list of changes, each with its inverse. Nothing
// here opens a connection; internal/repair carries the changes out.
package fix

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Kind says how a change is made and taken back.
type Kind string

// The kinds.
const (
	File     Kind = "file"     // a file gets new content; mode and owner stay
	Link     Kind = "link"     // a path becomes a symbolic link
	Generate Kind = "generate" // a command writes the file; the old bytes are kept
	Command  Kind = "command"  // a command with an inverse
	Aside    Kind = "aside"    // a path is moved out of the way
)

// Absent is the fingerprint of a path at which there is nothing.
const Absent = "absent"

// Change is one thing to do on a node.
type Change struct {
	Kind Kind
	Path string // of every kind but Command

	Before  string // fingerprint the path must have, or the change is refused
	Content string // of File: the new bytes; of Link: its target
	Mode    string // of a new File, octal; default 0644
	Check   string // of File: judges the new content as $1 before it counts

	Do, Undo string // bash, of Command; Generate uses Do
	Seen     string // bash, of Command: succeeds when it is done already

	Then string // bash to run after the path has changed, there and back
}

// Fix is what repairs one thing: all of its changes, or none.
type Fix struct {
	ID        string // stable, for example "swap": names it in the node's ledger
	Title     string
	Rules     []string // ids it mends
	Changes   []Change // none: only a reboot is due
	Reboot    bool     // counts only after a reboot
	Guard     bool     // could cut SSH: proven by a second session or rolled back by the node
	Temporary string   // until when it holds; empty = it stays
	Note      string   // what a person should know before it is done
}

// Left is what no fix can mend.
type Left struct {
	Rule   string // id
	Seen   string // what is wrong
	Fix    string // the rule's own advice
	Reason string // why acpflow doesn't do it
}

// Plan is what is to be done on one node.
type Plan struct {
	Fixes    []Fix
	Left     []Left
	Platform string // why the node is not touched: Kubernetes is, or may be, on it
}

// Digest names a change exactly: the same digest is the same change. It is what
// ties what was shown to what is done.
func (c Change) Digest() string {
	return sum(strings.Join([]string{
		string(c.Kind), c.Path, c.Before, c.Content, c.Mode, c.Check, c.Do, c.Undo, c.Seen, c.Then,
	}, "\x00"))
}

// After is the fingerprint the path has once the change is done; empty when
// that is not known before.
func (c Change) After() string {
	switch c.Kind {
	case File:
		return sum(c.Content)
	case Link:
		return "link:" + sum(c.Content)
	case Aside:
		return Absent
	}
	return ""
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}
