package enroltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waymark/board"
	"waymark/cmd/lab/enrol"
	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/image/pack"
	"waymark/image/vm"
	"waymark/image/vm/vmtest"
)

const boardName = "qemu-x86_64"

// stepLimit is how long anything may take, on a machine that has much else to do.
const stepLimit = 2 * vmtest.Limit

// TestMain is also the client and server programs that run inside namespaces.
func TestMain(m *testing.M) {
	if code, ok := traffic.Main(os.Args[1:]); ok {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// factoryImage builds the image that every box leaves the factory with.
func factoryImage(t *testing.T) (dir string) {
	t.Helper()
	b, err := board.Find(boardName)
	if err != nil {
		t.Fatal(err)
	}
	root, dir := vmtest.Root(t), t.TempDir()
	_, err = pack.Build(t.Context(), &pack.Options{Board: b, Root: root, Kernel: vmtest.Kernel(t, b.Arch), Out: dir, Version: "1.2.3", Counter: 7,
		Tools: filepath.Join(root, "out/tools"), Built: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Log: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// A box with the factory's image and nothing else finds its conductor by DHCP, waits,
// is accepted and configured, carries traffic, tells an alarm and a new address, and
// goes back from a configuration that locks it out.
func TestEnrol(t *testing.T) {
	dir := factoryImage(t)
	w, err := world.New(world.Options{NoLTE: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &enrol.Scene{World: w, WAN: enrol.Fiber, Config: world.AcmeDHCP(enrol.ConductorAddr), Follows: enrol.Emulated}
	image := enrol.Image{Board: boardName, Dir: dir, Start: func(c vm.Config) (*vm.Machine, error) { return vmtest.Start(t, c), nil }}
	for _, step := range []struct {
		name string
		take func(context.Context) (string, error)
	}{
		{"conductor", s.StartConductor}, {"fiber", s.ServeWAN}, {"lte", serveLTE(w)}, {"hub", s.StartHub}, {"servers", serve(w)},
		{"power on", s.PowerOn(image)}, {"pending", s.Pending}, {"accepted", s.Accept}, {"configured", s.Configure}, {"paths", s.HubReaches},
		{"page", page(s)}, {"alarm", s.AlarmRaised}, {"moved", s.AddressMoves}, {"cleared", s.AlarmCleared}, {"page again", page(s)},
		{"locked out", s.LockOut}, {"page at last", page(s)},
	} {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), stepLimit)
		figure, err := step.take(ctx)
		cancel()
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		t.Logf("%-12s %s (%.1f s)", step.name, figure, time.Since(began).Seconds())
	}
}

func serveLTE(w *world.World) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		_, err := w.ServeLTE()
		return "dnsmasq", err
	}
}

func serve(w *world.World) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		_, err := traffic.Serve(w, world.Server, "-web", "10.20.0.5:80", "-mark", "behind the hub")
		return "a web server behind the hub", err
	}
}

// page fetches a page as a client of the box's LAN. SVR restores the client's
// address, and the hub knows the session as the peer's.
func page(s *enrol.Scene) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		p, err := traffic.Get(ctx, s.World, world.Client, "http://10.20.0.5/")
		if err != nil {
			return "", err
		}
		if p.Status != 200 || !strings.HasPrefix(p.Body, "behind the hub\nfrom 192.168.1.10:") {
			return "", errors.New(p.Body)
		}
		var rows []map[string]any
		if err := s.Hub.ShowJSON(&rows, "sessions"); err != nil {
			return "", err
		}
		if !slices.ContainsFunc(rows, func(r map[string]any) bool { return r["peer"] == "branch1" && r["service"] == "datacenter" }) {
			return "", fmt.Errorf("the hub has no session of branch1: %v", rows)
		}
		return strings.ReplaceAll(strings.TrimSpace(p.Body), "\n", ", "), nil
	}
}
