package pair

import (
	"fmt"
	"strings"
)

var rulesOfKeys = []Rule{
	{
		ID: "DR-22", Title: "Both sides fit the contract of the pair", Source: headPair,
		Want: "the same address, certificate, registry, credentials and administrator", Fix: "correct the side that differs; the site document says what was agreed on", both: judgeContract,
	}, {
		ID: "DR-24", Title: "Every control plane has the same encryption keys", Source: headPair,
		Want: "the same encryption-provider.conf on all control planes of both sides, root:root 0600", Fix: "acpflow merge-keys brings the keys of both sides together", both: judgeKeys,
	}, {
		ID: "CARD-09", Title: "Every Secret can be decrypted", Source: headCard,
		Want: "the API server reads the Secrets of every namespace", Fix: "a key is missing on this side: acpflow merge-keys brings the keys of both sides together",
		side: func(_ Facts, s Side) verdict {
			v, err := s.Secrets.Get()
			switch {
			case err != nil:
				return unknown(err)
			case len(v.Failed) > 0:
				return fail("%s", some(v.Failed))
			}
			return pass("%d Secrets read", v.Read)
		},
	},
}

func judgeContract(f Facts) verdict {
	c, err := f.Contract.Get()
	switch {
	case err != nil:
		return unknown(err)
	case len(c.Differences) > 0:
		return fail("%s", strings.Join(c.Differences, "; "))
	case c.Compared == 0:
		return unknown(fmt.Errorf("nothing was compared"))
	}
	return pass("%d terms", c.Compared)
}

// judgeKeys compares every file with the first: file by file, because a file
// that lacks one key is as harmful on one node as on all.
func judgeKeys(f Facts) verdict {
	var first KeyFile
	var wrong []string
	files := 0
	for _, s := range f.Sides {
		all, err := s.Keys.Get()
		if err != nil {
			return unknown(fmt.Errorf("%s: %w", s.Cluster, err))
		}
		if len(all) == 0 {
			return unknown(fmt.Errorf("%s: no control plane was read", s.Cluster))
		}
		for _, k := range all {
			if k.Fault != "" {
				return unknown(fmt.Errorf("%s: %s", k.Node, k.Fault))
			}
			if files++; files == 1 {
				first = k
			}
			wrong = append(wrong, wrongKeys(k, first)...)
		}
	}
	switch {
	case len(f.Sides) != 2:
		return unknown(fmt.Errorf("%d sides were looked at", len(f.Sides)))
	case len(wrong) > 0:
		return fail("%s", strings.Join(wrong, "; "))
	}
	return pass("%d files, %d keys, %.12s", files, len(first.Keys), first.SHA256)
}

func wrongKeys(k, first KeyFile) []string {
	var out []string
	switch {
	case k.Absent:
		return []string{k.Node + " has no file"}
	case first.Absent: // told of the first already
	case k.SHA256 != first.SHA256 && strings.Join(k.Keys, " ") != strings.Join(first.Keys, " "):
		out = append(out, fmt.Sprintf("%s has the keys %s, %s has %s", k.Node, keysOf(k), first.Node, keysOf(first)))
	case k.SHA256 != first.SHA256:
		out = append(out, fmt.Sprintf("the files of %s and %s differ in more than their keys", k.Node, first.Node))
	}
	if k.Owner != "root:root" || k.Mode != "0600" {
		out = append(out, fmt.Sprintf("the file of %s is %s %s", k.Node, k.Owner, k.Mode))
	}
	return out
}

func keysOf(k KeyFile) string {
	if len(k.Keys) == 0 {
		return "(none)"
	}
	return strings.Join(k.Keys, ", ")
}
