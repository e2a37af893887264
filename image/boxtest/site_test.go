package boxtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"waymark/board"
	"waymark/cmd/lab/machine"
	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/image/vm"
	"waymark/image/vm/vmtest"
)

// site is the lab's world whose branch is a machine, with a hub that is a process.
type site struct {
	*world.World
	hub *world.Router
	box *machine.Branch
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
	var sticks []string
	if b.Name == stickBoard {
		sticks = []string{"wan1"}
	}
	c, err = machine.Config(s.World, b, dir, c, sticks...)
	if err != nil {
		t.Fatal(err)
	}
	s.box = machine.New(vmtest.Start(t, c), b)
}

// await waits for a report.
func (s *site) await(t *testing.T, name string) vm.Event {
	t.Helper()
	return vmtest.Await(t, s.box.Machine, name)
}

// order gives init an order (image/pid1, drill).
func (s *site) order(t *testing.T, o map[string]any) {
	t.Helper()
	if err := s.box.Order(o); err != nil {
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
	out, err := s.box.Waymark(vmtest.Context(t), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
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

// fastRises sends data until the box reports that the lane in its kernel moved it: a
// slow machine is long about loading that lane, while the service lane forwards.
func (s *site) fastRises(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() {
		var err error
		for err == nil && ctx.Err() == nil {
			_, err = traffic.Put(ctx, s.World, world.Client, "10.20.0.5:5001", 8<<20)
		}
		sent <- err
	}()
	defer func() {
		select {
		case err := <-sent: // it ended before it was told to
			t.Errorf("transfer: %v", err)
		default:
			stop()
			<-sent
		}
	}()
	var last, packets struct{ Packets uint64 }
	for range 3 {
		e := s.await(t, "fast-lane")
		if err := e.Detail(&packets); err != nil || packets.Packets <= last.Packets {
			t.Fatalf("the fast lane's counter: %s, %v, before %d", e.Line, err, last.Packets)
		}
		last = packets
	}
}

// alarmed waits until a service starts again, or there is an alarm about it, which it
// tells.
func (s *site) alarmed(t *testing.T, service string, to *struct{ Type, Source, Message string }) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(vmtest.Context(t), vmtest.Limit)
	defer cancel()
	for {
		e, err := s.box.Report.Await(ctx, "started", "alarm")
		if err != nil {
			t.Fatal(err)
		}
		var about struct{ Service, Type, Source, Message string }
		if err := e.Detail(&about); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", e.Line, err))
		}
		if about.Service == service {
			return false
		}
		if to.Type, to.Source, to.Message = about.Type, about.Source, about.Message; about.Source == service {
			return true
		}
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

// usedData is the data partition of a box whose factory reset lost its power
// before it was done: half of what was there is.
var usedData = map[string]string{
	"factory-reset.json":      `{"why":"reboot","detail":"factory-reset: console on ttyAMA0"}`,
	"config/running.json":     "no configuration at all",
	"config/router":           "somebody",
	"identity/console-secret": "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
	"left-by-others/file":     "anything",
	"update/update.json":      "{}",
}

// dataDisk makes a disk that is a data partition as a whole, with files.
func dataDisk(t *testing.T, s *site, files map[string]string) string {
	t.Helper()
	name, dir := filepath.Join(t.TempDir(), "data.img"), t.TempDir()
	for file, text := range files {
		file = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, 16<<20); err != nil {
		t.Fatal(err)
	}
	s.do(t, world.Branch, "mkfs.ext4", "-q", "-L", board.DataLabel, "-d", dir, name)
	return name
}

// readFile reads a file of the box's run directory.
func (s *site) readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := s.box.File(vmtest.Context(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
