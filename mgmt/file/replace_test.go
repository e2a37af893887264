package file_test

import (
	"os"
	"path/filepath"
	"testing"

	"waymark/mgmt/file"
)

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "x")
	for _, text := range []string{"one", "two", ""} {
		if err := file.Replace(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		st, _ := os.Stat(name)
		if err != nil || string(got) != text || st.Mode().Perm() != 0o600 {
			t.Errorf("read %q, %v, mode %v, want %q", got, err, st.Mode(), text)
		}
	}
	if err := file.Replace(filepath.Join(dir, "missing", "x"), nil, 0o600); err == nil {
		t.Error("a missing directory is no error")
	}
	if err := file.Replace(dir, []byte("x"), 0o600); err == nil {
		t.Error("a directory can be replaced")
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("left behind: %v", list)
	}
}
