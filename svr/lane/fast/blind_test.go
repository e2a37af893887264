package fast_test

import (
	"net"
	"testing"

	"waymark/svr/lane/fast"
	"waymark/svr/lane/fast/fasttest"
)

// seen are the reasons that only a program finds that looks sessions up.
var seen = map[fast.Reason]bool{0: true, fast.PuntControl: true, fast.PuntTCP: true, fast.PuntTTL: true, fast.PuntMTU: true,
	fast.PuntGSO: true, fast.PuntCsum: true, fast.PuntSlow: true, fast.PuntHop: true}

// TestBlindReasons: a program that looks nothing up punts what the others forward
// or know a reason for, and leaves the host its own as they do.
func TestBlindReasons(t *testing.T) {
	w := reasonWorld(t)
	tc := w.load(fast.ProgBlind, fast.PortConfig{Index: 1, Untagged: 1})
	for _, tt := range append(hitTests, missTests...) {
		if seen[tt.want] {
			tt.want = fast.PuntMiss
		}
		t.Run(tt.name, func(t *testing.T) { w.reason(t, tc, &tt) })
	}
}

// mostBlind bounds the verifier's work for a program that looks nothing up: what
// makes it worth its while.
const mostBlind = mostVerified / 5

// TestBlindIsCheap: the kernel leaves out what cannot be reached.
func TestBlindIsCheap(t *testing.T) {
	w := newWorld(t, fast.Config{})
	info, err := w.load(fast.ProgBlind, fast.PortConfig{Index: 1, Untagged: 1}).Info()
	if err != nil {
		t.Fatal(err)
	}
	insns, known := info.VerifiedInstructions()
	t.Logf("verified %d instructions", insns)
	if !known || insns > mostBlind {
		t.Errorf("verified %d instructions, want at most %d", insns, mostBlind)
	}
}

// TestBlindThenSees: a lane whose devices look nothing up forwards nothing itself.
// The next process adopts it as any other, loads programs that see, and puts them
// on: every session is in the kernel's hands from then on.
func TestBlindThenSees(t *testing.T) {
	c := newContestant(t, "tc", 64)
	w, dev := c.world, fast.PortConfig{Index: c.row.A0.Index, MAC: c.row.A0.MAC, Untagged: 1}
	blind := dev
	blind.Blind = true
	w.in(func() error { return w.lane.Attach(blind) })
	const frames = 1 << 12
	c.gen.Send(c.row.Client, frames, 0)
	if n := w.counters(); n.Forwarded() != 0 || n.Reason[fast.PuntMiss] != frames || n.Dropped() != 0 {
		t.Errorf("blind: counters %+v", n)
	}
	w.in(func() error { return w.lane.Close(true) })
	w.open(fast.Config{Slots: leastSlots, Devices: []int{c.row.A0.Index, c.row.A1.Index}})
	if !w.lane.Adopted() {
		t.Fatal("a blind lane is not adopted")
	}
	w.in(func() error {
		p, err := w.lane.Prepare(dev)
		if err != nil {
			return err
		}
		return w.lane.Put(p)
	})
	c.gen.Send(c.row.Client, frames, 0)
	if n := w.counters(); n.Forwarded() != frames || n.Reason[fast.PuntMiss] != frames || c.sink.Count(fasttest.Got) != frames {
		t.Errorf("seeing: counters %+v, %d frames arrived", n, c.sink.Count(fasttest.Got))
	}
}

// TestNoXDPHere: a device that takes no XDP program, of which the TC program was told
// already, has that one alone, and it is exchanged as any other.
func TestNoXDPHere(t *testing.T) {
	w := newWorld(t, fast.Config{})
	fasttest.Run(t, w.ns, "ip link add d0 type bridge")
	w.in(func() error {
		dev, err := net.InterfaceByName("d0")
		if err != nil {
			return err
		}
		c := fast.PortConfig{Index: dev.Index, MAC: [6]byte(dev.HardwareAddr), Untagged: 1, Blind: true}
		if err := w.lane.Attach(c); err != nil {
			return err
		}
		c.Blind, c.XDP = false, true
		if err := w.lane.Attach(c); err == nil {
			t.Error("a bridge takes XDP programs")
		}
		c.XDP = false
		for range 2 {
			if err := w.lane.Attach(c); err != nil {
				return err
			}
			if n := len(fast.AtIngress(dev.Index)); n != 1 {
				t.Errorf("%d programs at the ingress", n)
			}
		}
		if err := w.lane.Detach(dev.Index); err != nil {
			return err
		}
		if n := len(fast.AtIngress(dev.Index)); n != 0 {
			t.Errorf("%d programs are left", n)
		}
		return nil
	})
}
