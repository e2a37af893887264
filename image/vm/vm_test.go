package vm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waymark/image/vm"
	"waymark/image/vm/vmtest"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
)

// archive writes a cpio archive (newc) that holds program as /init.
func archive(t *testing.T, program string) string {
	t.Helper()
	init, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	pad := func() {
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
	}
	add := func(name string, mode int, data []byte) {
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
			0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
		b.WriteString(name + "\x00")
		pad()
		b.Write(data)
		pad()
	}
	add("dev", 0o40755, nil)
	add("proc", 0o40755, nil)
	add("init", 0o100755, init)
	add("TRAILER!!!", 0, nil)
	file := filepath.Join(t.TempDir(), "initrd")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func echo(t *testing.T, arch string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "echo")
	cmd := exec.Command("go", "build", "-o", program, "./testdata/echo")
	cmd.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return archive(t, program)
}

// Both architectures: reports come as events, the console both ways, resets boot
// again, the machine's end is an error for who waits, and a card's TAP goes with it.
func TestMachine(t *testing.T) {
	for _, arch := range []string{vm.AMD64, vm.ARM64} {
		t.Run(arch, func(t *testing.T) {
			ns := nstest.New(t)
			tap, err := vm.TAP(ns, "card0")
			if err != nil {
				t.Fatal(err)
			}
			m := vmtest.Start(t, vm.Config{
				Arch: arch, Kernel: vmtest.Kernel(t, arch) + "/vmlinuz", Initrd: echo(t, arch), MemoryMB: 192,
				NICs: []vm.NIC{{TAP: tap}, {Netdev: "user"}}, Watchdog: true,
			})
			var boot struct {
				Memory int `json:"memory-mb"`
			}
			e := vmtest.Await(t, m, "boot")
			if err := e.Detail(&boot); err != nil || e.T != 1.5 || boot.Memory < 90 || boot.Memory > 192 {
				t.Errorf("boot: %s, %v", e.Line, err)
			}
			vmtest.Expect(t, m, "say> ")
			vmtest.Type(t, m, "hello")
			vmtest.Expect(t, m, "<hello>")
			if err := card(ns); err != nil {
				t.Errorf("TAP of a running machine: %v", err)
			}
			for nic, ok := range []bool{true, true, false} { // two cards
				for _, plugged := range []bool{false, true} {
					if err := m.Cable(vmtest.Context(t), nic, plugged); (err == nil) != ok {
						t.Errorf("cable of card %d, plugged %v: %v", nic, plugged, err)
					}
				}
			}
			if arch == vm.ARM64 {
				vmtest.Type(t, m, "again")
				vmtest.Await(t, m, "boot")
			}
			vmtest.Expect(t, m, "say> ")
			vmtest.Type(t, m, "panic")
			if _, err := m.Report.Await(vmtest.Context(t), "healthy"); err == nil || !strings.Contains(err.Error(), `"panic"`) {
				t.Errorf("awaiting health of a panicking machine: %v", err)
			}
			vmtest.Type(t, m, "off")
			if _, err := m.Report.Await(vmtest.Context(t), "healthy"); !errors.Is(err, vm.ErrEnded) {
				t.Errorf("awaiting health of a machine that is off: %v", err)
			}
			if err := m.Ended(); err != nil {
				t.Errorf("switched off: %v", err)
			}
			if err := m.Cable(vmtest.Context(t), 0, true); err == nil {
				t.Error("a machine that is off has a cable")
			}
			if err := card(ns); err == nil {
				t.Error("the TAP outlives its machine")
			}
			if n := len(m.Report.Events()); n < 2 {
				t.Errorf("%d events", n)
			}
		})
	}
}

// card looks for the TAP.
func card(ns string) error {
	return netns.Run(ns, exec.Command("ip", "link", "show", "dev", "card0"))
}

// A machine that says nothing is ended by the deadline of who waits and by Close.
func TestSilence(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk,empty.img")
	if err := os.WriteFile(disk, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	m := vmtest.Start(t, vm.Config{Arch: vm.AMD64, Disks: []string{disk}, MemoryMB: 64})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := m.Report.Await(ctx, "boot"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("await: %v", err)
	}
	if _, err := m.Console.Expect(ctx, "login"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("expect: %v", err)
	}
	m.Close()
	if err := m.Ended(); !errors.Is(err, vm.ErrEnded) {
		t.Errorf("closed: %v", err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", m.PID())); err == nil {
		t.Error("QEMU outlives its machine")
	}
}

func TestRefused(t *testing.T) {
	for _, row := range []struct {
		c    vm.Config
		want string
	}{
		{vm.Config{Arch: "mips", Kernel: "k"}, "mips"},
		{vm.Config{Arch: vm.AMD64}, "neither kernel nor disk"},
	} {
		if _, err := vm.Start(t.Context(), row.c); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%+v: %v, want %q", row.c, err, row.want)
		}
	}
	m := vmtest.Start(t, vm.Config{Arch: vm.AMD64, Kernel: "/nowhere/vmlinuz"})
	if _, err := m.Report.Await(vmtest.Context(t), "boot"); !errors.Is(err, vm.ErrEnded) || !strings.Contains(err.Error(), "/nowhere/vmlinuz") {
		t.Errorf("missing kernel: %v", err)
	}
}
