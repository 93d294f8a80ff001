package site

import (
	_ "embed"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// The types' sources are read for their comments: what a field means is written once.
var (
	//go:embed types.go
	typesSource string
	//go:embed pair_types.go
	pairSource string
	//go:embed takeover_types.go
	takeoverSource string
)

// comments maps "Type." and "Type.Field" (by the name in Go) to the comment in
// the source.
func comments() (map[string]string, error) {
	out := map[string]string{}
	for name, source := range map[string]string{"types.go": typesSource, "pair_types.go": pairSource, "takeover_types.go": takeoverSource} {
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			if decl, ok := d.(*ast.GenDecl); ok && decl.Tok == token.TYPE {
				typeComments(decl, out)
			}
		}
	}
	return out, nil
}

func typeComments(decl *ast.GenDecl, out map[string]string) {
	for _, spec := range decl.Specs {
		t := spec.(*ast.TypeSpec)
		out[t.Name.Name+"."] = sentence(decl.Doc)
		if s, ok := t.Type.(*ast.StructType); ok {
			fieldComments(t.Name.Name, s, out)
		}
	}
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
