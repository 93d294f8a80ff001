package pair

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/acpflow/acpflow/checks"
)

// Roles are observed, never configured (DR-01). Both are empty when they can't
// be told.
type Roles struct {
	Primary string `json:"primary,omitempty"`
	Standby string `json:"standby,omitempty"`
	By      string `json:"by,omitempty"`  // the sign that told: SyncSign or NameSign
	Why     string `json:"why,omitempty"` // why they can't be told, or what contradicts
}

// Signs of a role.
const (
	SyncSign = "synchronizer" // the standby carries it
	NameSign = "name"         // the platform's domain points at the primary
)

// Roles tells who is who: the side with the synchronizer is the standby; where
// none has it, the side that the platform's domain points at is the primary.
// The other sign, where it is known, must agree, or Why names the contradiction.
func (f Facts) Roles() Roles {
	if len(f.Sides) != 2 {
		return Roles{Why: fmt.Sprintf("%d clusters are no pair", len(f.Sides))}
	}
	var carriers, unclear []string
	for _, s := range f.Sides {
		plugin, err := s.Plugin.Get()
		switch {
		case err != nil:
			unclear = append(unclear, s.Cluster)
		case plugin.Present:
			carriers = append(carriers, s.Cluster)
		}
	}
	named := ""
	if address, err := f.Address.Get(); err == nil {
		named = address.Cluster
	}
	switch {
	case len(carriers) == 2:
		return Roles{Why: "both sides carry the synchronizer: they would copy in opposite directions"}
	case len(carriers) == 1:
		r := Roles{Primary: f.other(carriers[0]), Standby: carriers[0], By: SyncSign}
		if named == r.Standby {
			r.Why = fmt.Sprintf("the platform's domain points at %s, which carries the synchronizer as a standby does", named)
		}
		return r
	case len(unclear) > 0 && named == "":
		return Roles{Why: "whether " + strings.Join(unclear, " and ") + " carries the synchronizer is not known, nor where the platform's domain points at"}
	case named == "":
		return Roles{Why: "no side carries the synchronizer, and the platform's domain tells neither"}
	}
	return Roles{Primary: named, Standby: f.other(named), By: NameSign}
}

// Doubt tells why nobody may act on the roles; "" = DR-01 passes and the
// platform's domain is known to point at the primary. Who is taken for the
// standby on one sign alone may be the side that users work on.
func (f Facts) Doubt() string {
	if v := judgeRoles(f); v.outcome != checks.Pass {
		return cmp.Or(v.reason, v.seen)
	}
	if a := f.Address.Value; a == nil || a.Cluster == "" {
		return "the platform's domain tells neither side"
	}
	return ""
}

func (f Facts) other(cluster string) string {
	for _, s := range f.Sides {
		if s.Cluster != cluster {
			return s.Cluster
		}
	}
	return ""
}

// side finds one by its cluster.
func (f Facts) side(cluster string) (Side, bool) {
	for _, s := range f.Sides {
		if s.Cluster == cluster {
			return s, true
		}
	}
	return Side{}, false
}

// Ledger is the one with the newest entry: the roles may have changed since, or
// may not be told. The last good check is the newest of all, whoever keeps it.
// Nothing is known only where no entry was found and a ledger could not be read.
func (f Facts) Ledger() Known[Ledger] {
	best, good, why := Known[Ledger]{}, (*Good)(nil), ""
	for _, s := range f.Sides {
		l, err := s.Ledger.Get()
		if err != nil || s.Fault != nil {
			why = "the ledger of " + s.Cluster + " can't be read: " + reasonOf(s, err)
			continue
		}
		if best.Value == nil || newest(l).After(newest(*best.Value)) {
			best = Of(l)
		}
		if l.Good != nil && (good == nil || l.Good.At.After(good.At)) {
			good = l.Good
		}
	}
	switch {
	case why != "" && (best.Value == nil || len(best.Value.Last) == 0): // what could not be read may hold more
		return Unknown[Ledger](why)
	case best.Value != nil:
		best.Value.Good = good
	}
	return best
}

func reasonOf(s Side, err error) string {
	if s.Fault != nil {
		return s.Fault.Message
	}
	return err.Error()
}

// Repairs counts those since the last good check, in the ledger that checks of
// today's roles write to: another one does not know of them.
func (f Facts) Repairs() (int, error) {
	standby, ok := f.side(f.Roles().Standby)
	if !ok {
		return 0, errors.New("no standby is known")
	}
	l, err := standby.Ledger.Get()
	return l.Repairs, err
}

func newest(l Ledger) time.Time {
	if len(l.Last) == 0 {
		return time.Time{}
	}
	return l.Last[0].At
}
