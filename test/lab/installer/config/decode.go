package config

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// Decode reads a document strictly: one JSON object, exact and case-sensitive
// field names, nothing unknown, nothing missing, right types. encoding/json
// alone is lenient in three of these.
func Decode(body []byte) (*Config, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var raw any
	if err := dec.Decode(&raw); err != nil {
		return nil, fmt.Errorf("the body is no JSON document: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the body has more behind its JSON document")
	}
	if problems := shape("", raw, reflect.TypeFor[Config](), false); len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	var c Config
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, err
	}
	return &c, nil
}

// shape compares a decoded value with the type it must have.
func shape(path string, v any, t reflect.Type, nullable bool) []error {
	if v == nil {
		if nullable || t.Kind() == reflect.Pointer {
			return nil
		}
		return []error{fmt.Errorf("%s: null", path)}
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[[]byte]():
		return shapeBytes(path, v)
	case t.Kind() == reflect.Struct:
		return shapeObject(path, v, t)
	case t.Kind() == reflect.Map:
		return shapeMap(path, v, t)
	case t.Kind() == reflect.Slice:
		list, ok := v.([]any)
		if !ok {
			return wrong(path, "an array", v)
		}
		var out []error
		for i, item := range list {
			out = append(out, shape(fmt.Sprintf("%s[%d]", path, i), item, t.Elem(), false)...)
		}
		return out
	}
	return shapeScalar(path, v, t)
}

func shapeObject(path string, v any, t reflect.Type) []error {
	object, ok := v.(map[string]any)
	if !ok {
		return wrong(path, "an object", v)
	}
	var out []error
	known := map[string]bool{}
	for i := range t.NumField() {
		field := t.Field(i)
		name := field.Tag.Get("json")
		known[name] = true
		optional := field.Tag.Get("presence") == "optional"
		child, present := object[name]
		switch {
		case present:
			out = append(out, shape(join(path, name), child, field.Type, optional)...)
		case !optional:
			out = append(out, fmt.Errorf("%s: missing", join(path, name)))
		}
	}
	for name := range object {
		if !known[name] {
			out = append(out, fmt.Errorf("%s: unknown field", join(path, name)))
		}
	}
	slices.SortFunc(out, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return out
}

func shapeMap(path string, v any, t reflect.Type) []error {
	object, ok := v.(map[string]any)
	if !ok {
		return wrong(path, "an object", v)
	}
	var out []error
	for name, child := range object {
		out = append(out, shape(join(path, name), child, t.Elem(), false)...)
	}
	return out
}

func shapeBytes(path string, v any) []error {
	text, ok := v.(string)
	if !ok {
		return wrong(path, "a base64 string", v)
	}
	if _, err := base64.StdEncoding.DecodeString(text); err != nil {
		return []error{fmt.Errorf("%s: not base64", path)} // the value may be a secret: never quoted
	}
	return nil
}

func shapeScalar(path string, v any, t reflect.Type) []error {
	switch t.Kind() {
	case reflect.String:
		if _, ok := v.(string); !ok {
			return wrong(path, "a string", v)
		}
	case reflect.Bool:
		if _, ok := v.(bool); !ok {
			return wrong(path, "a boolean", v)
		}
	case reflect.Int:
		n, ok := v.(json.Number)
		if _, err := n.Int64(); !ok || err != nil {
			return wrong(path, "an integer", v)
		}
	default:
		return []error{fmt.Errorf("%s: the schema has no rule for %s", path, t)}
	}
	return nil
}

func wrong(path, want string, v any) []error {
	return []error{fmt.Errorf("%s: want %s, got %s", path, want, kindOf(v))}
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("%T", v)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
