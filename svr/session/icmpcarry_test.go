package session_test

import (
	"net/netip"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/session"
)

// carrying makes both ends of the example's fiber carry ICMP errors.
var carrying = []string{`"vector": ["fiber"]`, `"encapsulate-icmp-error-messages": true, "vector": ["fiber"]`}

// newCarrying is a session of which the hub's LAN may complain.
func newCarrying(t *testing.T, proto uint8, src, dst string, replace ...string) *pairOf {
	s, a := newSim(t), acmeAuthority(t, append(replace, carrying...)...)
	s.boot(a, "branch1", false)
	s.boot(a, "hub1", false)
	c := newPair(t, s, "branch1", "hub1", proto, src, dst)
	c.farIf = "dc"
	c.talk(3)
	return c
}

// complain is an error of a router in the hub's LAN, or of the host there, about
// the last packet that the host got.
func (c *pairOf) complain(kind packet.ErrKind, from string) (sent packet.Packet, client []packet.Packet) {
	c.t.Helper()
	sent = c.make(false, noise(40))
	c.send(false, sent)
	about := clone(&c.called.got[len(c.called.got)-1])
	src, _ := packet.FromAddr(netip.MustParseAddr(from))
	var e packet.Packet
	e.Reset(make([]byte, 4096), 512, 512, 0)
	if !packet.BuildICMPError(&e, &about, kind, 1320, src) {
		c.t.Fatal("no error")
	}
	before := len(c.caller.got)
	c.s.nodes["hub1"].from("dc", whole(e))
	return sent, c.caller.got[before:]
}

// An error from behind the far router arrives as it was told, in the name of the
// place where it arose, though no ICMP passes between the routers.
func TestCarriedErrors(t *testing.T) {
	for _, row := range []struct {
		name     string
		proto    uint8
		src, dst string
		router   string
		replace  []string
	}{
		{"UDP", packet.ProtoUDP, "192.168.1.77:4000", "10.20.0.5:53", "10.20.0.254", nil},
		{"TCP", packet.ProtoTCP, "192.168.1.77:4000", "10.20.0.5:80", "10.20.0.254", nil},
		{"TCP in UDP", packet.ProtoTCP, "192.168.1.77:4000", "10.20.0.5:80", "10.20.0.254",
			[]string{`"topology": "spoke", "vector": ["fiber"]`, `"topology": "spoke", "encapsulate-icmp-error-messages": true, "udp-transform": {"mode": "always-transform"}, "vector": ["fiber"]`}},
		{"TCP, encrypted", packet.ProtoTCP, "192.168.1.77:4000", "10.20.0.80:8443", "10.20.0.254", nil},
		{"UDP, IPv6", packet.ProtoUDP, "[fd00:1::77]:4000", "[fd00:20::5]:53", "fd00:20::254", nil},
		{"TCP, IPv6", packet.ProtoTCP, "[fd00:1::77]:4000", "[fd00:20::5]:80", "fd00:20::254", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newCarrying(t, row.proto, row.src, row.dst, row.replace...)
			c.s.seen = func(f *flight) {
				if f.p.Kind == packet.KindICMPError {
					t.Errorf("an ICMP error between the routers: %v", f.p.T)
				}
			}
			host := netip.MustParseAddrPort(row.dst).Addr().String()
			for kind, from := range map[packet.ErrKind]string{packet.ErrTTL: row.router, packet.ErrHostUnreachable: row.router,
				packet.ErrTooBig: row.router, packet.ErrPortUnreachable: host} {
				sent, got := c.complain(kind, from)
				if len(got) != 1 {
					t.Fatalf("error %d: %d packets\n%s", kind, len(got), c.explain())
				}
				q, ok := got[0].Quote()
				switch {
				case !ok || !got[0].VerifyL4():
					t.Errorf("error %d: %v quotes nothing, or its checksum is wrong", kind, got[0].T)
				case got[0].T.SrcAddr().String() != from || got[0].T.Dst != sent.T.Src:
					t.Errorf("error %d: %v, want from %s", kind, got[0].T, from)
				case q.T != sent.T:
					t.Errorf("error %d quotes %v, want %v", kind, q.T, sent.T)
				case row.proto == packet.ProtoTCP && q.Seq != sent.Seq():
					t.Errorf("error %d quotes %d, want %d", kind, q.Seq, sent.Seq())
				case kind == packet.ErrTooBig && q.MTU != 1320:
					t.Errorf("too big for %d, want 1320", q.MTU)
				}
			}
			hub, branch := c.s.nodes["hub1"], c.s.nodes["branch1"]
			if a, b := hub.count(session.SentCarriedICMP), branch.count(session.ReceivedCarriedICMP); a != 4 || b != 4 {
				t.Errorf("%d sent, %d received, want 4", a, b)
			}
			c.data(false, noise(10)) // none of them ended the session
			c.data(true, noise(10))
		})
	}
}

// What has no proof is no error: a bit that is wrong, another session, a packet
// that the session never sent.
func TestCarriedErrorsAreProved(t *testing.T) {
	for name, change := range map[string]func(p *packet.Packet){
		"a bit of the metadata": func(p *packet.Packet) { p.Buf[p.Data+20] ^= 1 },
		"a bit of the message":  func(p *packet.Packet) { p.Buf[p.End-40] ^= 1 },
		"another port": func(p *packet.Packet) {
			p.T.DstPort ^= 4
			p.Buf[p.L4+3] ^= 4
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCarrying(t, packet.ProtoUDP, "192.168.1.77:4000", "10.20.0.5:53")
			c.s.tamper = func(f *flight) []flight {
				if f.from == c.s.nodes["hub1"] {
					g := *f
					g.p = clone(&f.p)
					change(&g.p)
					g.p.FinishFull()
					return []flight{g}
				}
				return []flight{*f}
			}
			if _, got := c.complain(packet.ErrTTL, "10.20.0.254"); len(got) != 0 {
				t.Errorf("%v passed", got[0].T)
			}
			if n := c.s.nodes["branch1"].count(session.ReceivedCarriedICMP); n != 0 {
				t.Errorf("%d believed", n)
			}
		})
	}
}

// A probe that ends at the hub is answered in a datagram, too.
func TestCarriedTraceroute(t *testing.T) {
	c := newCarrying(t, packet.ProtoUDP, "192.168.1.77:4000", "10.20.0.5:53")
	c.s.seen = func(f *flight) {
		if f.p.Kind == packet.KindICMPError {
			t.Errorf("an ICMP error between the routers: %v", f.p.T)
		}
	}
	for _, src := range []string{"192.168.1.77:4000", "192.168.1.77:4001"} { // of a session, and the first of another one
		c.out = tuple(packet.ProtoUDP, src, "10.20.0.5:53")
		p := c.make(false, noise(10))
		p.SetTTL(2)
		before := len(c.caller.got)
		c.s.nodes["branch1"].from("lan", whole(p))
		got := c.caller.got[before:]
		if len(got) != 1 {
			t.Fatalf("%s: %d packets\n%s", src, len(got), c.explain())
		}
		if q, ok := got[0].Quote(); !ok || q.T != p.T || q.Type != 11 || got[0].T.SrcAddr().String() != "198.51.100.2" {
			t.Errorf("%s: %v quotes %v", src, got[0].T, q)
		}
	}
}

// They cost no memory at either router.
func TestCarriedErrorsAllocateNothing(t *testing.T) {
	p := newStillPair(t, stillPools, carrying...)
	f := &stillFlows()[0]
	p.shake(&f.forth, &f.back)
	src, _ := packet.FromAddr(netip.MustParseAddr("10.20.0.254"))
	about := clone(&f.forth)
	var e packet.Packet
	e.Reset(make([]byte, 4096), 512, 512, 0)
	if !packet.BuildICMPError(&e, &about, packet.ErrTTL, 0, src) {
		t.Fatal("no error")
	}
	e = shrink(whole(e))
	if got := testing.AllocsPerRun(200, func() {
		p.tick(5e6)
		p.back(&e)
		p.must(1)
	}); got != 0 {
		t.Errorf("%v allocations for an error that is carried, want 0", got)
	}
}
