package session_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/packet"
	"waymark/svr/session"
)

// breakout is branch1 of acme with its fiber to the internet, and an ISP.
func breakout(t testing.TB) (*sim, *node, *isp) {
	t.Helper()
	s := newSim(t)
	branch := s.boot(parseConfig(t, "testdata/acme.json"), "branch1", false)
	return s, branch, newISP(s, "203.0.113.1", "2001:db8::1")
}

// out lets a LAN host send p and returns what the internet host got.
func (n *node) out(p packet.Packet) []packet.Packet {
	h := n.s.host(p.T.DstAddr().String())
	n.s.host(p.T.SrcAddr().String()) // hears errors
	had := len(h.got)
	n.s.now += 5e6
	n.from("lan", p)
	return h.got[had:]
}

// back lets an internet host send p in by an interface and returns what the
// LAN host got.
func (n *node) back(ifc string, p packet.Packet, to string) []packet.Packet {
	h := n.s.host(to)
	had := len(h.got)
	n.s.now += 5e6
	n.from(ifc, p)
	return h.got[had:]
}

// TestBreakout: source and port are those of the WAN interface, answers come
// back translated, nothing is signalled.
func TestBreakout(t *testing.T) {
	for _, proto := range protocols {
		t.Run(protoName(proto), func(t *testing.T) {
			s, branch, _ := breakout(t)
			src, dst := ends(proto, 4, "192.168.1.77", "8.8.8.8")
			c := newPair(t, s, "branch1", "branch1", proto, src, dst)
			first := c.make(false, []byte("out"))
			if proto == packet.ProtoTCP {
				first = tcp(c.out, packet.FlagSYN, c.seq-1, 0, nil)
			}
			got := branch.out(first)
			if len(got) != 1 {
				t.Fatalf("%d packets came out\n%s", len(got), branch.explain())
			}
			seen := got[0].T
			if seen.SrcAddr() != netip.MustParseAddr("203.0.113.2") || seen.SrcPort < 2048 || seen.SrcPort > 9999 {
				t.Errorf("source %v, want 203.0.113.2 and a port in 2048-9999", seen)
			}
			if signalled(&got[0]) || !got[0].VerifyL4() || got[0].TTL() != 62 {
				t.Errorf("packet of %d bytes, TTL %d: metadata, checksum or TTL is wrong", got[0].Len(), got[0].TTL())
			}
			for range 3 {
				p := c.make(true, []byte("in"))
				p.Rewrite(seen.Reverse())
				in := branch.back("fiber", whole(p), "192.168.1.77")
				if len(in) != 1 || in[0].T != c.out.Reverse() || !in[0].VerifyL4() || string(in[0].Payload()) != "in" {
					t.Fatalf("answer did not come back as %v\n%s", c.out.Reverse(), branch.explain())
				}
				if again := branch.out(c.make(false, []byte("more"))); len(again) != 1 || again[0].T != seen {
					t.Fatalf("left as %v, want %v", again, seen)
				}
			}
			c.s.advance(2000e9)
			if branch.e.Live() != 0 || branch.parts.NAT.Stats().InUse != 0 {
				t.Errorf("%d sessions, %d mappings remain", branch.e.Live(), branch.parts.NAT.Stats().InUse)
			}
		})
	}
}

// TestEndpointIndependent: one inner endpoint keeps one outer port towards
// everybody, another endpoint has another, and protocols do not share.
func TestEndpointIndependent(t *testing.T) {
	_, branch, _ := breakout(t)
	port := map[string]uint16{}
	for _, src := range []string{"192.168.1.77:5000", "192.168.1.77:5001", "192.168.1.78:5000"} {
		for k, dst := range []string{"8.8.8.8:53", "9.9.9.9:53", "9.9.9.9:443"} {
			got := branch.out(udp(tuple(packet.ProtoUDP, src, dst), []byte("x")))
			if len(got) != 1 {
				t.Fatalf("%s to %s lost\n%s", src, dst, branch.explain())
			}
			if p := got[0].T.SrcPort; k == 0 {
				port[src] = p
			} else if p != port[src] {
				t.Errorf("%s to %s leaves from port %d, want %d", src, dst, p, port[src])
			}
		}
	}
	if a, b, c := port["192.168.1.77:5000"], port["192.168.1.77:5001"], port["192.168.1.78:5000"]; a == b || b == c || a == c {
		t.Errorf("ports %d, %d and %d, want three", a, b, c)
	}
}

// TestEchoIdentifiers: two hosts ping one server with one identifier; each gets
// its own answer.
func TestEchoIdentifiers(t *testing.T) {
	_, branch, _ := breakout(t)
	seen := map[string]packet.Tuple{}
	for _, src := range []string{"192.168.1.77", "192.168.1.78"} {
		got := branch.out(ping(tuple(packet.ProtoICMP, src+":7", "8.8.8.8:7"), false, []byte(src)))
		if len(got) != 1 {
			t.Fatalf("ping of %s lost\n%s", src, branch.explain())
		}
		seen[src] = got[0].T
	}
	if seen["192.168.1.77"].SrcPort == seen["192.168.1.78"].SrcPort {
		t.Fatalf("both leave with identifier %d", seen["192.168.1.77"].SrcPort)
	}
	for src, out := range seen {
		in := branch.back("fiber", ping(out.Reverse(), true, []byte(src)), src)
		if len(in) != 1 || in[0].T.DstPort != 7 || string(in[0].Payload()) != src {
			t.Errorf("%s did not get its answer", src)
		}
	}
}

// TestHairpin: two hosts of one LAN talk through the outer port of one of
// them; both see outer addresses only (RFC 4787 REQ-9, RFC 5382 REQ-8).
func TestHairpin(t *testing.T) {
	for _, proto := range []uint8{packet.ProtoUDP, packet.ProtoTCP} {
		t.Run(protoName(proto), func(t *testing.T) {
			s, branch, _ := breakout(t)
			make := func(tu packet.Tuple, k uint32) packet.Packet {
				if proto == packet.ProtoUDP {
					return udp(tu, []byte("hello"))
				}
				flags := []uint8{packet.FlagSYN, packet.FlagSYN | packet.FlagACK, packet.FlagACK}[min(k, 2)]
				return tcp(tu, flags, 100+k, 99+k, nil)
			}
			open := branch.out(make(tuple(proto, "192.168.1.77:5000", "8.8.8.8:3478"), 0))
			if len(open) != 1 {
				t.Fatalf("no outer port\n%s", branch.explain())
			}
			outer := fmt.Sprintf("203.0.113.2:%d", open[0].T.SrcPort)
			inner, caller := s.host("192.168.1.77"), s.host("192.168.1.78")
			branch.from("lan", make(tuple(proto, "192.168.1.78:6000", outer), 0))
			if len(inner.got) != 1 {
				t.Fatalf("the callee got %d packets, want 1\n%s", len(inner.got), branch.explain())
			}
			got := inner.got[0]
			if got.T.SrcAddr() != netip.MustParseAddr("203.0.113.2") || got.T.DstPort != 5000 || !got.VerifyL4() {
				t.Errorf("the callee sees %v, want an outer source and its own port 5000", got.T)
			}
			for k := range uint32(3) {
				s.now += 5e6
				branch.from("lan", make(got.T.Reverse(), 2*k+1))
				if n := len(caller.got); n != int(k)+1 || caller.got[k].T != tuple(proto, outer, "192.168.1.78:6000") {
					t.Fatalf("the caller got %d packets\n%s", n, branch.explain())
				}
				branch.from("lan", make(tuple(proto, "192.168.1.78:6000", outer), 2*k+2))
				if len(inner.got) != int(k)+2 {
					t.Fatalf("the callee got %d packets\n%s", len(inner.got), branch.explain())
				}
			}
		})
	}
}

// TestBreakoutErrors: what the internet says about a breakout packet reaches
// the host in its own addresses, checksums right; UDP, TCP and echo.
func TestBreakoutErrors(t *testing.T) {
	for _, proto := range protocols {
		for _, row := range []struct {
			kind      packet.ErrKind
			typ, code uint8
			mtu       int
		}{
			{packet.ErrPortUnreachable, 3, 3, 0}, {packet.ErrHostUnreachable, 3, 1, 0}, {packet.ErrAdminProhibited, 3, 13, 0},
			{packet.ErrTTL, 11, 0, 0}, {packet.ErrTooBig, 3, 4, 1400},
		} {
			t.Run(fmt.Sprintf("%s %d/%d", protoName(proto), row.typ, row.code), func(t *testing.T) {
				s, branch, _ := breakout(t)
				src, dst := ends(proto, 4, "192.168.1.77", "8.8.8.8")
				c := newPair(t, s, "branch1", "branch1", proto, src, dst)
				p := c.make(false, []byte("out"))
				if proto == packet.ProtoTCP {
					p = tcp(c.out, packet.FlagSYN, c.seq, 0, nil)
				}
				got := branch.out(p)
				in := branch.back("fiber", icmp("198.18.0.1", got[0], row.kind, row.mtu), "192.168.1.77")
				if len(in) != 1 {
					t.Fatalf("%d errors arrived, want 1\n%s", len(in), branch.explain())
				}
				checkError(t, &in[0], "198.18.0.1", row.typ, row.code, row.mtu, p)
			})
		}
	}
}

// TestInnerErrors: what a LAN host says about an answer from the internet goes
// there from the outer address and shows nothing of the inside.
func TestInnerErrors(t *testing.T) {
	for _, proto := range protocols {
		t.Run(protoName(proto), func(t *testing.T) {
			s, branch, _ := breakout(t)
			src, dst := ends(proto, 4, "192.168.1.77", "8.8.8.8")
			c := newPair(t, s, "branch1", "branch1", proto, src, dst)
			first := c.make(false, []byte("out"))
			if proto == packet.ProtoTCP {
				first = tcp(c.out, packet.FlagSYN, c.seq-1, 0, nil)
			}
			seen := branch.out(first)[0].T
			p := c.make(true, []byte("in"))
			if proto == packet.ProtoTCP {
				p = tcp(c.out.Reverse(), packet.FlagSYN|packet.FlagACK, c.ack, c.seq, nil)
			}
			p.Rewrite(seen.Reverse())
			p = whole(p)
			in := branch.back("fiber", p, "192.168.1.77")
			if len(in) != 1 {
				t.Fatal("answer lost")
			}
			got := branch.back("lan", icmp("192.168.1.77", in[0], packet.ErrPortUnreachable, 0), "8.8.8.8")
			if len(got) != 1 {
				t.Fatalf("%d errors reached the server, want 1\n%s", len(got), branch.explain())
			}
			checkError(t, &got[0], "203.0.113.2", 3, 3, 0, p)
			if bytes.Contains(got[0].IP(), []byte{192, 168, 1, 77}) {
				t.Error("the inner address is in it")
			}
		})
	}
}

// checkError says that e is an ICMP error from src that quotes what its
// receiver sent.
func checkError(t *testing.T, e *packet.Packet, src string, typ, code uint8, mtu int, sent packet.Packet) {
	t.Helper()
	q, ok := e.Quote()
	if !ok {
		t.Fatalf("not an ICMP error about anything: %v", e.T)
	}
	switch {
	case e.T.SrcAddr() != netip.MustParseAddr(src):
		t.Errorf("error from %v, want %s", e.T.SrcAddr(), src)
	case q.Type != typ || q.Code != code || q.MTU != mtu:
		t.Errorf("error %d/%d MTU %d, want %d/%d MTU %d", q.Type, q.Code, q.MTU, typ, code, mtu)
	case q.T != sent.T:
		t.Errorf("quotes %v, want %v", q.T, sent.T)
	case e.T.Dst != sent.T.Src:
		t.Errorf("goes to %v, want %v", e.T.DstAddr(), sent.T.SrcAddr())
	case !e.VerifyL4():
		t.Error("checksum is wrong")
	case sent.T.Proto == packet.ProtoTCP && q.Seq != sent.Seq():
		t.Errorf("quotes sequence number %d, want %d", q.Seq, sent.Seq())
	case q.Length != sent.Len():
		t.Errorf("quotes a packet of %d bytes, want %d", q.Length, sent.Len())
	}
	if h := e.Buf[q.Off:q.L4]; !e.V6() && sum(h) != 0xffff {
		t.Error("quoted IP header checksum is wrong")
	}
	if sent.Kind == packet.KindEcho {
		if got, want := e.Buf[q.L4+6:q.L4+8], sent.Buf[sent.L4+6:sent.L4+8]; string(got) != string(want) {
			t.Errorf("quotes echo sequence %x, want %x", got, want)
		}
	}
}

// sum is the Internet checksum of b before its complement.
func sum(b []byte) uint32 {
	s := uint32(0)
	for k := 0; k+1 < len(b); k += 2 {
		s += uint32(b[k])<<8 | uint32(b[k+1])
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return s
}

// TestBreakoutPMTU: a packet that the ISP refused is refused with its MTU, and
// one of that size passes.
func TestBreakoutPMTU(t *testing.T) {
	s, branch, ispRouter := breakout(t)
	ispRouter.mtu = 1400
	out := tuple(packet.ProtoUDP, "192.168.1.77:5000", "8.8.8.8:53")
	client := s.host("192.168.1.77")
	big := udp(out, noise(1472))
	if got := branch.out(big); len(got) != 0 || len(client.got) != 1 {
		t.Fatalf("%d packets out, %d errors; want 0 and 1\n%s", len(got), len(client.got), branch.explain())
	}
	checkError(t, &client.got[0], "203.0.113.1", 3, 4, 1400, big)
	if got := branch.out(udp(out, noise(1372))); len(got) != 1 {
		t.Errorf("a packet of the size told was lost\n%s", branch.explain())
	}
}

// TestStrangersOnBreakoutPorts: who did not hear from us gets through to
// nobody and hears nothing.
func TestStrangersOnBreakoutPorts(t *testing.T) {
	s, branch, _ := breakout(t)
	got := branch.out(udp(tuple(packet.ProtoUDP, "192.168.1.77:5000", "8.8.8.8:53"), []byte("x")))
	port := got[0].T.SrcPort
	heard := 0
	s.seen = func(*flight) { heard++ }
	for _, src := range []string{"8.8.8.8:54", "8.8.4.4:53", "192.168.1.78:53", "203.0.113.1:53"} {
		for _, p := range []uint16{port, port + 1, 2048, 9999} {
			for _, proto := range []uint8{packet.ProtoUDP, packet.ProtoTCP} {
				dst := fmt.Sprintf("203.0.113.2:%d", p)
				in := udp(tuple(packet.ProtoUDP, src, dst), []byte("knock"))
				if proto == packet.ProtoTCP {
					in = tcp(tuple(proto, src, dst), packet.FlagSYN, 1, 0, nil)
				}
				if to := branch.back("fiber", in, "192.168.1.77"); len(to) != 0 {
					t.Errorf("%v came through", in.T)
				}
			}
		}
	}
	for addr, h := range s.hosts {
		if addr != netip.MustParseAddr("8.8.8.8") && len(h.got) != 0 {
			t.Errorf("%v got %d packets", addr, len(h.got))
		}
	}
	if heard != 0 || len(s.host("8.8.8.8").got) != 1 {
		t.Errorf("strangers heard something")
	}
	if branch.e.Live() != 1 {
		t.Errorf("%d sessions, want 1", branch.e.Live())
	}
}

// TestEnforcement: TCP in the middle of a connection that nobody knows, on the
// way to the internet.
func TestEnforcement(t *testing.T) {
	for _, row := range []struct {
		mode             config.StateEnforcement
		flags            uint8
		passes, answered bool
	}{
		{config.EnforceReset, packet.FlagACK, false, true}, {config.EnforceBlock, packet.FlagACK, false, false},
		{config.EnforceAllow, packet.FlagACK, true, false},
		{config.EnforceReset, packet.FlagFIN | packet.FlagACK, false, true}, {config.EnforceReset, packet.FlagSYN | packet.FlagACK, false, true},
		{config.EnforceReset, packet.FlagRST, false, false}, {config.EnforceAllow, packet.FlagRST, false, false},
		{config.EnforceReset, packet.FlagSYN, true, false}, {config.EnforceBlock, packet.FlagSYN, true, false},
	} {
		for _, cold := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s flags %#x cold %v", row.mode, row.flags, cold), func(t *testing.T) {
				s := newSim(t)
				a := parseConfig(t, "testdata/acme.json")
				enforce(a, "internet", row.mode)
				branch := s.boot(a, "branch1", cold)
				p := tcp(tuple(packet.ProtoTCP, "192.168.1.77:5000", "8.8.8.8:443"), row.flags, 1000, 2000, nil)
				if got := branch.out(p); (len(got) == 1) != row.passes {
					t.Errorf("%d packets came out, want passed %v\n%s", len(got), row.passes, branch.explain())
				}
				client := s.host("192.168.1.77")
				if (len(client.got) == 1) != row.answered {
					t.Fatalf("%d answers, want answered %v\n%s", len(client.got), row.answered, branch.explain())
				}
				if row.answered && (client.got[0].TCPFlags&packet.FlagRST == 0 || client.got[0].Seq() != 2000 || client.got[0].T != p.T.Reverse()) {
					t.Errorf("answer %v flags %#x seq %d, want a RST with 2000", client.got[0].T, client.got[0].TCPFlags, client.got[0].Seq())
				}
				if live := branch.e.Live(); (live == 1) != row.passes {
					t.Errorf("%d sessions", live)
				}
			})
		}
	}
}

// enforce gives a service a policy with this transport-state-enforcement.
func enforce(a *config.Authority, service string, mode config.StateEnforcement) {
	p := config.DefaultServicePolicy()
	p.Name, p.Enforcement = "enforce", mode
	a.ServicePolicies = append(a.ServicePolicies, p)
	for k := range a.Services {
		if a.Services[k].Name == service {
			a.Services[k].ServicePolicy = "enforce"
		}
	}
}

// TestGuestBreakout: guests reach the internet and nothing private.
func TestGuestBreakout(t *testing.T) {
	s := newSim(t)
	a := parseConfig(t, "testdata/acme.json")
	a.Routers[0].Nodes[0].Devices[0].Interfaces[0].Tenant = "guest"
	branch := s.boot(a, "branch1", false)
	if got := branch.out(udp(tuple(packet.ProtoUDP, "192.168.1.77:5000", "8.8.8.8:53"), []byte("x"))); len(got) != 1 || got[0].T.SrcAddr() != netip.MustParseAddr("203.0.113.2") {
		t.Errorf("guest to the internet: %v\n%s", got, branch.explain())
	}
	branch.out(udp(tuple(packet.ProtoUDP, "192.168.1.77:5000", "10.20.0.5:53"), []byte("x")))
	if client := s.host("192.168.1.77"); len(client.got) != 1 {
		t.Errorf("guest to a private service: %d answers, want 1", len(client.got))
	} else if q, _ := client.got[0].Quote(); q.Type != 3 || q.Code != 13 {
		t.Errorf("guest to a private service: ICMP %d/%d, want 3/13", q.Type, q.Code)
	}
	if n := branch.count(session.SessionsOpened); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}
