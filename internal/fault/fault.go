// Package fault names the ways an outside system can fail. Clients return
// *Error with a class; one place (activities) turns the class into a Temporal
// application error, so "may this be retried?" is answered once.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Class says what kind of failure happened and so what may be done about it.
type Class string

// The classes. Transient ones are retried by Temporal; permanent ones park the
// step at its decision gate at once, because only a person can mend them.
const (
	BadInput     Class = "BadInput"     // the site document or workflow input is wrong
	Unreachable  Class = "Unreachable"  // no connection: refused, timed out, no route (transient)
	HostKey      Class = "HostKey"      // the host key is unknown or changed
	Auth         Class = "Auth"         // credentials rejected
	Sudo         Class = "Sudo"         // sudo -n refused
	DiskFull     Class = "DiskFull"     // no space left on a node
	Corrupt      Class = "Corrupt"      // bytes differ from their checksum or don't parse
	Architecture Class = "Architecture" // the package does not fit the node
	Command      Class = "Command"      // a remote command exited non-zero
	Protocol     Class = "Protocol"     // an answer that is not understood (transient)
	Stalled      Class = "Stalled"      // no progress for too long
	Conflict     Class = "Conflict"     // somebody else is acting, or the state is not ours
	Failed       Class = "Failed"       // the outside system reports failure
	Refused      Class = "Refused"      // the outside system declined and nothing was changed
	Gate         Class = "Gate"         // a condition demanded before acting does not hold
	Internal     Class = "Internal"     // a fault of acpflow or of its machine (transient)
)

var transient = map[Class]bool{Unreachable: true, Protocol: true, Internal: true}

// Permanent reports whether retrying without a change by a person is useless.
func (c Class) Permanent() bool { return !transient[c] }

// Error is a classified failure that names the place, the cause and the fix.
// Messages must carry no secret; they end in workflow history.
type Error struct {
	Class Class
	Op    string // what was attempted: "upload core package"
	Place string // where: host, URL or file:line:column
	Fix   string // what a person can do, one sentence; may be empty
	Err   error  // the cause
}

// New builds a classified error. A nil cause is allowed when Op says it all.
func New(class Class, op, place, fix string, err error) *Error {
	return &Error{Class: class, Op: op, Place: place, Fix: fix, Err: err}
}

// Error renders "op: place: cause. Fix: ...".
func (e *Error) Error() string {
	var parts []string
	for _, p := range []string{e.Op, e.Place} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	msg := strings.Join(parts, ": ")
	if e.Fix != "" {
		msg = fmt.Sprintf("%s. Fix: %s", strings.TrimRight(msg, "."), e.Fix)
	}
	return msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of the outermost classified error in err's chain,
// or Internal when there is none.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return Internal
}

// Is reports whether err carries the class.
func Is(err error, class Class) bool { return err != nil && ClassOf(err) == class }
