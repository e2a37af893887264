package boxtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"waymark/board"
	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/image/pack"
	"waymark/image/vm"
	"waymark/image/vm/vmtest"
)

// site is the lab's world whose branch is a machine, with a hub that is a process.
type site struct {
	*world.World
	hub *world.Router
	box *vm.Machine
}

// newSite builds the world, hub and servers included; the box is still off.
func newSite(t *testing.T) *site {
	t.Helper()
	w, err := world.New(world.Options{NoLTE: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{World: w}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := w.ServeLTE(); err != nil {
		t.Fatal(err)
	}
	if s.hub, err = w.StartRouter("hub1", world.Hub, world.Acme()); err != nil {
		t.Fatal(err)
	}
	if _, err := traffic.Serve(w, world.Server, "-web", "10.20.0.5:80", "-sink", "10.20.0.5:5001"); err != nil {
		t.Fatal(err)
	}
	return s
}

// cards are the machine's network cards in order of their slots: a TAP in the
// branch's namespace each, joined by a bridge to the cable there.
func (s *site) cards(t *testing.T, b *board.Board) (nics []vm.NIC) {
	t.Helper()
	s.do(t, world.Branch, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
	for _, p := range b.Ports {
		f, err := vm.TAP(s.NS(world.Branch), "tap-"+p.Name)
		if err != nil {
			t.Fatal(err)
		}
		nics = append(nics, vm.NIC{TAP: f})
		s.do(t, world.Branch, "ip", "link", "add", "br-"+p.Name, "type", "bridge")
		for _, member := range []string{"tap-" + p.Name, p.Name} {
			s.do(t, world.Branch, "ip", "link", "set", member, "master", "br-"+p.Name)
		}
		s.do(t, world.Branch, "ip", "link", "set", "br-"+p.Name, "up")
	}
	return nics
}

func (s *site) do(t *testing.T, ns string, cmd ...string) string {
	t.Helper()
	out, err := s.Exec(ns, cmd...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// power switches the box on, with an image of the board.
func (s *site) power(t *testing.T, name string, c vm.Config) {
	t.Helper()
	b, err := board.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := image(t, name)
	c.Arch, c.Kernel, c.Initrd = b.Emulated, filepath.Join(dir, pack.KernelFile), filepath.Join(dir, pack.InitramfsFile)
	c.NICs, c.Watchdog, c.Cmdline = s.cards(t, b), true, "waymark.drill "+c.Cmdline
	s.box = vmtest.Start(t, c)
}

// await waits for a report.
func (s *site) await(t *testing.T, name string) vm.Event {
	t.Helper()
	return vmtest.Await(t, s.box, name)
}

// order gives init an order (image/pid1, drill).
func (s *site) order(t *testing.T, o map[string]any) {
	t.Helper()
	line, err := json.Marshal(o)
	if err == nil {
		_, err = s.box.Report.Write(append(line, '\n'))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// signal sends one to a service of the box.
func (s *site) signal(t *testing.T, service string, n int) {
	t.Helper()
	s.order(t, map[string]any{"do": "signal", "service": service, "signal": n})
}

// waymark runs a command on the box and returns what it printed.
func (s *site) waymark(t *testing.T, args ...string) string {
	t.Helper()
	s.order(t, map[string]any{"do": "run", "args": args})
	var ran struct {
		How, Out string
	}
	e := s.await(t, "ran")
	if err := e.Detail(&ran); err != nil || ran.How != "exit" {
		t.Fatalf("waymark %q on the box: %v\n%s", args, err, e.Line)
	}
	return ran.Out
}

// fetch gets the page behind the hub, as a client of the box's LAN.
func (s *site) fetch(t *testing.T) {
	t.Helper()
	page, err := traffic.Get(vmtest.Context(t), s.World, world.Client, "http://10.20.0.5/")
	if err != nil || page.Status != 200 {
		t.Fatalf("page through the box: %+v, %v", page, err)
	}
}

// svr checks that the hub knows sessions from the box, as a peer.
func (s *site) svr(t *testing.T) {
	t.Helper()
	var rows []map[string]any
	if err := s.hub.ShowJSON(&rows, "sessions"); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(rows, func(r map[string]any) bool { return r["peer"] == "branch1" && r["service"] == "datacenter" }) {
		t.Errorf("the hub has no session of branch1: %v", rows)
	}
}

// fastRises sends data until the box reports that the lane in its kernel moved it.
func (s *site) fastRises(t *testing.T) {
	t.Helper()
	var last, packets struct{ Packets uint64 }
	for range 3 {
		if _, err := traffic.Put(vmtest.Context(t), s.World, world.Client, "10.20.0.5:5001", 8<<20); err != nil {
			t.Fatal(err)
		}
		e := s.await(t, "fast-lane")
		if err := e.Detail(&packets); err != nil || packets.Packets <= last.Packets {
			t.Fatalf("the fast lane's counter: %s, %v, before %d", e.Line, err, last.Packets)
		}
		last = packets
	}
}

// awaitDetail waits for a report that says more than its name.
func (s *site) awaitDetail(t *testing.T, name string, to any, fits func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(vmtest.Context(t), vmtest.Limit)
	defer cancel()
	for {
		e, err := s.box.Report.Await(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Detail(to); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", e.Line, err))
		}
		if fits() {
			return
		}
	}
}

// dataDisk makes a disk that is a data partition as a whole.
func dataDisk(t *testing.T, s *site) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "data.img")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, 16<<20); err != nil {
		t.Fatal(err)
	}
	s.do(t, world.Branch, "mkfs.ext4", "-q", "-L", board.DataLabel, name)
	return name
}

// readFile reads a file of the box's run directory.
func (s *site) readFile(t *testing.T, name string) string {
	t.Helper()
	s.order(t, map[string]any{"do": "read", "file": name})
	var read struct {
		Text   string
		Failed bool
	}
	e := s.await(t, "read")
	if err := e.Detail(&read); err != nil || read.Failed {
		t.Fatalf("read %s on the box: %v\n%s", name, err, e.Line)
	}
	return read.Text
}
