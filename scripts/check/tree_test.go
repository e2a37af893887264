package check

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository, seen from this package.
const root = "../.."

// file is one Go file of the tree; paths are relative to the root, with slashes.
type file struct {
	path string
	src  []byte
	ast  *ast.File
	fset *token.FileSet
}

func (f *file) dir() string   { return pathDir(f.path) }
func (f *file) test() bool    { return strings.HasSuffix(f.path, "_test.go") }
func (f *file) top() string   { return first(f.path) }
func (f *file) lines() int    { return strings.Count(string(f.src), "\n") }
func (f *file) main() bool    { return f.ast.Name.Name == "main" }
func first(p string) string   { t, _, _ := strings.Cut(p, "/"); return t }
func pathDir(p string) string { return filepath.ToSlash(filepath.Dir(p)) }

// at names a place in the file.
func (f *file) at(p token.Pos) string {
	pos := f.fset.Position(p)
	return pos.String()
}

// imports returns the import paths of the file.
func (f *file) imports() []string {
	var list []string
	for _, i := range f.ast.Imports {
		list = append(list, strings.Trim(i.Path.Value, `"`))
	}
	return list
}

// parse makes a file of a source text.
func parse(path string, src []byte) (*file, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, path, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &file{path: path, src: src, ast: tree, fset: fset}, nil
}

// skipped tells directories that are not part of the tree's text.
func skipped(name string) bool {
	return name == ".git" || name == "out" || name == ".cache"
}

// paths lists every file of the repository below the root.
func paths(t *testing.T) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && skipped(d.Name()) {
			return filepath.SkipDir
		}
		if !d.IsDir() {
			rel, _ := filepath.Rel(root, p) // both are relative: no error
			list = append(list, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// tree parses every Go file.
func tree(t *testing.T) []*file {
	t.Helper()
	var files []*file
	for _, p := range paths(t) {
		if !strings.HasSuffix(p, ".go") || strings.Contains(p, "/testdata/") {
			continue
		}
		src, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			t.Fatal(err)
		}
		f, err := parse(p, src)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// report fails the test with each line.
func report(t *testing.T, broken []string) {
	t.Helper()
	for _, b := range broken {
		t.Error(b)
	}
}

// caught proves that a check sees what it is there for: a source that breaks
// the rule must be reported, one that keeps it must not.
func caught(t *testing.T, path, src string, want bool, check func([]*file) []string) {
	t.Helper()
	f, err := parse(path, []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if got := check([]*file{f}); (len(got) > 0) != want {
		t.Errorf("%s: %q: got %q, want a report: %v", path, src, got, want)
	}
}
