package site

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// maxFaults bounds a report; nobody reads more, and history has no room.
const maxFaults = 100

// binder lays a YAML tree onto the document's types. Unlike a plain decoder it
// goes on after a fault, so that all of them are reported, and it notes where
// every field stands.
type binder struct {
	places *places
	issues []Issue // at most maxFaults
}

func (b *binder) document(body ast.Node, s *Site) {
	if _, ok := mapping(body); !ok {
		b.report("DOC-03", "", body.GetToken(), "a site document is a mapping of fields", "start from the example: acpflow site init")
		return
	}
	b.value(body, reflect.ValueOf(s).Elem(), "")
}

// value binds a node to a Go value of the document's types.
func (b *binder) value(n ast.Node, to reflect.Value, path string) {
	if to.Kind() == reflect.Pointer {
		if n.Type() == ast.NullType {
			return
		}
		to.Set(reflect.New(to.Type().Elem()))
		to = to.Elem()
	}
	if _, ok := b.places.at[path]; !ok {
		b.places.at[path] = placeOf(firstToken(n))
	}
	switch n.Type() {
	case ast.NullType: // "field:" with nothing behind it is a field not set
		return
	case ast.AnchorType, ast.AliasType, ast.TagType, ast.MergeKeyType:
		b.report("DOC-03", path, n.GetToken(), "anchors, aliases and tags are not used here", "write the value out")
		return
	}
	switch to.Kind() {
	case reflect.Struct:
		b.fields(n, to, path)
	case reflect.Slice:
		b.items(n, to, path)
	default:
		b.scalar(n, to, path)
	}
}

// fields binds a mapping to a struct.
func (b *binder) fields(n ast.Node, to reflect.Value, path string) {
	entries, ok := mapping(n)
	if !ok {
		b.mismatch(n, path, "a mapping of fields")
		return
	}
	names := fieldIndex(to.Type())
	seen := map[string]place{}
	for _, e := range entries {
		tk := e.Key.GetToken()
		key := tk.Value
		if e.Key.IsMergeKey() || e.Key.Type() != ast.StringType {
			b.report("DOC-03", path, tk, "a field name is a plain text", "write the fields out, without <<, tags or numbers as names")
			continue
		}
		if first, dup := seen[key]; dup {
			b.report("DOC-04", child(path, key), tk, fmt.Sprintf("%q stands here a second time, first in line %d", key, first.line), "keep one of them")
			continue
		}
		seen[key] = placeOf(tk)
		field, known := names[key]
		if !known {
			b.unknown(path, key, tk, to.Type())
			continue
		}
		if isBlock(e.Value) { // a block is best named by its key
			b.places.at[child(path, key)] = placeOf(tk)
		}
		b.value(e.Value, to.Field(field), child(path, key))
	}
}

// unknown reports a field the document does not have.
func (b *binder) unknown(path, key string, tk *token.Token, in reflect.Type) {
	if len(b.issues) >= maxFaults {
		return
	}
	where := "here"
	if path != "" {
		where = "in " + path
	}
	fix := "the fields " + where + " are: " + strings.Join(fieldNames(in), ", ")
	if near := closest(key, fieldNames(in)); near != "" {
		fix = fmt.Sprintf("did you mean %q?", near)
	}
	b.report("DOC-02", child(path, shorten(key)), tk, fmt.Sprintf("there is no field %q %s", shorten(key), where), fix)
}

// items binds a sequence to a slice.
func (b *binder) items(n ast.Node, to reflect.Value, path string) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		b.mismatch(n, path, "a list")
		return
	}
	out := reflect.MakeSlice(to.Type(), len(seq.Values), len(seq.Values))
	for i, v := range seq.Values {
		if v.Type() == ast.NullType {
			b.mismatch(v, item(path, i), "a value")
			continue
		}
		b.value(v, out.Index(i), item(path, i))
	}
	to.Set(out)
}

// scalar binds one text, whole number or truth value.
func (b *binder) scalar(n ast.Node, to reflect.Value, path string) {
	switch to.Kind() {
	case reflect.String:
		switch v := n.(type) {
		case *ast.StringNode:
			to.SetString(v.Value)
		case *ast.LiteralNode:
			to.SetString(v.Value.Value)
		default:
			b.mismatch(n, path, "a text")
		}
	case reflect.Bool:
		if v, ok := n.(*ast.BoolNode); ok {
			to.SetBool(v.Value)
			return
		}
		b.mismatch(n, path, "true or false")
	case reflect.Int:
		if v, ok := n.(*ast.IntegerNode); ok {
			if i, err := strconv.ParseInt(fmt.Sprint(v.Value), 10, 32); err == nil {
				to.SetInt(i)
				return
			}
		}
		b.mismatch(n, path, "a whole number")
	default:
		panic("site: no binding for " + to.Type().String()) // a type was added without one; every test fails
	}
}

// mismatch never shows the value: it may be a secret put in the wrong place.
func (b *binder) mismatch(n ast.Node, path, want string) {
	got, fix := kindOf(n), ""
	if want == "a text" && (got == "a number" || got == "true or false") {
		fix = "put it in quotes"
	}
	b.report("DOC-03", path, firstToken(n), fmt.Sprintf("%s is wanted here, not %s", want, got), fix)
}

func (b *binder) report(rule, path string, tk *token.Token, message, fix string) {
	if len(b.issues) >= maxFaults {
		return
	}
	at := placeOf(tk)
	b.issues = append(b.issues, Issue{Rule: rule, Source: fromFormat, Severity: SeverityError, Path: path, Line: at.line, Column: at.column, Message: message, Fix: fix})
}

// mapping returns the entries of a mapping; a mapping of one entry has a node
// type of its own.
func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch v := n.(type) {
	case *ast.MappingNode:
		return v.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{v}, true
	}
	return nil, false
}

// isBlock reports whether a value has no place of its own a reader would look at.
func isBlock(n ast.Node) bool {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType, ast.SequenceType, ast.NullType:
		return true
	}
	return false
}

// firstToken is where a reader sees the node begin.
func firstToken(n ast.Node) *token.Token {
	if entries, ok := mapping(n); ok && len(entries) > 0 {
		return entries[0].Key.GetToken()
	}
	return n.GetToken()
}

func kindOf(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "a mapping"
	case ast.SequenceType:
		return "a list"
	case ast.StringType, ast.LiteralType:
		return "a text"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "a number"
	case ast.BoolType:
		return "true or false"
	case ast.NullType:
		return "nothing"
	}
	return "something else"
}
