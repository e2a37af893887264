package keep_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waymark/net/keep"
)

// A file is read when it is there, written when it says something new, and one
// that is no JSON or too long is told.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.json")
	f := keep.File{Path: path}
	known := map[string]int{"kept": 1}
	if err := f.Load(&known); err != nil || known["kept"] != 1 {
		t.Fatalf("without a file: %v, %v", known, err)
	}
	if err := f.Save([]byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("nothing to keep made a file")
	}
	if err := f.Save([]byte(`{"a":2}`)); err != nil {
		t.Fatal(err)
	}
	again := keep.File{Path: path}
	if err := again.Load(&known); err != nil || known["a"] != 2 {
		t.Fatalf("read back: %v, %v", known, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := again.Save([]byte(`{"a":2}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("the same contents were written again")
	}
	if err := again.Save([]byte("{}\n")); err != nil { // what was known is gone
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "{}\n" {
		t.Fatalf("emptied: %q, %v", b, err)
	}
	for _, bad := range []string{"no JSON", strings.Repeat(" ", 256<<10) + "{}"} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := again.Load(&known); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%.10q: %v", bad, err)
		}
	}
}
