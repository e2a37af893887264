package session_test

import (
	"net/netip"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/policy"
)

// TestCarrierLoss: without fiber new sessions leave by lte with its address,
// old ones stay where they are.
func TestCarrierLoss(t *testing.T) {
	s, branch, _ := breakout(t)
	branch.lease("lte", "100.64.7.9/24", "100.64.7.1")
	old := tuple(packet.ProtoUDP, "192.168.1.77:5000", "8.8.8.8:53")
	first := branch.out(udp(old, []byte("x")))
	branch.up(branch.ifc("fiber"), false)
	for k, row := range []struct {
		tuple packet.Tuple
		want  string
	}{
		{old, "203.0.113.2"},
		{tuple(packet.ProtoUDP, "192.168.1.77:5001", "8.8.8.8:53"), "100.64.7.9"},
		{tuple(packet.ProtoUDP, "192.168.1.77:5000", "9.9.9.9:53"), "100.64.7.9"},
	} {
		got := branch.out(udp(row.tuple, []byte("x")))
		if len(got) != 1 || got[0].T.SrcAddr() != netip.MustParseAddr(row.want) {
			t.Fatalf("row %d: %v, want source %s\n%s", k, got, row.want, branch.explain())
		}
		ifc := "lte"
		if row.want == "203.0.113.2" {
			ifc = "fiber"
			if got[0].T != first[0].T {
				t.Errorf("the old session moved to %v", got[0].T)
			}
		}
		if in := branch.back(ifc, udp(got[0].T.Reverse(), []byte("y")), "192.168.1.77"); len(in) != 1 {
			t.Errorf("row %d: the answer did not come back", k)
		}
	}
	branch.up(branch.ifc("fiber"), true)
	if got := branch.out(udp(tuple(packet.ProtoUDP, "192.168.1.77:5002", "8.8.8.8:53"), []byte("x"))); got[0].T.SrcAddr() != netip.MustParseAddr("203.0.113.2") {
		t.Errorf("with fiber back, source %v, want 203.0.113.2", got[0].T.SrcAddr())
	}
	s.advance(1e9)
}

// TestNoCarrier: no way out at all is told to the host.
func TestNoCarrier(t *testing.T) {
	s, branch, _ := breakout(t)
	branch.up(branch.ifc("fiber"), false)
	p := udp(tuple(packet.ProtoUDP, "192.168.1.77:5000", "8.8.8.8:53"), []byte("x"))
	branch.out(p)
	client := s.host("192.168.1.77")
	if len(client.got) != 1 {
		t.Fatalf("%d answers, want 1\n%s", len(client.got), branch.explain())
	}
	checkError(t, &client.got[0], "192.168.1.1", 3, 0, 0, p)
}

// TestLeaseGoes: when the address of an interface goes, nothing leaves with it.
func TestLeaseGoes(t *testing.T) {
	_, branch, _ := breakout(t)
	branch.up(branch.ifc("fiber"), false)
	branch.lease("lte", "100.64.7.9/24", "100.64.7.1")
	if got := branch.out(udp(tuple(packet.ProtoUDP, "192.168.1.77:1", "8.8.8.8:53"), []byte("x"))); len(got) != 1 {
		t.Fatalf("nothing by lte\n%s", branch.explain())
	}
	branch.e.SetInterface(branch.ifc("lte"), true, 1500, []policy.Address{})
	if got := branch.out(udp(tuple(packet.ProtoUDP, "192.168.1.77:2", "8.8.8.8:53"), []byte("x"))); len(got) != 0 {
		t.Errorf("left as %v without an address", got[0].T)
	}
	branch.lease("lte", "100.64.8.3/24", "100.64.8.1")
	if got := branch.out(udp(tuple(packet.ProtoUDP, "192.168.1.77:3", "8.8.8.8:53"), []byte("x"))); len(got) != 1 || got[0].T.SrcAddr() != netip.MustParseAddr("100.64.8.3") {
		t.Errorf("left as %v, want the new address", got)
	}
}

// TestCarrierLossPeers: without fiber new sessions reach the hub by lte, whose
// address it does not know, in UDP; old ones stay. The hub answers there.
func TestCarrierLossPeers(t *testing.T) {
	for _, dst := range []string{"10.20.0.5", "10.20.0.80"} {
		s, branch, _ := acme(t)
		branch.lease("lte", "100.64.7.9/24", "100.64.7.1")
		old := newPair(t, s, "branch1", "hub1", packet.ProtoTCP, "192.168.1.77:4000", dst+":8443")
		old.farIf = "dc"
		old.talk(2)
		branch.up(branch.ifc("fiber"), false)
		w := tap(s)
		for k, proto := range protocols {
			a, b := ends(proto, 4, "192.168.1.78", dst)
			if proto == packet.ProtoTCP {
				b = dst + ":8443"
			}
			c := newPair(t, s, "branch1", "hub1", proto, a, b)
			c.farIf = "dc"
			c.talk(3)
			for _, f := range w.take() {
				if f.p.T.Proto != packet.ProtoUDP {
					t.Errorf("%v by lte, want UDP", f.p.T)
				}
				if l := netip.MustParseAddr("100.64.7.9"); f.p.T.SrcAddr() != l && f.p.T.DstAddr() != l {
					t.Errorf("%d: %v, want lte", k, f.p.T)
				}
			}
			c.settled()
			w = tap(s)
		}
		old.data(false, []byte("still by fiber"))
		for _, f := range w.take() {
			if f.p.T.SrcAddr() != netip.MustParseAddr("203.0.113.2") {
				t.Errorf("the old session moved to %v", f.p.T)
			}
		}
	}
}
