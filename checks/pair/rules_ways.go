package pair

import (
	"fmt"
	"slices"
	"strings"
)

const etcdPort = 2379

var rulesOfWays = []Rule{
	{
		ID: "DR-10", Title: "The VIP forwards the platform's ports", Source: headPair,
		Want: "80, 443, 6443 and 11443 in plain TCP", Fix: "add the rule to the load balancer",
		side: func(_ Facts, s Side) verdict { return judgePorts(s, 80, 443, 6443, 11443) },
	}, {
		ID: "DR-30", Title: "The VIP forwards etcd in plain TCP", Source: headSync,
		Want: "2379, not in layer 7", Fix: "forward 2379 to the control planes in mode tcp",
		side: func(_ Facts, s Side) verdict { return judgePorts(s, etcdPort) },
	}, {
		ID: "DR-42", Title: "The platform's domain points at one side, on every server", Source: headFail,
		Want: "the primary's VIP, from every authoritative server and resolver", Fix: "correct the record; resolvers follow when its time to live is over", both: judgeName,
	}, {
		ID: "CARD-06", Title: "The domain's records can be changed quickly", Source: headCard,
		Want: "a time to live of at most dr.dns.ttl", Fix: "lower the record's TTL now: a failover waits as long as caches may keep the old one", both: judgeTTL,
	},
}

func judgePorts(s Side, ports ...int) verdict {
	all, err := s.Forwards.Get()
	if err != nil {
		return unknown(err)
	}
	var wrong, unclear []string
	for _, port := range ports {
		i := slices.IndexFunc(all, func(f Forward) bool { return f.Port == port })
		if i < 0 {
			unclear = append(unclear, fmt.Sprintf("%d was not looked at", port))
			continue
		}
		switch f := all[i]; {
		case f.Mode != "" && f.Mode != "tcp":
			wrong = append(wrong, fmt.Sprintf("%d is forwarded in mode %s", port, f.Mode))
		case f.Plain != nil && !*f.Plain:
			wrong = append(wrong, fmt.Sprintf("%d does not pass bytes unchanged: %s", port, f.Error))
		case !f.Reachable && !f.Configured:
			wrong = append(wrong, strings.TrimSuffix(fmt.Sprintf("%d is not forwarded: %s", port, f.Error), ": "))
		case !f.Reachable:
			wrong = append(wrong, strings.TrimSuffix(fmt.Sprintf("nothing answers behind %d: %s", port, f.Error), ": "))
		case port == etcdPort && f.Plain == nil:
			unclear = append(unclear, strings.TrimSuffix(fmt.Sprintf("whether %d passes bytes unchanged: %s", port, f.Error), ": "))
		}
	}
	switch {
	case len(wrong) > 0:
		return fail("%s", strings.Join(wrong, "; "))
	case len(unclear) > 0:
		return unknown(fmt.Errorf("not known: %s", strings.Join(unclear, "; ")))
	}
	return pass("%s", strings.Trim(fmt.Sprint(ports), "[]"))
}

func judgeName(f Facts) verdict {
	a, err := f.Address.Get()
	if err != nil {
		return unknown(err)
	}
	if len(a.Answers) == 0 {
		return unknown(fmt.Errorf("no server was asked"))
	}
	var said []string
	for _, answer := range a.Answers {
		said = append(said, fmt.Sprintf("%s: %s", answer.Server, strings.Join(answer.Addresses, " ")))
	}
	switch {
	case a.Cluster == "" || a.Stale:
		return fail("not one side everywhere: %s", some(said))
	case len(a.Silent) > 0:
		return unknown(fmt.Errorf("no answer from %s", some(a.Silent)))
	}
	return pass("%s, say %d servers", a.Cluster, len(a.Answers))
}

// judgeTTL warns: a long time to live makes a failover slow, not wrong.
func judgeTTL(f Facts) verdict {
	a, err := f.Address.Get()
	if err != nil {
		return unknown(err)
	}
	want := 30
	if f.Site.DR.DNS != nil && f.Site.DR.DNS.TTL > 0 {
		want = f.Site.DR.DNS.TTL
	}
	if a.TTL > want {
		return warn("%d s, more than %d s", a.TTL, want)
	}
	return pass("%d s", a.TTL)
}
