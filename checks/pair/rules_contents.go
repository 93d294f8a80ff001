package pair

import (
	"fmt"
	"slices"
	"strings"
)

var rulesOfContents = []Rule{
	{
		ID: machines, Title: "Every Machine is Running", Source: headFail,
		Want: "all machines.platform.tkestack.io Running, none being deleted", Fix: "kubectl get machines.platform.tkestack.io; do not uninstall the synchronizer before all run",
		side: func(_ Facts, s Side) verdict {
			m, err := s.Machines.Get()
			if err != nil {
				return unknown(err)
			}
			var bad []string
			for _, b := range m.Bad {
				text := fmt.Sprintf("%s %s", b.Name, b.Phase)
				if b.Deleting {
					text += " (being deleted)"
				}
				bad = append(bad, text)
			}
			switch {
			case len(bad) > 0:
				return fail("%s", some(bad))
			case m.Total == 0:
				return unknown(fmt.Errorf("there is no Machine at all"))
			}
			return pass("%d Machines", m.Total)
		},
	}, {
		ID: "DR-07", Title: "What is never synchronised is alike on both sides", Source: headPair,
		Want: "the same objects in the excluded namespaces that users fill", Fix: "create what is missing on the other side, too: no synchronizer copies these namespaces", both: judgeInventory,
	}, {
		ID: "DR-34", Title: "Both sides have the same optional components", Source: headFail,
		Want: "the same of those that a failover restarts", Fix: "install the component on the other side, or expect a failover without it", both: judgeComponents,
	},
}

// judgeInventory warns: these namespaces are the users' to keep alike.
func judgeInventory(f Facts) verdict {
	if len(f.Sides) != 2 {
		return unknown(fmt.Errorf("%d sides were looked at", len(f.Sides)))
	}
	var sides [2]map[string]Kind
	total := 0
	for i, s := range f.Sides {
		all, err := s.Inventory.Get()
		if err != nil {
			return unknown(fmt.Errorf("%s: %w", s.Cluster, err))
		}
		sides[i] = map[string]Kind{}
		for _, k := range all {
			sides[i][k.Namespace+"/"+k.Kind] = k
			total += k.Count
		}
	}
	var differences []string
	for _, key := range sortedKeys(sides[0], sides[1]) {
		a, b := sides[0][key], sides[1][key]
		if a.Hash == b.Hash && a.Count == b.Count {
			continue
		}
		differences = append(differences, difference(key, f.Sides[0].Cluster, a, f.Sides[1].Cluster, b))
	}
	if len(differences) > 0 {
		return warn("%s", some(differences))
	}
	return pass("%d objects", total)
}

func sortedKeys(a, b map[string]Kind) []string {
	var out []string
	for _, m := range []map[string]Kind{a, b} {
		for key := range m {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func difference(key, nameA string, a Kind, nameB string, b Kind) string {
	out := fmt.Sprintf("%s: %d on %s, %d on %s", key, a.Count, nameA, b.Count, nameB)
	if len(a.Names) < a.Count || len(b.Names) < b.Count {
		return out // not all names are known
	}
	var only []string
	for _, n := range a.Names {
		if !slices.Contains(b.Names, n) {
			only = append(only, n+" only on "+nameA)
		}
	}
	for _, n := range b.Names {
		if !slices.Contains(a.Names, n) {
			only = append(only, n+" only on "+nameB)
		}
	}
	return out + " (" + some(only) + ")"
}

func judgeComponents(f Facts) verdict {
	var all [][]string
	for _, s := range f.Sides {
		c, err := s.Components.Get()
		if err != nil {
			return unknown(fmt.Errorf("%s: %w", s.Cluster, err))
		}
		all = append(all, c)
	}
	if len(all) != 2 {
		return unknown(fmt.Errorf("%d sides were looked at", len(all)))
	}
	text := func(c []string) string {
		if len(c) == 0 {
			return "none"
		}
		return strings.Join(c, ", ")
	}
	if !slices.Equal(all[0], all[1]) {
		return warn("%s: %s; %s: %s", f.Sides[0].Cluster, text(all[0]), f.Sides[1].Cluster, text(all[1]))
	}
	return pass("%s", text(all[0]))
}
