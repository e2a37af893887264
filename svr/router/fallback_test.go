package router_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"waymark/cmd/lab/world"
	"waymark/net/netns"
	"waymark/svr/router"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// page fetches a page through the routers.
func page(t *testing.T, w *world.World) {
	t.Helper()
	if p := get(t, w, world.Client, "http://10.20.0.5/"); p.Status != 200 {
		t.Errorf("got %d", p.Status)
	}
}

// ingress returns the programs of TCX on a device.
func ingress(t *testing.T, w *world.World, ns, dev string) (names []string) {
	t.Helper()
	err := netns.Do(w.NS(ns), func() error {
		index, err := ifindex(dev)
		if err != nil {
			return err
		}
		r, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: ebpf.AttachTCXIngress})
		if err != nil {
			return err
		}
		for _, a := range r.Programs {
			p, err := ebpf.NewProgramFromID(a.ID)
			if err != nil {
				return err
			}
			info, err := p.Info()
			p.Close()
			if err != nil {
				return err
			}
			names = append(names, info.Name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// ifindex is the number of an interface of the calling thread's namespace.
func ifindex(dev string) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(dev)
	if err != nil {
		return 0, err
	}
	err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr)
	return int(ifr.Uint32()), err
}

// killedBranch returns a world whose branch has just been killed behind a page
// that passed: what it had in the kernel is still there.
func killedBranch(t *testing.T) *world.World {
	t.Helper()
	w := newWorld(t, world.Options{})
	branch, _ := pair(t, w)
	serve(t, w, world.Server, "-web", "10.20.0.5:80")
	page(t, w)
	kill(t, branch)
	return w
}

// A router that cannot have the kernel's lane takes away what an earlier one
// left before it serves alone, or it does not serve: two lanes on one device
// would send everything twice.
func TestFallbackLeavesNoPrograms(t *testing.T) {
	t.Parallel()
	w := killedBranch(t)
	if got := ingress(t, w, world.Branch, "lan0"); len(got) != 1 {
		t.Fatalf("programs behind the kill: %v", got)
	}
	// May not even look at the programs: it must not serve beside them.
	w.Lanes = router.LanesAuto
	w.Wrap = []string{"setpriv", "--bounding-set", "-bpf,-sys_admin,-perfmon"}
	if r, err := w.StartRouter("branch1", world.Branch, world.Acme()); err == nil {
		kill(t, r)
		t.Error("serves beside an earlier router's programs")
	} else if !contains(err.Error(), "remove the fast lane of an earlier router") {
		t.Errorf("got %v", err)
	}
}

// Another kernel error than refusal falls back, too, and cleans up: here the
// TAP's name is taken by something else.
func TestFallbackRemovesPrograms(t *testing.T) {
	t.Parallel()
	w := killedBranch(t)
	if err := w.IP(world.Branch, "link del waymark0", "link add waymark0 type veth peer name elsewhere"); err != nil {
		t.Fatal(err)
	}
	w.Lanes = router.LanesAuto
	if r, err := w.StartRouter("branch1", world.Branch, world.Acme()); err == nil {
		kill(t, r)
		t.Error("serves though a foreign waymark0 is there")
	}
	if got := ingress(t, w, world.Branch, "lan0"); len(got) != 0 {
		t.Errorf("programs are left: %v", got)
	}
	if err := w.IP(world.Branch, "link del waymark0"); err != nil {
		t.Fatal(err)
	}
	start(t, w, "branch1", world.Branch, world.Acme())
	page(t, w)
}

// A device that takes no program is served by the service lane, beside others
// that the kernel's lane serves.
func TestDeviceWithoutPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	fillIngress(t, w, world.Branch, "lan0")
	branch, _ := pair(t, w)
	serve(t, w, world.Server, "-web", "10.20.0.5:80")
	page(t, w)
	logged(t, branch, "service lane alone on device")
	if m := stats(t, branch); m["fast/in"] == 0 {
		t.Error("no device is in the kernel's lane")
	}
	page(t, w)
}

// fillIngress attaches as many programs to a device as the kernel takes.
func fillIngress(t *testing.T, w *world.World, ns, dev string) {
	t.Helper()
	err := netns.Do(w.NS(ns), func() error {
		index, err := ifindex(dev)
		if err != nil {
			return err
		}
		for n := 0; ; n++ {
			const next = -1
			p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "filler", Type: ebpf.SchedCLS, License: "Apache-2.0",
				Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, next), asm.Return()}})
			if err != nil {
				return err
			}
			err = link.RawAttachProgram(link.RawAttachProgramOptions{Target: index, Program: p, Attach: ebpf.AttachTCXIngress})
			p.Close()
			if err != nil && n < 8 {
				return err
			}
			if err != nil {
				return nil // full
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A killed router's table has another layout than the next one knows, which gives it
// no time. It says so, and the sessions begin anew one by one, in the middle of their
// transfer.
func TestOtherLayoutBeginsAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	branch, _ := pair(t, w)
	serve(t, w, world.Server, "-web", "10.20.0.5:80")
	got, done := transferring(t, w, branch)
	kill(t, branch)
	changeLayout(t, w, world.Branch, "lan0")
	branch = start(t, w, "branch1", world.Branch, world.Acme(), "-drain", "0")
	line := logLine(t, branch, "sessions in the kernel begin anew")
	if !contains(line, "layout") {
		t.Errorf("the log says %s", line)
	}
	if err := <-done; err != nil || got.Sent != got.Arrived {
		t.Errorf("%+v, %v", got, err)
	}
	if m := stats(t, branch); m["sessions/recovered"]+m["sessions/accepted"]+m["sessions/opened"] == 0 {
		t.Errorf("no session began anew: %v", m)
	}
	if _, err := os.Stat(filepath.Join(branch.Run, router.RecordsFile)); err != nil {
		t.Error(err)
	}
	stop(t, branch)
	if got := ingress(t, w, world.Branch, "lan0"); len(got) != 0 {
		t.Errorf("programs are left: %v", got)
	}
}

// A killed router's session records are laid out as another build does it. The
// next one says so, and nothing begins anew.
func TestOtherRecordsMigrate(t *testing.T) {
	w := newWorld(t, world.Options{})
	branch, _ := pair(t, w)
	got, done := transferring(t, w, branch)
	kill(t, branch)
	if err := router.ForgeRecordsForTest(filepath.Join(branch.Run, router.RecordsFile)); err != nil {
		t.Fatal(err)
	}
	branch = start(t, w, "branch1", world.Branch, world.Acme())
	logLine(t, branch, "session records of another layout were migrated")
	if line := logLine(t, branch, "sessions adopted, pools checked"); field(line, "adopted") == "0" || !contains(line, `"begin anew"=0`) {
		t.Errorf("the log says %s", line)
	}
	if err := <-done; err != nil || got.Sent != got.Arrived {
		t.Errorf("%+v, %v", got, err)
	}
	if m := stats(t, branch); m["sessions/opened"] != 0 {
		t.Errorf("a session began anew: %v", m)
	}
}

// changeLayout gives the table of a device's program the number of another
// layout.
func changeLayout(t *testing.T, w *world.World, ns, dev string) {
	t.Helper()
	err := netns.Do(w.NS(ns), func() error {
		index, err := ifindex(dev)
		if err != nil {
			return err
		}
		r, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: ebpf.AttachTCXIngress})
		if err != nil || len(r.Programs) != 1 {
			return err
		}
		p, err := ebpf.NewProgramFromID(r.Programs[0].ID)
		if err != nil {
			return err
		}
		defer p.Close()
		info, err := p.Info()
		if err != nil {
			return err
		}
		ids, _ := info.MapIDs()
		for _, id := range ids {
			m, err := ebpf.NewMapFromID(id)
			if err != nil {
				return err
			}
			defer m.Close()
			if mi, err := m.Info(); err != nil || mi.Name != ".data.wm_table" {
				continue
			}
			mem, err := unix.Mmap(m.FD(), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			if err != nil {
				return err
			}
			const version = 8 // of the table's header (svr/pool)
			binary.NativeEndian.PutUint32(mem[version:], 77)
			return unix.Munmap(mem)
		}
		return os.ErrNotExist
	})
	if err != nil {
		t.Fatal(err)
	}
}
