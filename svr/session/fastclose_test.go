package session_test

import (
	"testing"

	"waymark/svr/packet"
	"waymark/svr/pool"
	"waymark/svr/router"
	"waymark/svr/session"
)

// fastDialog is a TCP connection that the lane in the kernel has at both
// routers.
func fastDialog(t *testing.T) (*sim, *dialog, *node) {
	t.Helper()
	s := newSim(t)
	a := parseConfig(t, "testdata/acme.json")
	prof := router.Profile{Name: "sim", Sessions: 64, Slots: 256, Wayports: 256, Mappings: 64, Hops: 16}
	hub := s.bootWith(a, "hub1", prof, router.Options{Fast: true})
	branch := s.bootWith(a, "branch1", prof, router.Options{Fast: true})
	d := newDialog(s, "branch1", packet.ProtoTCP, "192.168.1.10:40000", "10.20.0.5:80")
	for range 3 {
		d.speak(t)
	}
	for _, n := range []*node{branch, hub} {
		n.inKernel(t, "established", true)
	}
	return s, d, branch
}

// inKernel looks whether the kernel may forward both directions of the node's
// only session.
func (n *node) inKernel(t *testing.T, when string, want bool) {
	t.Helper()
	seen := 0
	n.parts.Table.ForEach(func(slot uint32) bool {
		seen++
		if _, a, _ := n.parts.Table.Read(slot); (a.Flags&pool.FlagFast != 0) != want {
			t.Errorf("%s: %s: flags %#x, want the kernel's %t", when, n.name, a.Flags, want)
		}
		return true
	})
	if seen != 2 {
		t.Errorf("%s: %s has %d directions", when, n.name, seen)
	}
}

// timeout is the time until the node's only session ends, in seconds.
func (n *node) timeout() (sec int64) {
	n.e.Begin(n.s.now, n.s.unix)
	n.e.Sessions(func(r *session.Row) bool { sec = r.Timeout / 1e9; return true })
	return sec
}

// markFINs is what the lane in the kernel does at a FIN.
func (n *node) markFINs() {
	n.parts.Table.ForEach(func(slot uint32) bool {
		n.parts.Table.MarkTCP(slot, packet.FlagFIN|packet.FlagACK)
		n.parts.Table.Count(slot, 1, 40, n.s.now)
		return true
	})
}

// A RST of any number passes on, for its receiver to judge, and leaves the
// session ten seconds; new data of either side restores it (docs/wire.md 10).
func TestFastResetIsBelievedUntilData(t *testing.T) {
	for _, from := range []string{"caller", "called"} {
		s, d, n := fastDialog(t)
		long := n.timeout()
		had := len(d.call.got) + len(d.caller.got)
		if from == "caller" {
			d.forth(tcp(d.out, packet.FlagRST, d.seq+1e9, 0, nil))
		} else {
			d.back(tcp(d.out.Reverse(), packet.FlagRST, d.ack+1e9, 0, nil))
		}
		if got := len(d.call.got) + len(d.caller.got); got != had+1 {
			t.Fatalf("%s: %d packets arrived, want the RST", from, got-had)
		}
		for _, n := range s.nodes {
			n.inKernel(t, "behind a RST", false)
			if sec := n.timeout(); sec > 10 {
				t.Errorf("%s: %s: %d s left behind a RST, want 10", from, n.name, sec)
			}
		}
		s.advance(8e9)
		d.speak(t)
		for _, n := range s.nodes {
			n.inKernel(t, "data behind a RST", true)
		}
		if sec := n.timeout(); sec < long-10 {
			t.Errorf("%s: %d s left behind new data, want %d", from, sec, long)
		}
		d.forth(tcp(d.out, packet.FlagRST|packet.FlagACK, d.seq, d.ack, nil))
		s.advance(11e9)
		for _, n := range s.nodes {
			if n.e.Live() != 0 {
				t.Errorf("%s: %s still has the session behind a RST", from, n.name)
			}
		}
	}
}

// Two FINs that passed in the kernel end the session after ten seconds, unless
// data behind them shows that they were forged.
func TestFastFINsAreBelievedUntilData(t *testing.T) {
	s, d, n := fastDialog(t)
	long := n.timeout()
	for _, n := range s.nodes {
		n.markFINs()
	}
	s.advance(8e9) // in this time every session was looked at
	for _, n := range s.nodes {
		n.inKernel(t, "behind two FINs", false)
		if sec := n.timeout(); sec > 10 {
			t.Errorf("%s: %d s left behind two FINs, want 10", n.name, sec)
		}
	}
	// Both say that they are alive, then speak: their FINs were none.
	d.forth(tcp(d.out, packet.FlagACK, d.seq, d.ack, nil))
	d.back(tcp(d.out.Reverse(), packet.FlagACK, d.ack, d.seq, nil))
	n.inKernel(t, "no data behind two FINs", false)
	d.speak(t)
	for _, n := range s.nodes {
		n.inKernel(t, "data behind two FINs", true)
	}
	if sec := n.timeout(); sec < long-10 {
		t.Errorf("%d s left behind new data, want %d", sec, long)
	}
	for _, n := range s.nodes {
		n.markFINs()
	}
	s.advance(20e9)
	for _, n := range s.nodes {
		if n.e.Live() != 0 {
			t.Errorf("%s still has the session behind two FINs", n.name)
		}
	}
}

// What is sent again from before the FINs is no new data.
func TestFastOldDataRestoresNothing(t *testing.T) {
	s, d, n := fastDialog(t)
	for _, n := range s.nodes {
		n.markFINs()
	}
	s.advance(8e9)
	d.forth(tcp(d.out, packet.FlagACK, d.seq+1, d.ack+1, nil)) // behind its FIN
	d.forth(tcp(d.out, packet.FlagACK, d.seq-50, d.ack, make([]byte, 50)))
	n.inKernel(t, "old data behind two FINs", false)
}

// An ICMP error about a connection that the kernel forwards counts when its
// numbers are known: the first makes us look at them, a forged one changes
// nothing ever.
func TestFastErrorsNeedTheirNumber(t *testing.T) {
	s, d, n := fastDialog(t)
	id := n.tables.Paths[0].ID
	mtu := n.e.PathMTU(id)
	tooBig := func(beside uint32) {
		t.Helper()
		var outer packet.Packet
		found := false
		s.seen = func(f *flight) {
			if f.from == n && f.p.T.Proto == packet.ProtoTCP && !found {
				outer, found = f.p, true
			}
		}
		d.speak(t)
		s.seen = nil
		if !found {
			t.Fatal("nothing went to the peer")
		}
		quote := tcp(outer.T, packet.FlagACK, d.seq-1+beside, 0, make([]byte, 100))
		var e packet.Packet
		e.Reset(make([]byte, 2048), 512, 512, 0)
		if !packet.BuildICMPError(&e, &quote, packet.ErrTooBig, 1300, outer.T.Dst) {
			t.Fatal("no error built")
		}
		if err := e.Parse(); err != nil {
			t.Fatal(err)
		}
		n.from(n.tables.Interfaces[n.tables.Paths[id].If].Name, e)
	}
	tooBig(0)
	n.inKernel(t, "behind an error", false)
	tooBig(1e9)
	if got := n.e.PathMTU(id); got != mtu {
		t.Errorf("path MTU %d behind a forged error, want %d", got, mtu)
	}
	tooBig(0)
	if got := n.e.PathMTU(id); got != 1300 {
		t.Errorf("path MTU %d behind an error with a number of ours, want 1300", got)
	}
	s.advance(30e9)
	n.inKernel(t, "long behind an error", true)
}

// A session is lent to the kernel when nothing of it waits any more, and after
// 20 ms in any case: else packets of its own that came first would be overtaken.
func TestFastWaitsForTheQueue(t *testing.T) {
	s := newSim(t)
	s.queued = true
	a := parseConfig(t, "testdata/acme.json")
	prof := router.Profile{Name: "sim", Sessions: 64, Slots: 256, Wayports: 256, Mappings: 64, Hops: 16}
	s.bootWith(a, "hub1", prof, router.Options{Fast: true})
	branch := s.bootWith(a, "branch1", prof, router.Options{Fast: true})
	d := newDialog(s, "branch1", packet.ProtoTCP, "192.168.1.10:40000", "10.20.0.5:80")
	d.speak(t)
	branch.inKernel(t, "established, packets wait", false)
	branch.e.Lend()
	branch.inKernel(t, "nothing waits", true)
	hub := s.nodes["hub1"]
	hub.inKernel(t, "packets wait at the hub", false)
	s.advance(100e6)
	hub.inKernel(t, "packets wait for too long", true)
}

// A lane in the kernel that does not see sessions yet gets none, however long they
// wait; when it does, all that waited are its.
func TestFastWithheld(t *testing.T) {
	s := newSim(t)
	a := parseConfig(t, "testdata/acme.json")
	prof := router.Profile{Name: "sim", Sessions: 64, Slots: 256, Wayports: 256, Mappings: 64, Hops: 16}
	s.bootWith(a, "hub1", prof, router.Options{Fast: true})
	branch := s.bootWith(a, "branch1", prof, router.Options{Fast: true})
	branch.e.Withhold(true)
	d := newDialog(s, "branch1", packet.ProtoTCP, "192.168.1.10:40000", "10.20.0.5:80")
	d.speak(t)
	branch.e.Lend()
	s.advance(10e9)
	branch.inKernel(t, "withheld", false)
	branch.e.Withhold(false)
	branch.e.Lend()
	branch.inKernel(t, "not withheld any more", true)
}
