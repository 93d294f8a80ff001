package installer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Config is the configuration of one install. It prints masked in every way
// there is; only Revealed gives the bytes that are posted.
type Config struct {
	doc        document
	unverified []string
}

// Revealed is the exact body of the POST, secrets included: indented JSON with
// a final newline. Never log or store it.
func (c Config) Revealed() []byte { return encode(c.doc) }

// Redacted is Revealed with every secret replaced by secret.Mask.
func (c Config) Redacted() []byte { return encode(c.doc.masked()) }

// Unverified lists, in sentences, what the configuration relies on although
// the vendor's interface is not known there.
func (c Config) Unverified() []string { return slices.Clone(c.unverified) }

// String hides the secrets.
func (c Config) String() string { return string(c.Redacted()) }

// MarshalJSON hides the secrets.
func (c Config) MarshalJSON() ([]byte, error) { return bytes.TrimSpace(c.Redacted()), nil }

// Format hides the secrets from every fmt verb.
func (c Config) Format(s fmt.State, _ rune) { _, _ = s.Write(c.Redacted()) }

func encode(d document) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "    ")
	if err := enc.Encode(d); err != nil { // strings, numbers and bools only: cannot happen
		panic(err)
	}
	return b.Bytes()
}
