package balancer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
)

// marks fence off the section that acpflow added.
func marks(port int) (begin, end string) {
	return fmt.Sprintf("# acpflow: begin %d", port), fmt.Sprintf("# acpflow: end %d", port)
}

// ours finds the fenced lines [from, to) of a port; -1 when there are none.
func ours(lines []string, port int) (from, to int) {
	begin, end := marks(port)
	from = -1
	for i, line := range lines {
		switch strings.TrimSpace(line) {
		case begin:
			from = i
		case end:
			if from >= 0 {
				return from, i + 1
			}
		}
	}
	return -1, -1
}

// withForward returns the configuration with the port opened, unchanged when it
// is open already.
func withForward(text, vip string, f Forward, op, place string) (string, error) {
	lines := strings.Split(text, "\n")
	from, to := ours(lines, f.Port)
	rest := lines
	if from >= 0 {
		rest = slices.Concat(lines[:from], lines[to:])
	}
	sections := parse(strings.Join(rest, "\n"))
	for _, other := range forwards(sections, vip) {
		if other.Same(f) { // and a section of ours beside it is one too many
			return strings.Join(rest, "\n"), nil
		}
		if other.Port == f.Port {
			return "", unlike(op, place, other, f)
		}
	}
	if err := noRange(sections, vip, f.Port, op, place); err != nil {
		return "", err
	}
	mine := ownSection(bindAddress(sections, vip), f)
	if from >= 0 {
		return strings.Join(slices.Concat(lines[:from], mine, lines[to:]), "\n"), nil
	}
	text = strings.TrimRight(text, "\n")
	return text + "\n\n" + strings.Join(mine, "\n") + "\n", nil
}

// ownSection is what acpflow adds. A watch of etcd may be silent for long, so a
// dead peer is found out by keep-alives, not by a short time-out.
func ownSection(address string, f Forward) []string {
	begin, end := marks(f.Port)
	out := []string{
		begin,
		"# Made by acpflow, which removes it when the port is closed again.",
		fmt.Sprintf("listen acpflow-%d", f.Port),
		fmt.Sprintf("\tbind %s:%d", address, f.Port),
		"\tmode tcp",
		"\toption clitcpka",
		"\toption srvtcpka",
		"\ttimeout connect 5s",
		"\ttimeout client 1h",
		"\ttimeout server 1h",
		"\ttimeout check 3s",
		"\tdefault-server inter 2s fall 2 rise 2",
	}
	for i, b := range canonical(f.Backends) {
		out = append(out, fmt.Sprintf("\tserver cp-%d %s check", i+1, b))
	}
	return append(out, end)
}

// bindAddress is how the other ports are bound: to the VIP, or to every address,
// which a keepalived pair needs where the VIP may be on the other machine.
func bindAddress(sections []section, vip string) string {
	wild := ""
	for _, s := range sections {
		for _, b := range s.binds {
			if sameAddress(b.address, vip) {
				return bracketed(vip)
			}
			if b.wild() && b.mode == "" && s.mode == TCP {
				wild = strings.TrimSuffix(b.original, ":"+strconv.Itoa(b.port))
				if wild == "" {
					wild = "*"
				}
			}
		}
	}
	if wild != "" {
		return wild
	}
	return bracketed(vip)
}

func bracketed(address string) string {
	if strings.Contains(address, ":") {
		return "[" + address + "]"
	}
	return address
}

// noRange refuses ports that are one of a range: nothing of it can be taken out.
func noRange(sections []section, vip string, port int, op, place string) error {
	for _, s := range sections {
		for _, b := range s.binds {
			if b.last > b.port && b.has(vip, port) {
				return fault.New(fault.Gate, op, place, "list the ports of that bind line one by one, then retry",
					fmt.Errorf("%s %s binds the range %s", s.kind, s.name, b.original))
			}
		}
	}
	return nil
}

// withoutForward returns the configuration with the port closed, whoever opened
// it. A section that serves other ports too loses this one only, and a backend
// stays: by itself it listens nowhere.
func withoutForward(text, vip string, port int, op, place string) (string, error) {
	lines := strings.Split(text, "\n")
	if from, to := ours(lines, port); from >= 0 {
		lines = cut(lines, from, to)
	}
	for {
		sections := parse(strings.Join(lines, "\n"))
		if err := noRange(sections, vip, port, op, place); err != nil {
			return "", err
		}
		next, found := dropBind(lines, sections, vip, port)
		if !found {
			return strings.Join(lines, "\n"), nil
		}
		if len(next) == len(lines) && slices.Equal(next, lines) {
			return "", fault.New(fault.Gate, op, place, "close the port by hand, then retry", errors.New("its bind line is not understood"))
		}
		lines = next
	}
}

// dropBind takes one bind of the port out of the lines.
func dropBind(lines []string, sections []section, vip string, port int) ([]string, bool) {
	for _, s := range sections {
		others := slices.ContainsFunc(s.binds, func(b bind) bool { return !b.has(vip, port) })
		for _, b := range s.binds {
			switch {
			case !b.has(vip, port):
			case !others:
				return cut(lines, s.first, s.end), true
			case b.alone:
				return cut(lines, b.line, b.line+1), true
			default:
				next := slices.Clone(lines)
				next[b.line] = withoutAddress(lines[b.line], b.original)
				return next, true
			}
		}
	}
	return lines, false
}

// withoutAddress takes one address out of the list of a bind line.
func withoutAddress(line, address string) string {
	for _, w := range strings.Fields(line) {
		parts := strings.Split(w, ",")
		if i := slices.Index(parts, address); i >= 0 && len(parts) > 1 {
			return strings.Replace(line, w, strings.Join(slices.Delete(parts, i, i+1), ","), 1)
		}
	}
	return line
}

// cut removes the lines [from, to) and one of the empty lines around them.
func cut(lines []string, from, to int) []string {
	blank := func(i int) bool { return i >= 0 && i < len(lines) && strings.TrimSpace(lines[i]) == "" }
	if blank(from-1) && (to >= len(lines) || blank(to)) {
		from--
	}
	return slices.Concat(lines[:from], lines[to:])
}
