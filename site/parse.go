package site

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// MaxDocument bounds a document, in bytes: fifty nodes with pinned RSA host
// keys are about 50 kB.
const MaxDocument = 256 << 10

// maxDepth bounds nesting; the document itself needs 6. The YAML parser is
// recursive and must not see a hostile one.
const maxDepth = 32

// Parse reads a document, applies the defaults and remembers where every field
// stands, so that Validate can name line and column. name is the file's name
// for messages. The error is a Problems with every fault of form: unknown and
// duplicate fields, wrong types, tabs, several documents (DOC-01…DOC-04).
// The rules are Validate's.
func Parse(name string, data []byte) (*Site, error) {
	s, issues := bind(name, data)
	if p := (Problems{File: name, Issues: sorted(issues)}); p.Err() != nil {
		return nil, p
	}
	Default(s)
	return s, nil
}

// bind decodes what it can and reports what it can't.
func bind(name string, data []byte) (*Site, []Issue) {
	s := &Site{places: &places{file: name, at: map[string]place{"": {1, 1}}}}
	body, issue := parseYAML(data)
	if issue != nil {
		return s, []Issue{*issue}
	}
	b := binder{places: s.places}
	b.document(body, s)
	return s, b.issues
}

// parseYAML returns the root of the one document in data.
func parseYAML(data []byte) (body ast.Node, issue *Issue) {
	// A fault of the YAML library must be a message, not the end of a worker.
	defer func() {
		if r := recover(); r != nil {
			body, issue = nil, unreadable(nil, "this is no YAML the parser can read", "check the document with a YAML editor")
		}
	}()
	switch {
	case len(data) > MaxDocument:
		return nil, unreadable(nil, fmt.Sprintf("the document has %d bytes, more than the %d allowed", len(data), MaxDocument), "")
	case !utf8.Valid(data) || bytes.ContainsRune(data, 0):
		return nil, unreadable(nil, "the document is not UTF-8 text", "save it as UTF-8")
	case len(bytes.TrimSpace(data)) == 0:
		return nil, unreadable(nil, "the document is empty", "start from the example: acpflow site init")
	}
	tokens := lexer.Tokenize(string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	if tk := tooDeep(tokens); tk != nil {
		return nil, unreadable(tk, fmt.Sprintf("nested deeper than %d levels", maxDepth), "")
	}
	// Duplicate keys are found by the binder, which reports all of them.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxIssue(err)
	}
	return onlyDocument(file)
}

// onlyDocument returns the body of the only document.
func onlyDocument(file *ast.File) (ast.Node, *Issue) {
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
			continue
		case doc.Body.Type() == ast.DirectiveType:
			return nil, unreadable(doc.Body.GetToken(), "YAML directives are not used here", "remove the line that starts with %")
		case body != nil:
			return nil, unreadable(doc.Body.GetToken(), "a second document begins here", "one file holds one site: move it to a file of its own")
		}
		body = doc.Body
	}
	if body == nil {
		return nil, unreadable(nil, "the document is empty", "start from the example: acpflow site init")
	}
	return body, nil
}

// tooDeep returns the first token that is nested too deep, or nil.
func tooDeep(tokens token.Tokens) *token.Token {
	flow, line, inLine := 0, 0, 0
	for _, tk := range tokens {
		if tk.Position.Line != line {
			line, inLine = tk.Position.Line, 0
		}
		switch tk.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			inLine++ // "- - - x" nests without brackets or indentation
		}
		if flow > maxDepth || inLine > maxDepth || tk.Position.IndentNum > 8*maxDepth {
			return tk
		}
	}
	return nil
}

func syntaxIssue(err error) *Issue {
	if y, ok := errors.AsType[yaml.Error](err); ok {
		message, fix := y.GetMessage(), "check the indentation, and quote texts that hold : # or quotes"
		if strings.Contains(message, "\t") {
			message, fix = "a tab stands where only blanks may", "indent with blanks"
		}
		return unreadable(y.GetToken(), message, fix)
	}
	return unreadable(nil, "this is no YAML the parser can read", "check the document with a YAML editor")
}

func unreadable(tk *token.Token, message, fix string) *Issue {
	i := &Issue{Rule: "DOC-01", Source: fromFormat, Severity: SeverityError, Message: message, Fix: fix}
	if at := placeOf(tk); at.line > 0 {
		i.Line, i.Column = at.line, at.column
	}
	return i
}

func placeOf(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{}
	}
	return place{tk.Position.Line, tk.Position.Column}
}
