package site

import (
	_ "embed"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// typesSource is read for its comments: what a field means is written once.
//
//go:embed types.go
var typesSource string

// comments maps "Type." and "Type.Field" (by the name in Go) to the comment in
// types.go.
func comments() (map[string]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "types.go", typesSource, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.TYPE {
			continue
		}
		for _, spec := range decl.Specs {
			t := spec.(*ast.TypeSpec)
			out[t.Name.Name+"."] = sentence(decl.Doc)
			if s, ok := t.Type.(*ast.StructType); ok {
				fieldComments(t.Name.Name, s, out)
			}
		}
	}
	return out, nil
}

func fieldComments(typeName string, s *ast.StructType, out map[string]string) {
	for _, f := range s.Fields.List {
		text := sentence(f.Doc)
		if text == "" {
			text = sentence(f.Comment)
		}
		for _, name := range f.Names {
			out[typeName+"."+name.Name] = text
		}
	}
}

// sentence is a comment as one line.
func sentence(g *ast.CommentGroup) string {
	return strings.Join(strings.Fields(g.Text()), " ")
}
