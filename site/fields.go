package site

import (
	"reflect"
	"strings"
)

// fieldIndex maps the names of a struct's fields in the document to their
// positions in the type.
func fieldIndex(t reflect.Type) map[string]int {
	out := map[string]int{}
	for i := range t.NumField() {
		if name, _ := fieldTag(t.Field(i)); name != "" {
			out[name] = i
		}
	}
	return out
}

// fieldNames lists the names in the order of the type.
func fieldNames(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		if name, _ := fieldTag(t.Field(i)); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// fieldTag reads a field's name and whether it may be left out. The json tag
// serves YAML, history and the schema, so they can't disagree.
func fieldTag(f reflect.StructField) (name string, optional bool) {
	if !f.IsExported() {
		return "", true
	}
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, strings.Contains(options, "omit") // omitempty or omitzero
}

// visit calls f for every field and list item below v, parents first.
func visit(v reflect.Value, path string, f func(v reflect.Value, path string, optional bool)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			visit(v.Elem(), path, f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if name, optional := fieldTag(v.Type().Field(i)); name != "" {
				f(v.Field(i), child(path, name), optional)
				visit(v.Field(i), child(path, name), f)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			f(v.Index(i), item(path, i), false)
			visit(v.Index(i), item(path, i), f)
		}
	}
}
