package pair

import (
	"fmt"

	"github.com/acpflow/acpflow/checks"
)

// Ids that code elsewhere asks for.
const (
	Installed = "DR-31"         // the synchronizer is installed; its absence can be waived
	VendorSay = "DR-33"         // the vendor's own check
	Equal     = "DR-41-proof"   // acpflow's proof
	reachable = "CARD-01"       // the side answers
	running   = "DR-32"         // the synchronizer runs
	lag       = "CARD-10"       // the canary
	machines  = "DR-41-machine" // Machines are Running
)

// needSync are rules that make no sense without a synchronizer.
var needSync = []string{running, VendorSay, Equal, lag}

var rulesOfRoles = []Rule{
	{
		ID: reachable, Title: "The side answers", Source: headCard,
		Want: "a control plane answers over SSH, and the API behind it", Fix: "look at the side's machines and at the network to them; if it is lost, decide about a failover",
		side: func(_ Facts, s Side) verdict {
			switch {
			case s.Fault != nil:
				return fail("%s: %s", s.Fault.Class, s.Fault.Message)
			case s.Taken.IsZero():
				return unknown(fmt.Errorf("the side was not looked at"))
			}
			return pass("read")
		},
	}, {
		ID: "DR-01", Title: "Who is primary is clear, and all signs agree", Source: headPair,
		Want: "one side carries the synchronizer, and the platform's domain points at the other", Fix: "decide which side is the primary; point the domain at it and remove the synchronizer from it",
		both: judgeRoles,
	}, {
		ID: "CARD-02", Title: "The two sides are two clusters", Source: headCard,
		Want: "another UID of namespace kube-system on each side", Fix: "correct the addresses of the nodes in the site document: both sides lead to one cluster",
		both: func(f Facts) verdict {
			var uids []string
			for _, s := range f.Sides {
				uid, err := s.UID.Get()
				if err != nil || uid == "" {
					return unknown(fmt.Errorf("the UID of %s is not known: %w", s.Cluster, orEmpty(err)))
				}
				uids = append(uids, uid)
			}
			if len(uids) != 2 {
				return unknown(fmt.Errorf("%d sides were looked at", len(uids)))
			}
			if uids[0] == uids[1] {
				return fail("both sides are the cluster %s", uids[0])
			}
			return pass("%s and %s", uids[0], uids[1])
		},
	},
}

func judgeRoles(f Facts) verdict {
	r := f.Roles()
	_, addressErr := f.Address.Get()
	for _, s := range f.Sides {
		if _, err := s.Plugin.Get(); err != nil {
			v := unknown(fmt.Errorf("whether %s carries the synchronizer is not known: %w", s.Cluster, err))
			v.seen = seenRoles(r)
			return v
		}
	}
	switch {
	case r.Why != "" && addressErr == nil:
		return fail("%s", r.Why)
	case addressErr != nil:
		v := unknown(fmt.Errorf("where the platform's domain points at is not known: %w", addressErr))
		v.seen = seenRoles(r)
		return v
	}
	return verdict{outcome: checks.Pass, seen: seenRoles(r)}
}

func seenRoles(r Roles) string {
	if r.Primary == "" {
		return ""
	}
	return fmt.Sprintf("primary %s, standby %s, by the %s", r.Primary, r.Standby, r.By)
}

// orEmpty is the reason of a fact that was read and holds nothing.
func orEmpty(err error) error {
	if err == nil {
		return fmt.Errorf("it is empty")
	}
	return err
}
