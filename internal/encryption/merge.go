package encryption

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
)

// Merge is what both sides end with (FAQ-02) and the way there.
//
// A stored value begins with the NAME of the key that wrote it. So the document's
// "rename the standby's key1 to key2" alone makes everything unreadable that the
// standby has written as key1: its own Secrets must be written anew under the new
// name before the primary's key takes the old one. And on every side a key
// must be readable on all nodes before one node writes with it. The standby's
// stages are made so; each is whole on every node before the next begins.
//
// While both keys of one name are in use, the primary's is in a provider of its
// own behind the standby's: the kube-apiserver tries every provider. What was
// synchronised already stays readable so, but for the values that Config.Reads finds.
type Merge struct {
	// Merged is the last file of every node of both sides: the primary's keys in
	// their order, then the standby's.
	Merged Config
	// Standby's stages, the last one equal to Merged. Primary needs only Merged,
	// because its first key stays the one that writes.
	Standby []Stage
	// Renamed are the standby's keys whose name the primary uses for another key.
	Renamed []Rename
}

// Stage is a file that all control planes of a side get, one after the other.
type Stage struct {
	Kind    Kind
	Config  Config
	Rewrite bool // when all have it, write every Secret anew that is stored under a renamed key's old name
	Writes  bool // from here a key writes that the file before could not read: going back is unsafe
}

// Kind names what a stage is for.
type Kind string

// The stages in their order. The first two are there only when a name is to change.
const (
	NewNames        Kind = "every key is readable under its new name too"
	WriteNewName    Kind = "the new name is the one that is written"
	PrimaryReadable Kind = "the primary's keys are readable"
	PrimaryWrites   Kind = "the primary's key is the one that writes"
)

// Rename is a key that gets another name.
type Rename struct {
	From, To string
	SHA256   string // of the key
}

// Plan merges two files. What it does not understand whole, or two files of
// different shapes, is fault.Gate.
func Plan(primary, standby Config) (Merge, error) {
	refuse := func(cause error) (Merge, error) {
		return Merge{}, fault.New(fault.Gate, "merge the encryption configurations", "", "merge these files by hand", cause)
	}
	p, err := primary.only()
	if err != nil {
		return refuse(fmt.Errorf("the primary's: %w", err))
	}
	s, err := standby.only()
	if err != nil {
		return refuse(fmt.Errorf("the standby's: %w", err))
	}
	if !sameResources(primary, standby) || primary.plain() != standby.plain() {
		return refuse(fmt.Errorf("they differ in more than keys: %s, and %s", primary.Describe(), standby.Describe()))
	}
	colliding := func(k key) bool {
		return slices.ContainsFunc(p, func(o key) bool { return o.name == k.name && !o.same(k) })
	}
	var out Merge
	var renamed, fresh []key // the standby's keys under their last names; the new ones of these
	for _, k := range s {
		if !colliding(k) {
			renamed = append(renamed, k)
			continue
		}
		to := key{name: newName(k, p, s, fresh), material: k.material}
		out.Renamed = append(out.Renamed, Rename{From: k.name, To: to.name, SHA256: Hash(k.material)})
		fresh = append(fresh, to)
		renamed = append(renamed, to)
	}
	out.Merged = primary.with(union(p, renamed))
	if len(fresh) > 0 {
		if r := standby.groups[0].resources; !slices.Equal(r, []string{"secrets"}) {
			return refuse(fmt.Errorf("a key must be renamed, and acpflow writes only Secrets anew, not %s", strings.Join(r, ", ")))
		}
		all := union(s, fresh)
		out.stage(Stage{Kind: NewNames, Config: standby.with(all, p...)})
		if colliding(s[0]) { // the writing key: it writes under the new name from now on
			all = union([]key{renamed[0]}, all)
			out.stage(Stage{Kind: WriteNewName, Config: standby.with(all, p...), Writes: true})
		}
		out.Standby[len(out.Standby)-1].Rewrite = true
	}
	out.stage(Stage{Kind: PrimaryReadable, Config: standby.with(union(renamed, p))})
	out.stage(Stage{Kind: PrimaryWrites, Config: out.Merged, Writes: true})
	return out, nil
}

func (m *Merge) stage(s Stage) { m.Standby = append(m.Standby, s) }

// only returns the keys of a file that acpflow can merge: one entry whose first
// provider is aescbc, as the platform's installer writes it; identity may follow.
func (c Config) only() ([]key, error) {
	if len(c.groups) != 1 {
		return nil, fmt.Errorf("it has %d entries, acpflow merges files with one", len(c.groups))
	}
	providers := c.groups[0].providers
	if providers[0].kind != AESCBC || len(providers) > 2 || len(providers) == 2 && providers[1].kind != Identity {
		return nil, fmt.Errorf("its providers are %s, acpflow merges aescbc, and identity after it", c.Describe())
	}
	names := map[string]bool{}
	for _, k := range providers[0].keys {
		if names[k.name] {
			return nil, errors.New("two of its keys have one name")
		}
		names[k.name] = true
	}
	return providers[0].keys, nil
}

// plain reports whether values that are not encrypted are readable.
func (c Config) plain() bool { return len(c.groups[0].providers) == 2 }

func sameResources(a, b Config) bool {
	x, y := slices.Sorted(slices.Values(a.groups[0].resources)), slices.Sorted(slices.Values(b.groups[0].resources))
	return slices.Equal(x, y)
}

// with is the file with other keys, and some that are only for reading.
func (c Config) with(keys []key, behind ...key) Config {
	g := c.groups[0]
	rest := g.providers[1:]
	g.providers = []provider{{kind: AESCBC, keys: keys}}
	if len(behind) > 0 {
		g.providers = append(g.providers, provider{kind: AESCBC, keys: behind})
	}
	g.providers = append(g.providers, rest...)
	return Config{groups: []group{g}}
}

func (k key) same(o key) bool { return string(k.material.Reveal()) == string(o.material.Reveal()) }

// union keeps the first of each name. The same material under two names stays
// twice: values are stored under either.
func union(lists ...[]key) []key {
	var out []key
	for _, k := range slices.Concat(lists...) {
		if !slices.ContainsFunc(out, func(o key) bool { return o.name == k.name }) {
			out = append(out, k)
		}
	}
	return out
}

// newName is the name under which one side has the key already and neither has
// another, else key2, key3, … whatever nobody uses.
func newName(k key, lists ...[]key) string {
	used := slices.Concat(lists...)
	for _, o := range used {
		other := func(x key) bool { return x.name == o.name && !x.same(k) }
		if o.name != k.name && o.same(k) && !slices.ContainsFunc(used, other) {
			return o.name
		}
	}
	for n := 2; ; n++ {
		name := fmt.Sprintf("key%d", n)
		if !slices.ContainsFunc(used, func(k key) bool { return k.name == name }) {
			return name
		}
	}
}

// String tells the plan by names and hashes only.
func (m Merge) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "merged: %s", m.Merged)
	for _, r := range m.Renamed {
		fmt.Fprintf(&b, "\nthe standby's key %q (%.12s) becomes %q: its own Secrets are written anew", r.From, r.SHA256, r.To)
	}
	for i, s := range m.Standby {
		fmt.Fprintf(&b, "\nstandby, stage %d, %s: %s", i+1, s.Kind, s.Config)
	}
	return b.String()
}
