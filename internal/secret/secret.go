// Package secret resolves references to secrets and keeps the values out of
// logs, errors and history. A Value prints as [redacted] everywhere; only
// Reveal gives the bytes, and every revealed value is known to the Redactor.
package secret

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/acpflow/acpflow/internal/fault"
)

// Mask is what a secret looks like to everybody else.
const Mask = "[redacted]"

// Value is a resolved secret. Its zero value means "none".
type Value struct{ b []byte }

// NewValue wraps bytes and registers them with the Redactor.
func NewValue(b []byte) Value { Default.Add(b); return Value{bytes.Clone(b)} }

// Reveal returns the secret bytes; never log, return or store them.
func (v Value) Reveal() []byte { return v.b }

// Empty reports whether there is no secret.
func (v Value) Empty() bool { return len(v.b) == 0 }

// String hides the value.
func (v Value) String() string { return Mask }

// GoString hides the value.
func (v Value) GoString() string { return Mask }

// MarshalJSON hides the value.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(`"` + Mask + `"`), nil }

// Format hides the value from every fmt verb.
func (v Value) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(Mask)) }

// Resolve reads the secret a reference points at: "env:NAME" (environment of
// the worker) or "file:/path" (one trailing newline is dropped). An empty
// reference is no secret. Errors are fault.BadInput and name only the reference.
func Resolve(ref string) (Value, error) {
	kind, name, ok := strings.Cut(ref, ":")
	switch {
	case ref == "":
		return Value{}, nil
	case ok && kind == "env":
		if v, set := os.LookupEnv(name); set && v != "" {
			return NewValue([]byte(v)), nil
		}
		return Value{}, unresolved(ref, errors.New("the variable is unset or empty in the worker's environment"))
	case ok && kind == "file":
		b, err := os.ReadFile(name)
		if err != nil {
			return Value{}, unresolved(ref, err)
		}
		b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
		if len(b) == 0 {
			return Value{}, unresolved(ref, errors.New("the file is empty"))
		}
		return NewValue(b), nil
	}
	return Value{}, unresolved("(not shown)", errors.New("a secret must be a reference env:NAME or file:/path, not the value itself"))
}

func unresolved(ref string, err error) error {
	return fault.New(fault.BadInput, "resolve secret", ref, "set the variable or file where the worker runs", err)
}

// Redactor replaces every known secret in a text, raw or base64-coded.
// It is safe for concurrent use. Secrets shorter than 4 bytes are not
// replaced: they would shred every text and hide nothing.
type Redactor struct {
	mu    sync.RWMutex
	words []string
}

// Default is the process-wide redactor that NewValue feeds.
var Default = &Redactor{}

// Add registers a secret; multi-line ones (PEM keys) also line by line.
func (r *Redactor) Add(b []byte) {
	s := strings.TrimSpace(string(b))
	words := []string{s, base64.StdEncoding.EncodeToString(b), base64.StdEncoding.EncodeToString([]byte(s))}
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); len(line) >= 16 && !strings.HasPrefix(line, "-----") {
			words = append(words, line)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range words {
		if len(w) >= 4 && !slices.Contains(r.words, w) {
			r.words = append(r.words, w)
		}
	}
	slices.SortFunc(r.words, func(a, b string) int { return len(b) - len(a) }) // longest first: a prefix must not leave a tail
}

// Redact returns s with every known secret masked.
func (r *Redactor) Redact(s string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, w := range r.words {
		s = strings.ReplaceAll(s, w, Mask)
	}
	return s
}

// Redact masks with the process-wide redactor.
func Redact(s string) string { return Default.Redact(s) }
