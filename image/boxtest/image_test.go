package boxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"waymark/board"
	"waymark/cmd/lab/world"
	"waymark/image/pack"
	"waymark/image/vm/vmtest"
)

// sourceTime is the time of the sources in tests: after the hardware clock of no
// machine, so that a box's clock is the hardware's.
var sourceTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// options of an image of a board that runs branch1 of acme.json.
func options(t testing.TB, name, out string) *pack.Options {
	t.Helper()
	b, err := board.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	root := vmtest.Root(t)
	config := filepath.Join(out, "config.json")
	text := world.Acme()
	switch name {
	case stickBoard:
		text = onStick(t, text)
	case tagBoard:
		text = onTag(t, text)
	}
	if err := os.WriteFile(config, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return &pack.Options{Board: b, Root: root, Kernel: vmtest.Kernel(t, b.Arch), Out: out, Tools: filepath.Join(root, "out/tools"),
		Version: "1.2.3", Counter: 7, Built: sourceTime, Config: config, Router: "branch1", Log: func(string) {}}
}

// shared are the images of this test run, by board.
var shared = struct {
	sync.Mutex
	dir  string
	made map[string]pack.Sizes
}{made: map[string]pack.Sizes{}}

// image builds the image of a board once per run and returns its folder.
func image(t testing.TB, name string) (dir string, sizes pack.Sizes) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	dir = filepath.Join(shared.dir, name)
	if sizes = shared.made[name]; sizes != nil {
		return dir, sizes
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	sizes, err := pack.Build(t.Context(), options(t, name, dir))
	if err != nil {
		t.Fatal(err)
	}
	shared.made[name] = sizes
	return dir, sizes
}

// Built twice, the image has the same bytes, and nothing of where it was built.
func TestImageIsReproducible(t *testing.T) {
	first, _ := image(t, "qemu-x86_64")
	second := t.TempDir()
	o := options(t, "qemu-x86_64", second)
	if _, err := pack.Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{pack.KernelFile, pack.InitramfsFile, pack.SizesFile} {
		a, err1 := os.ReadFile(filepath.Join(first, name))
		b, err2 := os.ReadFile(filepath.Join(second, name))
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs between two builds (%d and %d bytes, %v, %v)", name, len(a), len(b), err1, err2)
		}
	}
	archive := unpack(t, filepath.Join(second, pack.InitramfsFile))
	home, _ := os.UserHomeDir()
	host, _ := os.Hostname()
	for what, text := range map[string]string{"tree": o.Root + "/", "home": home + "/", "host": host, "output": second + "/", "module cache": modcache(t) + "/"} {
		if len(text) > 4 && bytes.Contains(archive, []byte(text)) {
			t.Errorf("the image knows the builder's %s, %q", what, text)
		}
	}
	checkFiles(t, entries(t, archive))
}

// checkFiles holds that an image is made of what is listed here and nothing else:
// what is not there keeps no secret.
func checkFiles(t *testing.T, files map[string]file) {
	want := []string{"bin", "bin/waymark", "dev", "dev/console", "dev/null", "etc", "etc/resolv.conf", "etc/waymark", "etc/waymark/build.json",
		"etc/waymark/config.json", "etc/waymark/router", "etc/waymark/sbom.json", "init", "lib", "proc", "run", "sbin",
		"sbin/modprobe", "sys", "tmp"}
	for name, f := range files {
		isModule := name == "lib/modules" || strings.HasPrefix(name, "lib/modules/")
		if !isModule && !slices.Contains(want, name) {
			t.Errorf("the image holds %s", name)
		}
		if f.mtime != 0 || f.uid != 0 {
			t.Errorf("%s: of user %d, from %d", name, f.uid, f.mtime)
		}
	}
	for _, name := range want {
		if _, ok := files[name]; !ok {
			t.Errorf("the image lacks %s", name)
		}
	}
	for _, text := range []string{`"github.com/mdlayher/netlink"`, `"linux-image-6`, `"CycloneDX"`} {
		if !bytes.Contains(files["etc/waymark/sbom.json"].data, []byte(text)) {
			t.Errorf("the bill of materials does not name %s", text)
		}
	}
}

// What should, and what may at most, lie beside a kernel that has everything built in.
const (
	goalInitramfs = 4_000_000
	mostInitramfs = 4 << 20
)

// The program alone, as beside our own kernel, stays small on each architecture:
// more than a hundredth above what image/sizes.json says is to be meant, and
// written there.
func TestSizes(t *testing.T) {
	known := readSizes(t)
	for _, name := range []string{"qemu-x86_64", "qemu-arm64"} {
		o := options(t, name, t.TempDir())
		o.Config, o.Router, o.Kernel = "", "", t.TempDir()
		for file, text := range map[string]string{"vmlinuz": "", "release": "own\n"} {
			if err := os.WriteFile(filepath.Join(o.Kernel, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		sizes, err := pack.Build(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		got := sizes[pack.InitramfsFile]
		t.Logf("%s: initramfs %d bytes, goal %d, program %d", name, got, goalInitramfs, sizes["waymark"])
		if limit := known[name][pack.InitramfsFile] * 101 / 100; got > min(limit, mostInitramfs) {
			t.Errorf("%s: initramfs without modules has %d bytes, at most %d; the program's biggest packages:\n%s",
				name, got, min(limit, mostInitramfs), biggest(t, o.Board.Arch))
		}
	}
}

// biggest lists the packages that the program has most bytes of, before compression.
func biggest(t *testing.T, arch string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "waymark")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", program, "waymark/cmd/waymark")
	build.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command("go", "tool", "nm", "-size", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	return topPackages(string(out), 25)
}

// topPackages sums up a listing of go tool nm by package: lines of address, size,
// kind, symbol. What is not in the file (B, b) does not count.
func topPackages(listing string, n int) string {
	sums := map[string]int{}
	for line := range strings.Lines(listing) {
		f := strings.Fields(line)
		if len(f) < 4 || strings.EqualFold(f[2], "b") {
			continue
		}
		size, err := strconv.Atoi(f[1])
		if err != nil {
			continue
		}
		name, _, _ := strings.Cut(f[3], "[") // type arguments name other packages
		slash := strings.LastIndexByte(name, '/') + 1
		base, _, _ := strings.Cut(name[slash:], ".")
		sums[name[:slash]+base] += size
	}
	names := slices.SortedFunc(maps.Keys(sums), func(a, b string) int { return sums[b] - sums[a] })
	var text strings.Builder
	for _, name := range names[:min(n, len(names))] {
		fmt.Fprintf(&text, "%9d %s\n", sums[name], name)
	}
	return text.String()
}

// The listing is summed by package, however a symbol is spelled.
func TestTopPackages(t *testing.T) {
	got := topPackages(`  401000     700 T waymark/mgmt/config.decodeInterface
  402000     300 t waymark/mgmt/config.(*Node).Name
  403000     500 T slices.pdqsort[go.shape.struct { waymark/svr/wire.TLV }]
  404000 9999999 B crypto/internal/fips140/drbg.memory
                   U missing
`, 2)
	if want := "     1000 waymark/mgmt/config\n      500 slices\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// readSizes reads the sizes of images with our own kernel, by board.
func readSizes(t *testing.T) map[string]pack.Sizes {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", pack.SizesFile))
	if err != nil {
		t.Fatal(err)
	}
	var sizes map[string]pack.Sizes
	if err := json.Unmarshal(b, &sizes); err != nil {
		t.Fatal(err)
	}
	return sizes
}

func modcache(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func unpack(t *testing.T, name string) []byte {
	t.Helper()
	out, err := exec.Command("zstd", "-dc", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// file is an entry of a cpio archive.
type file struct {
	mtime, uid int64
	data       []byte
}

// entries reads a newc archive.
func entries(t *testing.T, b []byte) map[string]file {
	t.Helper()
	list := map[string]file{}
	field := func(i int) int64 {
		n, err := strconv.ParseInt(string(b[6+8*i:14+8*i]), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	round := func(n int64) int64 { return (n + 3) &^ 3 }
	for len(b) >= 110 {
		size, nameSize := field(6), field(11)
		name := string(b[110 : 110+nameSize-1])
		if name == "TRAILER!!!" {
			return list
		}
		from := round(110 + nameSize)
		list[name] = file{mtime: field(5), uid: field(2), data: b[from : from+size]}
		b = b[round(from+size):]
	}
	t.Fatal(fmt.Errorf("archive ends without its trailer behind %d entries", len(list)))
	return nil
}
