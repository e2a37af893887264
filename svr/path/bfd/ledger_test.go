package bfd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rules are the rows of a ledger: section, rule, tests.
var rules = regexp.MustCompile(`(?m)^\| (\d+(?:\.\d+)*) \| (.+?) \| (.+?) \|$`)

// proof is a test as the ledger names it: folder of the package, test, row.
var proof = regexp.MustCompile("`([a-z/]+) (Test[A-Za-z0-9]+)(?:/([a-z_ :0-9]+))?`")

// Every rule of docs/bfd.md names tests, and all of them exist.
func TestLedger(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "bfd.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := rules.FindAllStringSubmatch(string(text), -1)
	if len(found) < 100 {
		t.Fatalf("only %d rules", len(found))
	}
	tests := map[string]string{} // folder to the text of its tests
	for _, r := range found {
		names := proof.FindAllStringSubmatch(r[3], -1)
		if len(names) == 0 {
			t.Errorf("%s %s: no test", r[1], r[2])
		}
		for _, n := range names {
			if tests[n[1]] == "" {
				tests[n[1]] = testText(t, filepath.Join(root, n[1]))
			}
			if !strings.Contains(tests[n[1]], "func "+n[2]+"(") {
				t.Errorf("%s %s: %s has no %s", r[1], r[2], n[1], n[2])
			}
			if n[3] != "" && !strings.Contains(tests[n[1]], `"`+n[3]+`"`) {
				t.Errorf("%s %s: %s has no row %q", r[1], r[2], n[2], n[3])
			}
		}
	}
}

func testText(t *testing.T, dir string) (text string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", dir, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
	}
	return text
}
