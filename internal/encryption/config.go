// Package encryption reads the kube-apiserver's EncryptionConfiguration, tells
// of it what is no secret, and merges the files of two clusters (FAQ-02). It is
// pure. Key material is a secret.Value as soon as it is read, and no error
// quotes the file.
package encryption

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// Path is where every control plane keeps the file (DR-21).
const Path = "/etc/kubernetes/encryption-provider.conf"

// MaxSize of a file, in bytes; a real one has some hundred.
const MaxSize = 64 << 10

const (
	apiVersion = "apiserver.config.k8s.io/v1"
	kind       = "EncryptionConfiguration"
)

// The providers with keys that the kube-apiserver knows, and identity.
const (
	AESCBC    = "aescbc"
	AESGCM    = "aesgcm"
	SecretBox = "secretbox"
	Identity  = "identity"
)

// Config is one file, understood. It prints as its description.
type Config struct{ groups []group }

type group struct {
	resources []string
	providers []provider
}

type provider struct {
	kind string
	keys []key
}

// key is a named key. The kube-apiserver writes the name before every value, so
// the name is part of what makes a stored value readable.
type key struct {
	name     string
	material secret.Value
}

// Format hides the keys from every fmt verb.
func (c Config) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, c.Describe().String()) }

// The file as the kube-apiserver reads it.
type document struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Resources  []documentGroup `json:"resources"`
}

type documentGroup struct {
	Resources []string           `json:"resources"`
	Providers []documentProvider `json:"providers"`
}

type documentProvider struct {
	AESCBC    *documentKeys `json:"aescbc,omitempty"`
	AESGCM    *documentKeys `json:"aesgcm,omitempty"`
	SecretBox *documentKeys `json:"secretbox,omitempty"`
	Identity  *struct{}     `json:"identity,omitempty"`
	KMS       *any          `json:"kms,omitempty"`
}

type documentKeys struct {
	Keys []documentKey `json:"keys"`
}

type documentKey struct {
	Name   string `json:"name"`
	Secret string `json:"secret"` // base64
}

// Parse reads a file; place names it in errors. What is not an
// EncryptionConfiguration is fault.Corrupt; one that acpflow does not understand
// whole (a KMS, for example) is fault.Gate.
func Parse(file secret.Value, place string) (Config, error) {
	corrupt := func(cause string, args ...any) (Config, error) {
		return Config{}, fault.New(fault.Corrupt, "read the encryption configuration", place,
			"compare it with the same file of another control plane", fmt.Errorf(cause, args...))
	}
	if n := len(file.Reveal()); n == 0 || n > MaxSize {
		return corrupt("it has %d bytes, 1 to %d are expected", n, MaxSize)
	}
	var doc document
	if err := yaml.UnmarshalStrict(file.Reveal(), &doc); err != nil { // the parser quotes its input
		return corrupt("it is not the YAML of an %s, or has fields that are none of it", kind)
	}
	if doc.APIVersion != apiVersion || doc.Kind != kind {
		return corrupt("it is not an %s of %s", kind, apiVersion)
	}
	if len(doc.Resources) == 0 {
		return corrupt("it lists no resources")
	}
	var out Config
	for i, g := range doc.Resources {
		if len(g.Resources) == 0 || len(g.Providers) == 0 {
			return corrupt("entry %d has no resources or no providers", i+1)
		}
		parsed := group{resources: g.Resources}
		for n, p := range g.Providers {
			known, err := p.parse()
			if errors.Is(err, errKMS) {
				return Config{}, fault.New(fault.Gate, "read the encryption configuration", place,
					"compare and merge the files of this site by hand", err)
			}
			if err != nil {
				return corrupt("entry %d, provider %d: %w", i+1, n+1, err)
			}
			parsed.providers = append(parsed.providers, known)
		}
		out.groups = append(out.groups, parsed)
	}
	return out, nil
}

var errKMS = errors.New("it uses a KMS, which acpflow can't compare")

// parse demands exactly one kind of provider, as the kube-apiserver does.
func (p documentProvider) parse() (provider, error) {
	var found []provider
	for _, k := range []struct {
		kind  string
		keys  *documentKeys
		sizes []int
	}{{AESCBC, p.AESCBC, []int{16, 24, 32}}, {AESGCM, p.AESGCM, []int{16, 24, 32}}, {SecretBox, p.SecretBox, []int{32}}} {
		if k.keys == nil {
			continue
		}
		keys, err := k.keys.parse(k.sizes)
		if err != nil {
			return provider{}, fmt.Errorf("%s: %w", k.kind, err)
		}
		found = append(found, provider{kind: k.kind, keys: keys})
	}
	if p.Identity != nil {
		found = append(found, provider{kind: Identity})
	}
	switch {
	case p.KMS != nil:
		return provider{}, errKMS
	case len(found) != 1:
		return provider{}, fmt.Errorf("%d kinds of provider, wanted is one", len(found))
	}
	return found[0], nil
}

func (d documentKeys) parse(sizes []int) ([]key, error) {
	if len(d.Keys) == 0 {
		return nil, errors.New("no key")
	}
	var out []key
	for i, k := range d.Keys {
		text := secret.NewValue([]byte(k.Secret)) // before anything can go wrong with it
		material, err := base64.StdEncoding.DecodeString(string(text.Reveal()))
		if err != nil {
			return nil, fmt.Errorf("key %d is not base64", i+1) // the error itself quotes nothing of use
		}
		if k.Name == "" {
			return nil, fmt.Errorf("key %d has no name", i+1)
		}
		if !contains(sizes, len(material)) {
			return nil, fmt.Errorf("key %d has %d bytes, allowed are %v", i+1, len(material), sizes)
		}
		out = append(out, key{name: k.Name, material: secret.NewValue(material)})
	}
	return out, nil
}

func contains(list []int, n int) bool {
	for _, x := range list {
		if x == n {
			return true
		}
	}
	return false
}

// Marshal is the file. Never log or return it.
func (c Config) Marshal() (secret.Value, error) {
	doc := document{APIVersion: apiVersion, Kind: kind}
	for _, g := range c.groups {
		out := documentGroup{Resources: g.resources}
		for _, p := range g.providers {
			out.Providers = append(out.Providers, p.document())
		}
		doc.Resources = append(doc.Resources, out)
	}
	b, err := yaml.Marshal(doc)
	return secret.NewValue(b), err
}

func (p provider) document() documentProvider {
	keys := &documentKeys{}
	for _, k := range p.keys {
		keys.Keys = append(keys.Keys, documentKey{Name: k.name, Secret: base64.StdEncoding.EncodeToString(k.material.Reveal())})
	}
	switch p.kind {
	case AESCBC:
		return documentProvider{AESCBC: keys}
	case AESGCM:
		return documentProvider{AESGCM: keys}
	case SecretBox:
		return documentProvider{SecretBox: keys}
	}
	return documentProvider{Identity: &struct{}{}}
}

// Hash is the SHA-256 of bytes of high entropy, hex: a file or a key may be
// named by it. Never use it on passwords.
func Hash(v secret.Value) string {
	sum := sha256.Sum256(v.Reveal())
	return hex.EncodeToString(sum[:])
}
