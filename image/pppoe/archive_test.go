package pppoe_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"waymark/image/vm"
	"waymark/image/vm/vmtest"
	"waymark/net/netns/nstest"
)

// archive is an initramfs in the making (cpio, newc).
type archive struct {
	testing.TB
	b    bytes.Buffer
	dirs map[string]bool
}

func (a *archive) entry(name string, mode int, data []byte) {
	pad := func() {
		for a.b.Len()%4 != 0 {
			a.b.WriteByte(0)
		}
	}
	fmt.Fprintf(&a.b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
	a.b.WriteString(name + "\x00")
	pad()
	a.b.Write(data)
	pad()
}

// add puts a file at an absolute path, making its folders.
func (a *archive) add(path string, mode int, data []byte) {
	path = strings.TrimPrefix(path, "/")
	for i, c := range path {
		if dir := path[:i]; c == '/' && !a.dirs[dir] {
			a.dirs[dir] = true
			a.entry(dir, 0o40755, nil)
		}
	}
	a.entry(path, 0o100000|mode, data)
}

func (a *archive) copy(path, from string) {
	a.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		a.Fatal(err)
	}
	a.add(path, 0o755, data)
}

// program puts a program of this machine into a folder, with the libraries it
// links.
func (a *archive) program(dir, name string) {
	a.Helper()
	path := nstest.Program(a, name)
	a.copy(dir+name, path)
	out, err := exec.Command("ldd", path).Output()
	if err != nil {
		return // static
	}
	for _, m := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
		if !a.dirs["file "+m[1]] {
			a.dirs["file "+m[1]] = true
			a.copy(m[1], m[1])
		}
	}
}

// modules puts kernel modules there with those they need, in the order to load.
func (a *archive) modules(kernel string, names ...string) {
	a.Helper()
	release, err := os.ReadFile(filepath.Join(kernel, "release"))
	if err != nil {
		a.Fatal(err)
	}
	root := filepath.Join(kernel, "lib/modules", strings.TrimSpace(string(release)))
	list, err := os.ReadFile(filepath.Join(root, "modules.dep"))
	if err != nil {
		a.Fatal(err)
	}
	needs := map[string][]string{}
	byName := map[string]string{}
	for line := range strings.Lines(string(list)) {
		file, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		needs[file] = strings.Fields(rest)
		byName[strings.SplitN(filepath.Base(file), ".", 2)[0]] = file
	}
	var order []string
	var want func(file string)
	want = func(file string) {
		if slices.Contains(order, filepath.Base(file)) {
			return
		}
		for _, n := range needs[file] {
			want(n)
		}
		a.copy("/modules/"+filepath.Base(file), filepath.Join(root, file))
		order = append(order, filepath.Base(file))
	}
	for _, n := range names {
		if byName[n] == "" {
			a.Fatalf("no module %s in %s", n, root)
		}
		want(byName[n])
	}
	a.add("/modules/order", 0o644, []byte(strings.Join(order, "\n")))
}

// write ends the archive.
func (a *archive) write() string {
	a.Helper()
	a.entry("TRAILER!!!", 0, nil)
	file := filepath.Join(a.TempDir(), "initrd")
	if err := os.WriteFile(file, a.b.Bytes(), 0o644); err != nil {
		a.Fatal(err)
	}
	return file
}

// build compiles a package of the tree and returns the program.
func build(t testing.TB, pkg string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return file
}

func newArchive(t testing.TB, guest string) *archive {
	a := &archive{TB: t, dirs: map[string]bool{}}
	a.copy("/init", guest)
	a.program("/bin/", "busybox")
	a.dirs["bin"] = true
	a.entry("bin/sh", 0o120777, []byte("busybox")) // pppd starts its script by it
	for _, dir := range []string{"dev", "proc", "sys", "run", "tmp", "var/run", "etc"} {
		a.add(dir+"/.keep", 0o644, nil)
	}
	return a
}

// machine is a guest that does what it is told.
type machine struct {
	testing.TB
	*vm.Machine
	commands int
}

func start(t testing.TB, c vm.Config) *machine {
	t.Helper()
	return &machine{TB: t, Machine: vmtest.Start(t, c)}
}

// ready waits until the guest has started.
func (m *machine) ready() {
	m.Helper()
	e := vmtest.Await(m, m.Machine, "boot")
	if strings.Contains(string(e.Line), `"error"`) {
		m.Fatalf("boot: %s", e.Line)
	}
}

// try runs a command and returns what it printed, and its error.
func (m *machine) try(command string) (output, failure string) {
	m.Helper()
	m.commands++
	vmtest.Type(m, m.Machine, fmt.Sprintf("%d %s", m.commands, command))
	e := vmtest.Await(m, m.Machine, fmt.Sprintf("done-%d", m.commands))
	var d struct{ Output, Error string }
	if err := e.Detail(&d); err != nil {
		m.Fatal(err)
	}
	return d.Output, d.Error
}

// run is try for a command that must succeed.
func (m *machine) run(command string) string {
	m.Helper()
	out, failure := m.try(command)
	if failure != "" {
		m.Fatalf("%s: %s\n%s", command, failure, out)
	}
	return out
}
