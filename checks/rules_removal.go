package checks

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var rulesOfRemoval = []Rule{
	danger, looseBinaries,
	listRule("RM-01", "CentOS and RHEL", familyRedhat), listRule("RM-02", "Ubuntu", familyUbuntu), snapList,
	listRule("RM-04", "Kylin", familyKylin), morePackages,
}

const fixRemove = "see what runs on it and back up its data, then remove it by its exact name: "

// packageFound is a package on a node that must go before the install.
type packageFound struct {
	manager, name, version string
	listed                 bool   // the document's list names it
	why                    string // when not
}

func (p packageFound) String() string {
	out := clip(p.name)
	if p.version != "" {
		out += " " + clip(p.version)
	}
	if p.why != "" {
		out += " (" + p.why + ")"
	}
	return out
}

// conflicting sorts what the node has by the list of its family. Like the
// document's commands it finds names that contain a listed one, and says so.
func (s subject) conflicting() ([]packageFound, error) {
	id, _, err := s.release()
	if err != nil {
		return nil, err
	}
	list := s.edition.lists[familyOf(id)]
	lines, err := s.words("packages")
	if err != nil {
		return nil, err
	}
	var out []packageFound
	answered := false
	for _, w := range lines {
		p := packageFound{manager: w[0]}
		switch {
		case len(w) == 1 && (w[0] == "rpm" || w[0] == "dpkg"):
			answered = true
			continue
		case w[0] == "rpm" && len(w) == 3:
			p.name, p.version = w[1], w[2]
		case w[0] == "dpkg" && len(w) == 4:
			p.name, p.version = w[2], w[3]
			if strings.HasPrefix(w[1], "rc") || strings.HasPrefix(w[1], "un") || strings.HasPrefix(w[1], "pn") {
				continue // removed; only settings are left
			}
		default:
			return nil, fmt.Errorf("packages: not understood: %s", clip(strings.Join(w, " ")))
		}
		if p.sort(list) {
			out = append(out, p)
		}
	}
	if !answered {
		return nil, errors.New("packages: no package manager answered")
	}
	snaps, err := s.words("snaps")
	if err != nil {
		return nil, err
	}
	for _, w := range snaps {
		p := packageFound{manager: "snap", name: w[0]}
		if p.sort(packages{named: list.snaps}) {
			out = append(out, p)
		}
	}
	return out, nil
}

// sort says how a package conflicts, false when it does not.
func (p *packageFound) sort(list packages) bool {
	name, _, _ := strings.Cut(p.name, ":") // docker.io:amd64
	part := slices.IndexFunc(list.named, func(n string) bool { return strings.Contains(name, n) })
	switch {
	case slices.Contains(list.named, name):
		p.listed = true
	case slices.Contains(list.added, name):
		p.why = "not in the document's list"
	case part >= 0:
		p.why = "contains the listed name " + list.named[part]
	default:
		return false
	}
	return true
}

func (s subject) removal(found []packageFound) string {
	commands := map[string][]string{}
	for _, p := range found {
		commands[p.manager] = append(commands[p.manager], clip(p.name))
	}
	var out []string
	for _, c := range []struct{ manager, command string }{
		{"rpm", "yum remove "}, {"dpkg", "apt-get purge "}, {"snap", "snap remove --purge "},
	} {
		if names := commands[c.manager]; len(names) > 0 {
			out = append(out, c.command+strings.Join(names[:min(len(names), 20)], " "))
		}
	}
	return fixRemove + strings.Join(out, "; ")
}

var conflictingPackages = Rule{
	ID: "CHK-24", Title: "No package conflicts with the platform's components", Source: headSoftware, Subject: OneNode, Category: Must,
	Want: "none of the packages of RM-01 to RM-04",
	Fix:  fixRemove + "yum remove NAME, apt-get purge NAME or snap remove --purge NAME",
	judge: func(s subject) verdict {
		found, err := s.conflicting()
		if err != nil {
			return unknown(err)
		}
		v := s.judgePackages(found, true)
		if v.outcome == Pass && len(found) > 0 {
			return pass("none of these lists; see RM-05 for others")
		}
		return v
	},
}

// judgePackages tells the document's packages from the others. One that only
// contains a listed name, such as python3-docker, may be harmless.
func (s subject) judgePackages(found []packageFound, listed bool) verdict {
	found = slices.DeleteFunc(slices.Clone(found), func(p packageFound) bool { return p.listed != listed })
	if len(found) == 0 {
		return pass("none")
	}
	var names []string
	harmful := listed
	for _, p := range found {
		names = append(names, p.String())
		harmful = harmful || !strings.HasPrefix(p.why, "contains")
	}
	if !harmful {
		return warn(several(names)).withFix(s.removal(found))
	}
	return fail(several(names)).withFix(s.removal(found))
}

var morePackages = Rule{
	ID: "RM-05", Title: "No other package of that kind is there", Source: headRemoval, Subject: OneNode, Category: Must,
	Want: "none of " + strings.Join(addedEverywhere, ", ") + ", which the document's lists lack; and nothing whose name contains a listed one, " +
		"because the document's commands find that, too",
	Fix: fixRemove + "yum remove NAME or apt-get purge NAME",
	judge: func(s subject) verdict {
		found, err := s.conflicting()
		if err != nil {
			return unknown(err)
		}
		return s.judgePackages(found, false)
	},
}

var looseBinaries = Rule{
	ID: "RM-00", Title: "No conflicting program lies outside of packages", Source: headRemoval, Subject: OneNode, Category: Must,
	wants: func(e edition) string {
		return "none of " + strings.Join(e.binaries, ", ") + " in /usr/local/bin and the like"
	},
	Fix: "find out what uses them, then move them away",
	judge: func(s subject) verdict {
		text, err := s.text("binaries")
		if err != nil {
			return unknown(err)
		}
		var found []string
		for line := range strings.Lines(text) {
			path := strings.TrimSpace(line)
			name := path[strings.LastIndexByte(path, '/')+1:]
			if slices.ContainsFunc(s.edition.binaries, func(b string) bool { return named(name, b) }) {
				found = append(found, clip(path))
			}
		}
		if len(found) > 0 {
			return fail(several(found))
		}
		return pass("none")
	},
}

// named reports whether a program is meant by NAME, or by PREFIX*.
func named(name, pattern string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return name == pattern
}

// listRule is one of the document's lists.
func listRule(id, systems, family string) Rule {
	return Rule{
		ID: id, Title: "Conflicting packages of " + systems, Source: headRemoval, Subject: OneNode, Category: Conditional,
		Condition: "the node runs " + systems,
		wants:     func(e edition) string { return "none of " + strings.Join(e.lists[family].named, ", ") },
		Fix:       conflictingPackages.Fix, JudgedBy: "CHK-24",
	}
}

var snapList = Rule{
	ID: "RM-03", Title: "Conflicting snaps of Ubuntu", Source: headRemoval, Subject: OneNode, Category: Conditional,
	Condition: "the node runs Ubuntu",
	wants:     func(e edition) string { return "none of " + strings.Join(e.lists[familyUbuntu].snaps, ", ") },
	Fix:       conflictingPackages.Fix, JudgedBy: "CHK-24",
}

var danger = Rule{
	ID: "DANGER-01", Title: "Removing packages interrupts what runs on them", Source: headRemoval, Subject: Person, Category: Must, Strict: true,
	Want:     "a plan for what runs on them, and a backup of its data, before anything is removed",
	JudgedBy: "acpflow preflight --fix: it lists what runs, and removes nothing before a person approves",
}
