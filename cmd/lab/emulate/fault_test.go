package emulate_test

import (
	"strings"
	"testing"

	"waymark/cmd/lab/emulate"
	"waymark/cmd/lab/world"
)

// faulty is a link at the internet host; In is towards that host.
func faulty(t *testing.T) (*world.World, *emulate.Link) {
	t.Helper()
	w := newWorld(t, world.Options{})
	l, err := emulate.Switchable(w, world.Internet, "eth0", emulate.Impairment{})
	if err != nil {
		t.Fatal(err)
	}
	return w, l
}

func set(t *testing.T, l *emulate.Link, f emulate.Faults) {
	t.Helper()
	if err := l.Set(f); err != nil {
		t.Fatal(err)
	}
}

// received is how many ICMP packets of a type a host counted so far.
func received(t *testing.T, w *world.World, ns, kind string) int {
	t.Helper()
	out, err := w.Exec(ns, "nstat", "-asz", kind)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == kind {
			n := 0
			for _, c := range f[1] {
				n = n*10 + int(c-'0')
			}
			return n
		}
	}
	t.Fatalf("no %s in\n%s", kind, out)
	return 0
}

// A dead direction loses everything that goes that way, and nothing else.
func TestOneWayDeath(t *testing.T) {
	w, l := faulty(t)
	if _, err := w.Exec(world.ISPFiber, "ping", "-n", "-c", "1", "-W", "5", "192.0.2.10"); err != nil {
		t.Fatal(err) // link addresses are known from now on
	}
	for _, c := range []struct {
		name           string
		faults         emulate.Faults
		asked, answers int
	}{
		{"towards the host", emulate.Faults{In: emulate.Fault{Dead: true}}, 0, 0},
		{"away from it", emulate.Faults{Out: emulate.Fault{Dead: true}}, 5, 0},
		{"in order again", emulate.Faults{}, 5, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			set(t, l, c.faults)
			before := received(t, w, world.Internet, "IcmpInEchos")
			got, _ := pinged(t, w, 5)
			if asked := received(t, w, world.Internet, "IcmpInEchos") - before; asked != c.asked || got != c.answers {
				t.Errorf("%d requests arrived and %d answers, want %d and %d", asked, got, c.asked, c.answers)
			}
		})
	}
}

// A hole takes what is longer than it says, to the byte, and tells the sender
// only where it is told to.
func TestHole(t *testing.T) {
	w, l := faulty(t)
	how := "do" // the kernel would cut what it learned to be too long
	ping := func(size string) (string, bool) {
		out, err := w.Exec(world.ISPFiber, "ping", "-n", "-M", how, "-c", "1", "-W", "1", "-s", size, "192.0.2.10")
		return out, err == nil
	}
	for _, icmp := range []bool{false, true} {
		set(t, l, emulate.Faults{In: emulate.Fault{Hole: 1400, ICMP: icmp}})
		if out, ok := ping("1372"); !ok {
			t.Errorf("1400 bytes:\n%s", out)
		}
		out, ok := ping("1373")
		if ok || strings.Contains(out, "mtu = 1400") != icmp {
			t.Errorf("1401 bytes, ICMP %v: passed %v\n%s", icmp, ok, out)
		}
	}
	set(t, l, emulate.Faults{})
	if how = "dont"; !flushed(w) {
		t.Error("cannot forget the path MTU")
	}
	if out, ok := ping("1472"); !ok {
		t.Errorf("1500 bytes without the hole:\n%s", out)
	}
}

// flushed makes the kernel at the other end forget what ICMP told it.
func flushed(w *world.World) bool {
	_, err := w.Exec(world.ISPFiber, "ip", "route", "flush", "cache")
	return err == nil
}
