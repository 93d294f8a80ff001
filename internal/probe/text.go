package probe

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/internal/probe/wire"
	"github.com/acpflow/acpflow/internal/secret"
)

func isIPv4(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && a.Unmap().Is4()
}

// describe writes faults for a person, neighbouring ports in one word:
// "tcp/2379-2380 timed out".
func describe(faults []wire.Fault) []string {
	faults = slices.Clone(faults)
	slices.SortFunc(faults, func(a, b wire.Fault) int {
		return cmp.Or(cmp.Compare(b.Network, a.Network), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Cause, b.Cause))
	})
	var out []string
	for i := 0; i < len(faults); {
		first, last := faults[i], faults[i]
		for i++; i < len(faults) && faults[i].Network == first.Network && faults[i].Cause == first.Cause && faults[i].Port == last.Port+1; i++ {
			last = faults[i]
		}
		ports := fmt.Sprint(first.Port)
		if last.Port > first.Port {
			ports = fmt.Sprintf("%d-%d", first.Port, last.Port)
		}
		out = append(out, first.Network+"/"+ports+" "+first.Cause)
	}
	return slices.Compact(out)
}

// blocked is describe, short when nothing at all was reached for one reason.
func blocked(seen wire.Seen) []string {
	f := seen.Faults
	same := func(other wire.Fault) bool { return other.Cause == f[0].Cause }
	if len(f) > 1 && len(seen.Reached)+seen.Others == 0 && !slices.ContainsFunc(f, func(o wire.Fault) bool { return !same(o) }) {
		return []string{"every port " + f[0].Cause}
	}
	return describe(f)
}

// short is an error for a report of many: redacted, one line, bounded.
func short(err error) string {
	s := strings.Join(strings.Fields(strings.ToValidUTF8(secret.Redact(err.Error()), "?")), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}
