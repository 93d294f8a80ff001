package balancer

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
)

//go:embed library.sh
var library string

const (
	defaultConfig = "/etc/haproxy/haproxy.cfg"
	keepBackups   = 10 // newest copies of the configuration that stay beside it
	rereads       = 3  // times a configuration that changes under our hands is read again
)

// Host runs scripts on a machine; *ssh.Client does.
type Host interface {
	Run(ctx context.Context, cmd ssh.Command) (ssh.Result, error)
	Target() string
}

// HAProxy changes the configuration file of HAProxy on every machine that may
// carry the VIP, one after the other: backup, syntax check, atomic rename,
// reload, and a look whether the port really is open or closed. When one
// machine fails, all get back what they had.
type HAProxy struct {
	Hosts  []Host
	Config string // default /etc/haproxy/haproxy.cfg
	VIP    string // the address whose ports are meant
}

// Forwards reads where the ports of the VIP lead. Machines that differ show as
// mode "mixed".
func (h HAProxy) Forwards(ctx context.Context) ([]Forward, error) {
	found := map[int]Forward{}
	for i, host := range h.Hosts {
		view, err := h.look(ctx, host, 0, "read the forwarded ports")
		if err != nil {
			return nil, err
		}
		here := map[int]Forward{}
		for _, f := range forwards(parse(view.text), h.VIP) {
			here[f.Port] = f
		}
		for port, f := range here {
			if other, known := found[port]; i > 0 && (!known || !other.Same(f)) {
				f.Mode = "mixed"
			}
			found[port] = f
		}
		for port, f := range found {
			if _, known := here[port]; !known {
				f.Mode = "mixed"
				found[port] = f
			}
		}
	}
	out := make([]Forward, 0, len(found))
	for _, f := range found {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b Forward) int { return a.Port - b.Port })
	return out, h.some()
}

// Open adds a section of its own, in plain TCP mode, unless the port is open.
func (h HAProxy) Open(ctx context.Context, f Forward) (bool, error) {
	op := fmt.Sprintf("open port %d of %s", f.Port, h.VIP)
	if err := f.check(op, h.VIP); err != nil {
		return false, err
	}
	return h.change(ctx, edit{op: op, port: f.Port, want: "open", with: func(text, place string) (string, error) {
		return withForward(text, h.VIP, f, op, place)
	}})
}

// Close removes what forwards the port, whoever made it.
func (h HAProxy) Close(ctx context.Context, port int) (bool, error) {
	op := fmt.Sprintf("close port %d of %s", port, h.VIP)
	return h.change(ctx, edit{op: op, port: port, want: "closed", with: func(text, place string) (string, error) {
		return withoutForward(text, h.VIP, port, op, place)
	}})
}

// edit is one change of the configuration.
type edit struct {
	op   string
	port int
	want string // open or closed
	with func(text, place string) (string, error)
}

// view is what one machine shows.
type view struct {
	sha     string
	pending bool   // a configuration was written and not loaded: an attempt was killed
	sockets string // that take connections to the port
	text    string
}

// so reports whether nothing is left to do.
func (e edit) so(v view, next string) bool {
	return next == v.text && !v.pending && (v.sockets != "") == (e.want == "open")
}

// change does the edit on every machine, or on none.
func (h HAProxy) change(ctx context.Context, e edit) (bool, error) {
	if err := h.some(); err != nil {
		return false, err
	}
	for _, host := range h.Hosts { // what cannot be done on one is begun on none
		v, err := h.look(ctx, host, e.port, e.op)
		if err == nil {
			_, err = h.next(v, e, host)
		}
		if err != nil {
			return false, err
		}
	}
	var done []func(context.Context) error
	for _, host := range h.Hosts {
		undo, err := h.changeOne(ctx, host, e)
		if err != nil {
			return false, putBack(ctx, done, err)
		}
		if undo != nil {
			done = append(done, undo)
		}
	}
	return len(done) > 0, nil
}

// putBack undoes what was done on other machines, also when ctx has ended.
func putBack(ctx context.Context, done []func(context.Context) error, cause error) error {
	ctx = context.WithoutCancel(ctx)
	for _, undo := range slices.Backward(done) {
		if err := undo(ctx); err != nil {
			cause = errors.Join(cause, err)
		}
	}
	return cause
}

// next is the configuration after the edit.
func (h HAProxy) next(v view, e edit, host Host) (string, error) {
	text, err := e.with(v.text, host.Target())
	if err != nil {
		return "", err
	}
	if e.want == "open" && text != v.text && v.sockets != "" && !v.pending && len(forwardsOf(v.text, h.VIP, e.port)) == 0 {
		return "", fault.New(fault.Gate, e.op, host.Target(), "see which program has the port, or reload HAProxy if its configuration was edited by hand, then retry",
			fmt.Errorf("the configuration does not forward the port, but something listens there: %s", v.sockets))
	}
	return text, nil
}

func forwardsOf(text, vip string, port int) []Forward {
	return slices.DeleteFunc(forwards(parse(text), vip), func(f Forward) bool { return f.Port != port })
}

// changeOne changes one machine. undo is nil when it was so already.
func (h HAProxy) changeOne(ctx context.Context, host Host, e edit) (undo func(context.Context) error, err error) {
	for range rereads {
		v, err := h.look(ctx, host, e.port, e.op)
		if err != nil {
			return nil, err
		}
		text, err := h.next(v, e, host)
		if err != nil || e.so(v, text) {
			return nil, err
		}
		again, err := h.replace(ctx, host, e, v.sha, text)
		if again {
			continue
		}
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) error { return h.restore(ctx, host, e, text, v) }, nil
	}
	return nil, fault.New(fault.Conflict, e.op, host.Target(), "see who edits the file, then retry", errors.New("the configuration keeps changing"))
}

// restore gives a machine back what it had, unless somebody changed it since.
func (h HAProxy) restore(ctx context.Context, host Host, e edit, ours string, before view) error {
	v, err := h.look(ctx, host, e.port, e.op)
	if err != nil {
		return err
	}
	if v.text != ours {
		return fault.New(fault.Conflict, "put back: "+e.op, host.Target(), "look at the file and the copies beside it", errors.New("somebody else has changed the configuration since"))
	}
	back := edit{op: "put back: " + e.op, port: e.port, want: "closed"}
	if before.sockets != "" {
		back.want = "open"
	}
	_, err = h.replace(ctx, host, back, v.sha, before.text)
	return err
}

func (h HAProxy) some() error {
	if len(h.Hosts) > 0 {
		return nil
	}
	return fault.New(fault.BadInput, "change the load balancer of "+h.VIP, "", "set balancer.haproxy.hosts", errors.New("no machine is named"))
}
