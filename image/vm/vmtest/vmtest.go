// Package vmtest gives tests machines that end with the test, and keeps what they
// said when the test fails.
package vmtest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"waymark/image/vm"
)

// Limit is how long a test waits for anything of a machine: ten times what it
// takes, because the machine that emulates may be loaded.
const Limit = 90 * time.Second

// tail is how much of a port a failed test prints; the files have all.
const tail = 8 << 10

// Context ends after Limit, and with the test.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Limit)
	t.Cleanup(cancel)
	return ctx
}

// Start starts a machine that is gone when the test ends. If the test failed, it
// prints the end of what both ports said and keeps all of it in out/vm of the tree.
// WAYMARK_MEMORY gives a machine that many megabytes unless the test says how many.
func Start(t testing.TB, c vm.Config) *vm.Machine {
	t.Helper()
	if text := os.Getenv("WAYMARK_MEMORY"); text != "" && c.MemoryMB == 0 {
		mb, err := strconv.Atoi(text)
		if err != nil || mb <= 0 {
			t.Fatalf("WAYMARK_MEMORY=%s: want megabytes", text)
		}
		c.MemoryMB = mb
	}
	m, err := vm.Start(context.WithoutCancel(t.Context()), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Close()
		if t.Failed() {
			keep(t, "report", m.Report.Said())
			keep(t, "console", m.Console.Said())
		}
	})
	return m
}

func keep(t testing.TB, port string, said []byte) {
	dir := filepath.Join(Root(t), "out", "vm")
	file := filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+"."+port)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = os.WriteFile(file, said, 0o644)
	}
	t.Logf("%s port, kept in %s (%v):\n%s", port, file, err, said[max(0, len(said)-tail):])
}

// Await waits for one report and fails the test if it does not come.
func Await(t testing.TB, m *vm.Machine, name string) vm.Event {
	t.Helper()
	e, err := m.Report.Await(Context(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Expect waits for a text on the console and fails the test if it does not come.
func Expect(t testing.TB, m *vm.Machine, text string) (before string) {
	t.Helper()
	before, err := m.Console.Expect(Context(t), text)
	if err != nil {
		t.Fatal(err)
	}
	return before
}

// Type types a line on the console.
func Type(t testing.TB, m *vm.Machine, line string) {
	t.Helper()
	if _, err := m.Console.Write([]byte(line + "\n")); err != nil {
		t.Fatal(err)
	}
}

// Kernel is the folder of the distribution's own kernel for an architecture:
// vmlinuz, lib/modules, release. scripts/kernel.sh fetches it if it is missing.
// WAYMARK_KERNEL names another one; scripts/kernel-own.sh tests its kernel so.
func Kernel(t testing.TB, arch string) string {
	t.Helper()
	if dir := os.Getenv("WAYMARK_KERNEL"); dir != "" {
		return dir
	}
	cmd := exec.Command(filepath.Join(Root(t), "scripts", "kernel.sh"), arch)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("fetch kernel: %v\n%s", err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// Root is the folder of the tree, where go.mod lies.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && bytes.HasPrefix(b, []byte("module waymark\n")) {
			return dir
		}
	}
	t.Fatal("no go.mod of the tree above the test")
	return ""
}
