package nstest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Program returns the path of a copy of a program, which goes with the test.
// Distributions confine daemons by their path to the files of their service; a
// copy may read the test's. A program that is missing fails the test.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: scripts/install.sh test installs it", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}
