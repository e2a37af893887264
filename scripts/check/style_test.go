package check

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"slices"
	"testing"
)

// undocumented finds exported names without a doc comment. A comment on a group
// of constants, variables or types serves every name of the group.
func undocumented(files []*file) (broken []string) {
	for _, f := range files {
		if f.test() {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && receiverExported(d) {
					broken = append(broken, fmt.Sprintf("%s: %s has no doc comment", f.at(d.Pos()), d.Name.Name))
				}
			case *ast.GenDecl:
				broken = append(broken, undocumentedSpecs(f, d)...)
			}
		}
	}
	return broken
}

// receiverExported is true for functions and for methods of exported types.
func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

func undocumentedSpecs(f *file, d *ast.GenDecl) (broken []string) {
	miss := func(n *ast.Ident, docs ...*ast.CommentGroup) {
		has := slices.ContainsFunc(docs, func(c *ast.CommentGroup) bool { return c != nil })
		if n.IsExported() && !has {
			broken = append(broken, fmt.Sprintf("%s: %s has no doc comment", f.at(n.Pos()), n.Name))
		}
	}
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			miss(s.Name, d.Doc, s.Doc, s.Comment)
		case *ast.ValueSpec:
			for _, n := range s.Names {
				miss(n, d.Doc, s.Doc, s.Comment)
			}
		}
	}
	return broken
}

// packageDocs finds packages none of whose files explains the package.
func packageDocs(files []*file) (broken []string) {
	has, seen := map[string]bool{}, []string{}
	for _, f := range files {
		if f.test() {
			continue
		}
		if !slices.Contains(seen, f.dir()) {
			seen = append(seen, f.dir())
		}
		has[f.dir()] = has[f.dir()] || f.ast.Doc != nil
	}
	for _, dir := range seen {
		if !has[dir] {
			broken = append(broken, dir+": no file has a package comment")
		}
	}
	return broken
}

// skips finds tests that leave without a verdict.
func skips(files []*file) (broken []string) {
	for _, f := range files {
		if !f.test() {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && skipCall(s) {
				broken = append(broken, fmt.Sprintf("%s: a test that cannot run must fail, not skip", f.at(s.Pos())))
			}
			return true
		})
	}
	return broken
}

func skipCall(s *ast.SelectorExpr) bool {
	name := s.Sel.Name
	if name != "Skip" && name != "Skipf" && name != "SkipNow" {
		return false
	}
	return isIdent(s.X, "t") || isIdent(s.X, "b") || isIdent(s.X, "f") || isIdent(s.X, "tb")
}

func unformatted(files []*file) (broken []string) {
	for _, f := range files {
		want, err := format.Source(f.src)
		if err != nil || !bytes.Equal(f.src, want) {
			broken = append(broken, f.path+": not in gofmt's form")
		}
	}
	return broken
}

// rawErrors finds errors wrapped with %v of a variable called err, which hides
// the cause from errors.Is.
func rawErrors(files []*file) (broken []string) {
	for _, f := range files {
		if f.test() {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if ok && unwrapped(c) {
				broken = append(broken, fmt.Sprintf("%s: wrap err with %%w", f.at(c.Pos())))
			}
			return true
		})
	}
	return broken
}

func unwrapped(c *ast.CallExpr) bool {
	s, ok := c.Fun.(*ast.SelectorExpr)
	if !ok || !isIdent(s.X, "fmt") || s.Sel.Name != "Errorf" || len(c.Args) < 2 {
		return false
	}
	text, ok := c.Args[0].(*ast.BasicLit)
	if !ok || text.Kind != token.STRING || bytes.Contains([]byte(text.Value), []byte("%w")) {
		return false
	}
	return slices.ContainsFunc(c.Args[1:], func(e ast.Expr) bool { return isIdent(e, "err") })
}

func TestStyle(t *testing.T) {
	files := tree(t)
	for name, check := range map[string]func([]*file) []string{
		"doc comments": undocumented, "package comments": packageDocs,
		"skips": skips, "gofmt": unformatted, "wrapped errors": rawErrors,
	} {
		t.Run(name, func(t *testing.T) { report(t, check(files)) })
	}
}

func TestStyleCheckCatches(t *testing.T) {
	caught(t, "a/x.go", "package a\nfunc F() {}\n", true, undocumented)
	caught(t, "a/x.go", "package a\n// F does.\nfunc F() {}\n", false, undocumented)
	caught(t, "a/x.go", "package a\ntype t int\nfunc (t) F() {}\n", false, undocumented)
	caught(t, "a/x.go", "package a\n// T is.\ntype T[P any] struct{}\nfunc (*T[P]) F() {}\n", true, undocumented)
	caught(t, "a/x.go", "package a\nconst (\n\tA = 1\n)\n", true, undocumented)
	caught(t, "a/x.go", "package a\n// Both are.\nconst (\n\tA = 1\n\tB = 2\n)\n", false, undocumented)
	caught(t, "a/x.go", "package a\n", true, packageDocs)
	caught(t, "a/x.go", "// Package a is.\npackage a\n", false, packageDocs)
	caught(t, "a/x_test.go", "package a\nfunc f(t T) { t.Skip() }\n", true, skips)
	caught(t, "a/x_test.go", "package a\nfunc f(p P) { p.Skip() }\n", false, skips)
	caught(t, "a/x.go", "package a\nvar  x = 1\n", true, unformatted)
	caught(t, "a/x.go", "package a\n\nvar x = 1\n", false, unformatted)
	caught(t, "a/x.go", "package a\nvar e = fmt.Errorf(\"do: %v\", err)\n", true, rawErrors)
	caught(t, "a/x.go", "package a\nvar e = fmt.Errorf(\"do: %w\", err)\n", false, rawErrors)
}
