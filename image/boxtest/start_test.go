package boxtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waymark/board"
	"waymark/image/modules"
	"waymark/image/pack"
	"waymark/image/vm"
	"waymark/image/vm/vmtest"
)

// bareInit is a box that is nothing but a kernel and a shell: it loads the driver
// of the cards, sets the addresses of branch1 and lets packets through.
const bareInit = `#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs dev /dev
for m in /modules/*; do $b insmod $m; done
$b ip address add 192.168.1.1/24 dev eth0
$b ip address add fd00:1::1/64 dev eth0
$b ip address add 203.0.113.2/24 dev eth1
for d in eth0 eth1 eth2; do $b ip link set $d up; done
echo 1 >/proc/sys/net/ipv4/ip_forward
echo '{"event":"forwarding"}' >/dev/REPORT
while :; do $b sleep 1000; done
`

// bareImage packs it for a kernel and returns the initramfs.
func bareImage(t *testing.T, kernel, report string) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, b []byte) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	put("bin/busybox", busybox)
	put("init", []byte(strings.ReplaceAll(bareInit, "REPORT", report)))
	for _, d := range []string{"proc", "sys", "dev", "modules"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i, b := range driver(t, kernel, "virtio_net") {
		put(fmt.Sprintf("modules/%02d", i), b)
	}
	out := filepath.Join(t.TempDir(), "bare.zst")
	pack := exec.Command("sh", "-c", "find . | busybox cpio -o -H newc | zstd -q -19 -o "+out)
	pack.Dir = dir
	if said, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return out
}

// driver returns the files of a module and what it needs, in order; none when the
// kernel has it built in.
func driver(t *testing.T, kernel, name string) (files [][]byte) {
	t.Helper()
	release, err := os.ReadFile(filepath.Join(kernel, "release"))
	if err != nil {
		t.Fatal(err)
	}
	from := filepath.Join(kernel, "lib/modules", string(bytes.TrimSpace(release)))
	dep, err := os.ReadFile(filepath.Join(from, modules.DepFile))
	if err != nil {
		return nil
	}
	builtin, err := os.ReadFile(filepath.Join(from, modules.BuiltinFile))
	if err != nil {
		t.Fatal(err)
	}
	order, err := modules.Parse(dep, builtin, nil).Order(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range order {
		b, err := exec.Command("xz", "-dc", filepath.Join(from, file)).Output()
		if err != nil {
			t.Fatalf("unpack %s: %v", file, err)
		}
		files = append(files, b)
	}
	return files
}

// forwards is how long a machine takes from power to its report of forwarding.
func forwards(t *testing.T, c vm.Config) time.Duration {
	t.Helper()
	for range 3 {
		c.NICs = append(c.NICs, vm.NIC{Netdev: "user,restrict=on"})
	}
	c.Watchdog = true
	from := time.Now()
	m := vmtest.Start(t, c)
	e := vmtest.Await(t, m, "forwarding")
	m.Close()
	return e.At.Sub(from)
}

// maxStart is how much longer than the bare machine ours may take to forward.
const maxStart = 2.0

// From power to forwarding the box takes at most twice as long as a bare kernel
// and shell that set the same addresses: same kernel, same machine, in turns,
// seven rounds when SOAK is set. When it is but one test of many, one round that
// both must end: what it takes then is for the machines beside them to say.
func TestSoakStart(t *testing.T) {
	b, err := board.Find("qemu-x86_64")
	if err != nil {
		t.Fatal(err)
	}
	rounds := 1
	if os.Getenv("SOAK") != "" {
		rounds = 7
	}
	dir, _ := image(t, b.Name)
	kernel := filepath.Join(dir, pack.KernelFile)
	bare := bareImage(t, vmtest.Kernel(t, b.Arch), "ttyS1")
	var plain, ours []time.Duration
	for range rounds {
		plain = append(plain, forwards(t, vm.Config{Arch: b.Emulated, Kernel: kernel, Initrd: bare}))
		ours = append(ours, forwards(t, vm.Config{Arch: b.Emulated, Kernel: kernel, Initrd: filepath.Join(dir, pack.InitramfsFile)}))
	}
	ratio := float64(median(ours)) / float64(median(plain))
	t.Logf("power to forwarding: bare %v, box %v (medians of %d), %.2f times as long; bare %v, box %v",
		median(plain), median(ours), rounds, ratio, plain, ours)
	if rounds > 1 && ratio > maxStart {
		t.Errorf("the box takes %.2f times as long as a bare machine, at most %.1f", ratio, maxStart)
	}
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2].Round(time.Millisecond)
}
