package checks

import (
	"slices"
	"strings"
)

// ConflictingPackage is a package on a node that must go before the install.
type ConflictingPackage struct {
	Manager string // rpm, dpkg or snap
	Name    string // exact
	Version string
	Why     string // when the document's list does not name it (RM-05)
}

// ConflictingPackages lists what CHK-24 and RM-05 fail for, by exact names. What
// only contains a listed name, such as python3-docker, may be harmless and is
// not among them.
func ConflictingPackages(in Input) ([]ConflictingPackage, error) {
	s, err := subjectOf(in)
	if err != nil {
		return nil, err
	}
	found, err := s.conflicting()
	if err != nil {
		return nil, err
	}
	var out []ConflictingPackage
	for _, p := range found {
		if p.listed || !strings.HasPrefix(p.why, "contains") {
			out = append(out, ConflictingPackage{p.manager, p.name, p.version, p.why})
		}
	}
	return out, nil
}

// Leftovers lists the paths that CHK-25 demands to be gone.
func Leftovers(in Input) ([]string, error) {
	e, err := editionOf(profileOf(in.Site))
	return e.leftovers, err
}

// LooseBinaries lists the programs that RM-00 fails for.
func LooseBinaries(in Input) ([]string, error) {
	s, err := subjectOf(in)
	if err != nil {
		return nil, err
	}
	text, err := s.text("binaries")
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(text) {
		path := strings.TrimSpace(line)
		name := path[strings.LastIndexByte(path, '/')+1:]
		if strings.HasPrefix(path, "/") && slices.ContainsFunc(s.edition.binaries, func(b string) bool { return named(name, b) }) {
			out = append(out, path)
		}
	}
	return out, nil
}
