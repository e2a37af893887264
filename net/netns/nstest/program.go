package nstest

import (
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
	file := filepath.Join(t.TempDir(), name)
	// cp writes it: a descriptor of ours might be with a child that another
	// goroutine is just starting, and a file that is open for writing does not run.
	if out, err := exec.Command("cp", path, file).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v\n%s", path, err, out)
	}
	return file
}
