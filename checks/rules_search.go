package checks

import (
	"fmt"
	"strings"
)

var rulesOfSearch = []Rule{searchCount, searchDomain, searchLength, searchEffect, searchBackup}

const withSearch = "/etc/resolv.conf has search domains"

var searchDomains = Rule{
	ID: "CHK-14", Title: "The node has no search domains", Source: headNetwork, Subject: OneNode, Category: Conditional,
	Condition: withSearch,
	Want:      "no search domains; those that are needed within the limits of DNS-01 to DNS-03",
	Fix:       "back up /etc/resolv.conf, then remove its search and domain lines, if nothing needs them",
	judge: func(s subject) verdict {
		domains, err := s.searchList()
		switch {
		case err != nil:
			return unknown(err)
		case len(domains) == 0:
			return pass("none")
		}
		return warn(clip(strings.Join(domains, " ")) + ": may stay if it is needed")
	},
}

// searchList is the search list in force: the last of the file.
func (f Facts) searchList() ([]string, error) {
	text, _, err := f.file("resolv") // without the file there are none
	if err != nil {
		return nil, err
	}
	var out []string
	for _, w := range split(text) {
		if w[0] == "search" || w[0] == "domain" {
			out = w[1:]
		}
	}
	return out, nil
}

// searchRule is one of the limits.
func searchRule(id, title, fix string, wants func(search) string, judge func(search, []string) verdict) Rule {
	return Rule{
		ID: id, Title: title, Source: headSearch, Subject: OneNode, Category: Conditional, Condition: withSearch,
		Fix:   "back up /etc/resolv.conf, then " + fix,
		wants: func(e edition) string { return wants(e.limits.search) },
		judge: func(s subject) verdict {
			domains, err := s.searchList()
			switch {
			case err != nil:
				return unknown(err)
			case len(domains) == 0:
				return skipped("no search domains")
			}
			return judge(s.edition.limits.search, domains)
		},
	}
}

var searchCount = searchRule("DNS-01", "Search domains are few enough", "take domains out of its search line",
	func(l search) string {
		return fmt.Sprintf("at most %d domains: Kubernetes adds 3 and knows %d", l.domains, l.domains+4)
	},
	func(l search, domains []string) verdict {
		if len(domains) > l.domains {
			return fail(fmt.Sprintf("%d domains", len(domains)))
		}
		return pass(fmt.Sprintf("%d domains", len(domains)))
	})

var searchDomain = searchRule("DNS-02", "No search domain is too long", "take the long domain out of its search line",
	func(l search) string { return fmt.Sprintf("at most %d characters for each domain", l.domain) },
	func(l search, domains []string) verdict {
		longest := 0
		for _, d := range domains {
			longest = max(longest, len(d))
		}
		if longest > l.domain {
			return fail(fmt.Sprintf("%d characters", longest))
		}
		return pass(fmt.Sprintf("%d characters", longest))
	})

var searchLength = searchRule("DNS-03", "The search list is not too long", "take domains out of its search line",
	func(l search) string {
		return fmt.Sprintf("at most %d characters in all, blanks included", l.inclusive)
	},
	func(l search, domains []string) verdict {
		n := len(strings.Join(domains, " "))
		if n > l.inclusive {
			return fail(fmt.Sprintf("%d characters", n))
		}
		return pass(fmt.Sprintf("%d characters", n))
	})

var searchEffect = Rule{
	ID: "DNS-04", Title: "What search domains outside the limits do", Source: headSearch, Subject: Person, Category: Must,
	Want: "names that resolve, and quickly: beyond the limits of DNS-01 to DNS-03 they may not", JudgedBy: "DNS-01, DNS-02 and DNS-03",
}

var searchBackup = Rule{
	ID: "DNS-05", Title: "/etc/resolv.conf is backed up before a change", Source: headSearch, Subject: Person, Category: Must,
	Want: "a copy of the file as it was", JudgedBy: "acpflow preflight --fix, which keeps one",
}
