// Package balancer opens and closes ports of the load balancer in front of a
// cluster's VIP (DR-10, DR-30, DR-42): plain TCP to the control planes, nothing
// else. Nothing here retries; every error is a *fault.Error.
package balancer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
)

// TCP is the mode in which bytes pass unchanged, the only one that Open makes.
const TCP = "tcp"

// Forward is a port of the VIP and where it leads.
type Forward struct {
	Port     int      `json:"port"`
	Mode     string   `json:"mode"`     // "tcp", or what it is: "http", "tls" (ended there), "mixed"
	Backends []string `json:"backends"` // host:port, sorted
}

// Driver changes a load balancer. Open and Close report whether they changed
// anything; doing either twice is doing it once. Open never rewrites what
// somebody else set up differently: that is a fault.Gate.
type Driver interface {
	Forwards(ctx context.Context) ([]Forward, error)
	Open(ctx context.Context, f Forward) (changed bool, err error)
	Close(ctx context.Context, port int) (changed bool, err error)
}

// Same reports whether two forwards lead to the same places in the same mode.
func (f Forward) Same(other Forward) bool {
	return f.Port == other.Port && f.Mode == other.Mode && slices.Equal(canonical(f.Backends), canonical(other.Backends))
}

// check refuses what no driver may open.
func (f Forward) check(op, place string) error {
	bad := func(format string, args ...any) error {
		return fault.New(fault.BadInput, op, place, "", fmt.Errorf(format, args...))
	}
	if f.Port < 1 || f.Port > 65535 {
		return bad("%d is no port", f.Port)
	}
	if f.Mode != TCP {
		return bad("mode %q: only plain TCP is opened", f.Mode)
	}
	if len(f.Backends) == 0 {
		return bad("no backend")
	}
	for _, b := range f.Backends {
		if _, err := netip.ParseAddrPort(b); err != nil {
			return bad("the backend %q is no address:port", b)
		}
	}
	return nil
}

// unlike is the gate that stops Open from rewriting what is there.
func unlike(op, place string, is, want Forward) error {
	var why []string
	if is.Mode != want.Mode {
		why = append(why, fmt.Sprintf("it is in mode %s, and %d must be plain TCP", is.Mode, want.Port))
	}
	if !slices.Equal(canonical(is.Backends), canonical(want.Backends)) {
		why = append(why, fmt.Sprintf("it leads to %s, wanted is %s", orNothing(canonical(is.Backends)), strings.Join(canonical(want.Backends), " ")))
	}
	return fault.New(fault.Gate, op, place, "correct that section by hand, or remove it so that acpflow makes its own, then retry",
		errors.New("the port is forwarded already, but "+strings.Join(why, "; ")))
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "no server"
	}
	return strings.Join(list, " ")
}

func canonical(backends []string) []string {
	out := make([]string, 0, len(backends))
	for _, b := range backends {
		if a, err := netip.ParseAddrPort(b); err == nil {
			b = netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
		}
		out = append(out, b)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Backend writes host and port as one word.
func Backend(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
