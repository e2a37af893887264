package check

import (
	"flag"
	"fmt"
	"go/ast"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// update rewrites the checked-in lists instead of comparing with them.
var update = flag.Bool("update", false, "rewrite the lists of this package")

const (
	maxFunc     = 80  // lines of a function, braces included
	maxFile     = 499 // lines of a file
	ratchetFile = "ratchet.txt"
	ratchetHead = `# What is larger than the house allows (functions 80 lines, files 499), and
# words that stand for work not done. Numbers may only fall: a larger one fails
# the test; a smaller one must be written here, which ` + "`make ratchet`" + ` does. It
# raises nothing and adds nothing.
`
)

// debts maps what breaks a limit to its size; the key is a line of ratchet.txt
// without its number.
func debts(files []*file) map[string]int {
	found := map[string]int{}
	for _, f := range files {
		if n := f.lines(); n > maxFile {
			found["file "+f.path] = n
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				if n := funcLines(f, fn); n > maxFunc {
					found["func "+f.path+" "+funcName(fn)] = n
				}
			}
		}
		countWords(f, found)
	}
	return found
}

func funcLines(f *file, d *ast.FuncDecl) int {
	return f.fset.Position(d.End()).Line - f.fset.Position(d.Pos()).Line + 1
}

func funcName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.Ident:
			return x.Name + "." + d.Name.Name
		default:
			return d.Name.Name
		}
	}
}

// debtWords mark work left for later, and linters told to look away.
var debtWords = []string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "no" + "lint", "lint:" + "ignore"}

// countWords counts marks in comments, and sleeps in tests, which stand for an
// event that nobody waits for.
func countWords(f *file, found map[string]int) {
	for _, g := range f.ast.Comments {
		for _, c := range g.List {
			for _, w := range debtWords {
				if n := strings.Count(c.Text, w); n > 0 {
					found["word "+w] += n
				}
			}
		}
	}
	if !f.test() || slices.Contains(f.imports(), "testing/synctest") {
		return
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && isIdent(s.X, "time") && s.Sel.Name == "Sleep" {
			found["sleep "+f.path]++
		}
		return true
	})
}

// readRatchet reads lines "KEY NUMBER".
func readRatchet(text string) (map[string]int, error) {
	allowed := map[string]int{}
	for _, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cut := strings.LastIndexByte(line, ' ')
		n, err := strconv.Atoi(line[cut+1:])
		if cut < 0 || err != nil {
			return nil, fmt.Errorf("read %s: line %q: want KEY NUMBER", ratchetFile, line)
		}
		allowed[line[:cut]] = n
	}
	return allowed, nil
}

// compareRatchet reports growth, and progress that is not written down.
func compareRatchet(found, allowed map[string]int) (broken []string) {
	for key, n := range found {
		switch limit, ok := allowed[key]; {
		case !ok:
			broken = append(broken, fmt.Sprintf("%s: %d: over the limit and not in %s", key, n, ratchetFile))
		case n > limit:
			broken = append(broken, fmt.Sprintf("%s: %d: more than the %d of %s", key, n, limit, ratchetFile))
		case n < limit:
			broken = append(broken, fmt.Sprintf("%s: %d: less than the %d of %s, run make ratchet", key, n, limit, ratchetFile))
		}
	}
	for key := range allowed {
		if _, ok := found[key]; !ok {
			broken = append(broken, fmt.Sprintf("%s: gone, run make ratchet", key))
		}
	}
	slices.Sort(broken)
	return broken
}

// lowered is the ratchet after progress: no entry grows, none is added.
func lowered(found, allowed map[string]int) string {
	var lines []string
	for key, limit := range allowed {
		if n, ok := found[key]; ok {
			lines = append(lines, fmt.Sprintf("%s %d\n", key, min(n, limit)))
		}
	}
	slices.Sort(lines)
	return ratchetHead + strings.Join(lines, "")
}

func TestRatchet(t *testing.T) {
	text, err := os.ReadFile(ratchetFile)
	if err != nil {
		t.Fatal(err)
	}
	allowed, err := readRatchet(string(text))
	if err != nil {
		t.Fatal(err)
	}
	found := debts(tree(t))
	if *update {
		if err := os.WriteFile(ratchetFile, []byte(lowered(found, allowed)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	report(t, compareRatchet(found, allowed))
}

func TestRatchetCatches(t *testing.T) {
	long := "package a\nfunc f() {\n" + strings.Repeat("\t_ = 0\n", maxFunc) + "}\n"
	check := func(files []*file) []string { return compareRatchet(debts(files), nil) }
	caught(t, "a/x.go", long, true, check)
	caught(t, "a/x.go", strings.Replace(long, "\t_ = 0\n\t_ = 0\n", "", 1), false, check)
	caught(t, "a/x.go", "package a\n"+strings.Repeat("var _ = 0\n", maxFile), true, check)
	caught(t, "a/x.go", "package a\n// "+debtWords[0]+": later\n", true, check)
	caught(t, "a/x_test.go", "package a\nfunc f() { time.Sleep(1) }\n", true, check)
	if got := compareRatchet(map[string]int{"word a": 1}, map[string]int{"word a": 2}); len(got) != 1 {
		t.Errorf("progress not written down: got %q, want one line", got)
	}
	if got := lowered(map[string]int{"a": 3, "b": 9, "c": 1}, map[string]int{"a": 5, "b": 8}); got != ratchetHead+"a 3\nb 8\n" {
		t.Errorf("lowered: got %q", got)
	}
}
