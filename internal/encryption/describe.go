package encryption

import (
	"fmt"
	"strings"
)

// Description is what may be told of a file: it holds no secret.
type Description struct {
	Groups []DescribedGroup `json:"groups"`
}

// DescribedGroup is one entry of the file: some resources and their providers
// in order. The first provider's first key is the one that writes.
type DescribedGroup struct {
	Resources []string            `json:"resources"`
	Providers []DescribedProvider `json:"providers"`
}

// DescribedProvider is a provider with its keys in order.
type DescribedProvider struct {
	Kind string         `json:"kind"` // aescbc, aesgcm, secretbox or identity
	Keys []DescribedKey `json:"keys,omitempty"`
}

// DescribedKey names a key by the hash of its material.
type DescribedKey struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // of the raw key, hex
}

// Describe tells resources, providers and keys, in the file's order.
func (c Config) Describe() Description {
	var out Description
	for _, g := range c.groups {
		group := DescribedGroup{Resources: g.resources}
		for _, p := range g.providers {
			described := DescribedProvider{Kind: p.kind}
			for _, k := range p.keys {
				described.Keys = append(described.Keys, DescribedKey{Name: k.name, SHA256: Hash(k.material)})
			}
			group.Providers = append(group.Providers, described)
		}
		out.Groups = append(out.Groups, group)
	}
	return out
}

// String is one line: "secrets: aescbc key1=1f2e3d4c5b6a, identity".
func (d Description) String() string {
	var groups []string
	for _, g := range d.Groups {
		var providers []string
		for _, p := range g.Providers {
			text := p.Kind
			for _, k := range p.Keys {
				text += fmt.Sprintf(" %q=%.12s", k.Name, k.SHA256)
			}
			providers = append(providers, text)
		}
		groups = append(groups, strings.Join(g.Resources, "+")+": "+strings.Join(providers, ", "))
	}
	return strings.Join(groups, "; ")
}
