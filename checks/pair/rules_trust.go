package pair

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/acpflow/acpflow/checks"
)

// soon is when the end of a certificate is worth a warning.
const soon = 30 * 24 * time.Hour

// How far clocks may be apart: tokens and leases go wrong beyond.
const (
	clockWarn = 500 * time.Millisecond
	clockFail = 2 * time.Second
)

var rulesOfTrust = []Rule{
	{
		ID: "CARD-03", Title: "Both sides run the same versions", Source: headCard,
		Want: "the same platform and the same Kubernetes", Fix: "finish the upgrade on the side that is behind", both: judgeVersions,
	}, {
		ID: "CARD-04", Title: "Tokens of one side hold on the other", Source: headCard,
		Want: "the same issuer and signing keys", Fix: "after a failover, agents with copied tokens must get new ones: plan for it", both: judgeTokens,
	}, {
		ID: "DR-15", Title: "Both sides show the same certificate", Source: headPair,
		Want: "the platform's certificate at both VIPs", Fix: "replace the certificate on the side that differs", both: judgePlatformCertificate,
	}, {
		ID: "CARD-07", Title: "No certificate ends soon", Source: headCard,
		Want: "more than 30 days left", Fix: "renew it", side: judgeCertificates,
	}, {
		ID: "CARD-05", Title: "The clocks agree", Source: headCard,
		Want: "within 500 ms of the worker; more than 2 s fail", Fix: "mend the time synchronisation of the node, or of the worker if all are off", side: judgeClocks,
	},
}

func judgeVersions(f Facts) verdict {
	if len(f.Sides) != 2 {
		return unknown(fmt.Errorf("%d sides were looked at", len(f.Sides)))
	}
	var seen []string
	for _, s := range f.Sides {
		module, err := s.Platform.Get()
		kubernetes, kerr := s.Kubernetes.Get()
		if err := errors.Join(err, kerr); err != nil {
			return unknown(fmt.Errorf("%s: %w", s.Cluster, err))
		}
		if module.Version == "" || kubernetes == "" {
			return unknown(fmt.Errorf("%s does not tell its version", s.Cluster))
		}
		seen = append(seen, fmt.Sprintf("platform %s, Kubernetes %s", module.Version, kubernetes))
	}
	if seen[0] != seen[1] {
		return fail("%s: %s; %s: %s", f.Sides[0].Cluster, seen[0], f.Sides[1].Cluster, seen[1])
	}
	return pass("%s", seen[0])
}

// judgeTokens warns only: the vendor's own procedure gives each side keys of
// its own, and restarts what holds tokens after a failover.
func judgeTokens(f Facts) verdict {
	var all []Tokens
	for _, s := range f.Sides {
		t, err := s.Tokens.Get()
		if err != nil {
			return unknown(fmt.Errorf("%s: %w", s.Cluster, err))
		}
		if t.Issuer == "" || t.JWKS == "" {
			return unknown(fmt.Errorf("%s does not tell its issuer or its keys", s.Cluster))
		}
		all = append(all, t)
	}
	switch {
	case len(all) != 2:
		return unknown(fmt.Errorf("%d sides were looked at", len(all)))
	case all[0].Issuer != all[1].Issuer:
		return warn("issuers %s and %s", all[0].Issuer, all[1].Issuer)
	case all[0].JWKS != all[1].JWKS:
		return warn("signing keys %.12s and %.12s", all[0].JWKS, all[1].JWKS)
	}
	return pass("issuer %s, keys %.12s", all[0].Issuer, all[0].JWKS)
}

func judgePlatformCertificate(f Facts) verdict {
	var hashes []string
	for _, s := range f.Sides {
		all, err := s.Certificates.Get()
		if err != nil {
			return unknown(fmt.Errorf("%s: %w", s.Cluster, err))
		}
		i := slices.IndexFunc(all, func(c Certificate) bool { return c.Name == PlatformCertificate })
		switch {
		case i < 0:
			return unknown(fmt.Errorf("%s: the platform's certificate was not read", s.Cluster))
		case all[i].Fault != "":
			return unknown(fmt.Errorf("%s: %s", s.Cluster, all[i].Fault))
		case all[i].SHA256 == "":
			return unknown(fmt.Errorf("%s: the platform's certificate has no hash", s.Cluster))
		}
		hashes = append(hashes, all[i].SHA256)
	}
	switch {
	case len(hashes) != 2:
		return unknown(fmt.Errorf("%d sides were looked at", len(hashes)))
	case hashes[0] != hashes[1]:
		return fail("%s shows %.12s, %s shows %.12s", f.Sides[0].Cluster, hashes[0], f.Sides[1].Cluster, hashes[1])
	}
	return pass("%.12s", hashes[0])
}

func judgeCertificates(f Facts, s Side) verdict {
	all, err := s.Certificates.Get()
	if err != nil {
		return unknown(err)
	}
	if len(all) == 0 {
		return unknown(fmt.Errorf("no certificate was read"))
	}
	var ended, near, unread []string
	first := all[0]
	for _, c := range all {
		left := c.NotAfter.Sub(f.Judged)
		switch {
		case c.Fault != "" || c.NotAfter.IsZero():
			unread = append(unread, strings.TrimSuffix(c.Name+": "+c.Fault, ": "))
			continue
		case left <= 0:
			ended = append(ended, fmt.Sprintf("%s ended on %s", c.Name, c.NotAfter.UTC().Format(time.DateOnly)))
		case left < soon:
			near = append(near, fmt.Sprintf("%s ends on %s", c.Name, c.NotAfter.UTC().Format(time.DateOnly)))
		}
		if first.NotAfter.IsZero() || c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	switch {
	case len(ended) > 0:
		return fail("%s", some(append(ended, near...)))
	case len(unread) > 0:
		return unknown(fmt.Errorf("not read: %s", some(unread)))
	case len(near) > 0:
		return warn("%s", some(near))
	}
	return pass("%d certificates; the first to end is %s, on %s", len(all), first.Name, first.NotAfter.UTC().Format(time.DateOnly))
}

// judgeClocks takes the offset in the clock's favour: it lies between the two
// bounds. When they are too far apart nothing can be told.
func judgeClocks(_ Facts, s Side) verdict {
	all, err := s.Clocks.Get()
	if err != nil {
		return unknown(err)
	}
	if len(all) == 0 {
		return unknown(fmt.Errorf("no clock was read"))
	}
	var bad, off, unread []string
	for _, c := range all {
		least := offset(c)
		text := fmt.Sprintf("%s by %d ms", c.Node, least.Milliseconds())
		switch {
		case c.Fault != "":
			unread = append(unread, c.Node+": "+c.Fault)
		case least > clockFail:
			bad = append(bad, text)
		case least > clockWarn:
			off = append(off, text)
		case c.Most-c.Least > clockFail:
			unread = append(unread, fmt.Sprintf("%s took %d ms to answer", c.Node, (c.Most-c.Least).Milliseconds()))
		}
	}
	switch {
	case len(bad) > 0:
		return fail("off: %s", some(append(bad, off...)))
	case len(unread) > 0:
		return unknown(fmt.Errorf("%s", some(unread)))
	case len(off) > 0:
		return verdict{outcome: checks.Warn, seen: "off: " + some(off)}
	}
	return pass("%d clocks", len(all))
}

// offset is the least by which the clock must be off.
func offset(c Clock) time.Duration {
	switch {
	case c.Least > 0:
		return c.Least
	case c.Most < 0:
		return -c.Most
	}
	return 0
}
