package balancer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
)

// script is the library with its settings and one call.
func (h HAProxy) script(call string) string {
	config := h.Config
	if config == "" {
		config = defaultConfig
	}
	var addresses []string
	for _, a := range []string{bracketed(h.VIP), "*", "0.0.0.0", "[::]"} {
		addresses = append(addresses, ssh.Quote(a))
	}
	return fmt.Sprintf("config=%s keep=%d addresses=(%s)\n%s\n%s\n", ssh.Quote(config), keepBackups, strings.Join(addresses, " "), library, call)
}

// look reads one machine.
func (h HAProxy) look(ctx context.Context, host Host, port int, op string) (view, error) {
	out, err := host.Run(ctx, ssh.Command{Op: op, Script: h.script(fmt.Sprintf("look %d", port)), Sudo: true})
	if err != nil {
		return view{}, h.failed(op, host, out, err)
	}
	parts := strings.SplitN(out.Stdout, "\n", 4)
	if len(parts) < 4 || out.Truncated || fmt.Sprintf("%x", sha256.Sum256([]byte(parts[3]))) != parts[0] {
		return view{}, fault.New(fault.Protocol, op, host.Target(), "", errors.New("the machine's answer is not whole"))
	}
	return view{sha: parts[0], pending: parts[1] == "pending", sockets: strings.Trim(parts[2], "; "), text: parts[3]}, nil
}

// replace gives one machine a new configuration. again says that the old one
// was another by then. The text may hold passwords: it travels over stdin only.
func (h HAProxy) replace(ctx context.Context, host Host, e edit, base, text string) (again bool, err error) {
	call := fmt.Sprintf("replace %s %x %d %s", ssh.Quote(base), sha256.Sum256([]byte(text)), e.port, e.want)
	out, err := host.Run(ctx, ssh.Command{Op: e.op, Script: h.script(call), Stdin: strings.NewReader(text), Sudo: true})
	if err == nil {
		return false, nil
	}
	if out.ExitCode == 76 {
		return true, nil
	}
	return false, h.failed(e.op, host, out, err)
}

// failed names the exit codes of the library.
func (h HAProxy) failed(op string, host Host, out ssh.Result, err error) error {
	said := strings.ToValidUTF8(secret.Redact(strings.TrimSpace(out.Stderr)), "?")
	no := func(class fault.Class, fix, what string) error {
		if said != "" {
			what += ": " + said
		}
		return fault.New(class, op, host.Target(), fix, errors.New(what))
	}
	switch out.ExitCode {
	case 66:
		return no(fault.BadInput, "correct balancer.haproxy.config", "there is no configuration of HAProxy")
	case 69:
		return no(fault.BadInput, "install it on that machine, or name the machines that run HAProxy under systemd", "a program is missing there")
	case 74:
		return no(fault.Unreachable, "see that /run and the directory of the configuration can be written", "the configuration did not arrive whole, or could not be written; nothing was changed")
	case 75:
		return no(fault.Conflict, "wait for it, then retry", "another change of this load balancer has been under way for a minute")
	case 77:
		return no(fault.Refused, "mend the configuration by hand, then retry", "HAProxy refuses the configuration; nothing was changed")
	case 78:
		return no(fault.Failed, "see journalctl -u haproxy, then retry", "the change did not work and the configuration of before was put back")
	case 79:
		return no(fault.Failed, "mend HAProxy on that machine now", "the change did not work, and putting the configuration back failed too")
	case 80:
		return no(fault.Failed, "see journalctl -u haproxy, and which program has the port, then retry", "HAProxy does not do what its configuration says")
	}
	return err
}
