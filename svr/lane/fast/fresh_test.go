package fast_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sources are what bpf/build.sh hashes, in its order.
func sources(t *testing.T) (list []string) {
	t.Helper()
	for _, pattern := range []string{"bpf/*.h", "bpf/*.c", "fasttest/bpf/*.c"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		slices.Sort(files)
		list = append(list, files...)
	}
	return append(list, "bpf/build.sh")
}

// TestFresh: the objects were compiled from these sources, and where clang 14 is
// installed compiling again gives the same bytes. bpf/build.sh makes them new.
func TestFresh(t *testing.T) {
	h := sha256.New()
	for _, f := range sources(t) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
	}
	want, err := os.ReadFile("bpf/lane.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != strings.TrimSpace(string(want)) {
		t.Errorf("sources have hash %s, objects were made from %s", got, want)
	}
	if _, err := exec.LookPath("clang-14"); err != nil {
		t.Log("no clang-14: hashes compared only")
		return
	}
	dir := t.TempDir()
	if out, err := exec.Command("bpf/build.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	for object, name := range map[string]string{"bpf/lane_bpfel.o": "lane_bpfel.o", "bpf/lane_bpfeb.o": "lane_bpfeb.o",
		"fasttest/bpf/gen_bpfel.o": "gen_bpfel.o", "fasttest/bpf/hash_bpfel.o": "hash_bpfel.o"} {
		a, err := os.ReadFile(object)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs from what its sources give", object)
		}
	}
}
