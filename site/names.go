package site

import (
	"reflect"
	"regexp"
)

var labelSyntax = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// IsLabel reports whether s is a DNS label in lower case (RFC 1123).
func IsLabel(s string) bool { return labelSyntax.MatchString(s) }

// Refs lists every reference to a secret or file in the document, each once.
func (s *Site) Refs() []Ref {
	var out []Ref
	seen := map[Ref]bool{"": true}
	visit(reflect.ValueOf(s).Elem(), "", func(v reflect.Value, _ string, _ bool) {
		if ref, ok := v.Interface().(Ref); ok && !seen[ref] {
			seen[ref] = true
			out = append(out, ref)
		}
	})
	return out
}
