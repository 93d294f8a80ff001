package checks

import (
	"slices"
	"strings"
)

func searching(domains string) said {
	return said{"resolv": "nameserver 192.0.2.53\nsearch " + domains + "\n"}
}

func repeated(word string, n int) string { return strings.TrimSpace(strings.Repeat(word+" ", n)) }

var (
	noSearch      = ruleCase{"no search domains", nil, nil, Skipped, "no search domains"}
	noResolv      = ruleCase{"no file", said{"resolv": "!66"}, nil, Skipped, "no search domains"}
	resolvUnknown = ruleCase{"unknown", said{"resolv": "!1"}, nil, Error, "resolv"}

	_ = cases("CHK-14", []ruleCase{
		{"none", nil, nil, Pass, "none"},
		{"one", searching("example.com"), nil, Warn, "example.com"},
		{"domain", said{"resolv": "domain example.com\n"}, nil, Warn, "example.com"},
		{"the last line counts", said{"resolv": "search example.com\nsearch\n"}, nil, Pass, ""},
		{"commented out", said{"resolv": "#search example.com\n; search example.com\n"}, nil, Pass, ""},
		{"hostile", searching("\x1b[2J"), nil, Warn, `\x1b[2J`},
		resolvUnknown,
	})
	_ = cases("DNS-01", limited(searching(repeated("a.b", 28)), searching(repeated("a.b", 29)), "29 domains"))
	_ = cases("DNS-02", limited(searching("a "+strings.Repeat("x", 253)), searching(strings.Repeat("x", 254)+" a"), "254 characters"))
	// The document's example: 3 domains of 11 characters are 35 in all.
	_ = cases("DNS-03", slices.Concat(
		limited(searching(repeated(strings.Repeat("x", 31), 64)+"y"), searching(repeated(strings.Repeat("x", 31), 64)+"yz"), "2049 characters"),
		[]ruleCase{{"the example", searching("domain1.com domain2.com domain3.com"), nil, Pass, "35 characters"}}))
)

func limited(good, bad said, seen string) []ruleCase {
	out := []ruleCase{noSearch, noResolv, resolvUnknown}
	for _, p := range []string{seed, acp41, acp42} {
		out = append(out, ruleCase{p, good, profile(p), Pass, ""}, ruleCase{p + " too much", bad, profile(p), Fail, seen})
	}
	return out
}
