package session_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/secure"
	"waymark/svr/session"
)

// TestTraceroute: every hop answers a probe whose hop limit ends there, from
// an address of its own, quoting the probe as the host sent it.
func TestTraceroute(t *testing.T) {
	acme4 := []string{"192.168.1.1", "198.18.0.1", "198.51.100.2"}
	for _, row := range []struct {
		name     string
		proto    uint8
		back     bool
		src, dst string
		want     []string
	}{
		{"UDP", packet.ProtoUDP, false, "192.168.1.77", "10.20.0.5", acme4},
		{"echo", packet.ProtoICMP, false, "192.168.1.77", "10.20.0.5", acme4},
		{"TCP SYN", packet.ProtoTCP, false, "192.168.1.77", "10.20.0.5", acme4},
		{"TCP SYN, encrypted", packet.ProtoTCP, false, "192.168.1.77", "10.20.0.80", acme4},
		{"UDP from the hub", packet.ProtoUDP, true, "10.20.0.5", "192.168.1.77", []string{"10.20.0.1", "198.18.0.1", "203.0.113.2"}},
		{"echo from the hub", packet.ProtoICMP, true, "10.20.0.5", "192.168.1.77", []string{"10.20.0.1", "198.18.0.1", "203.0.113.2"}},
		// What happened on an IPv4 waypoint has no IPv6 address of its own.
		{"UDP, IPv6", packet.ProtoUDP, false, "fd00:1::77", "fd00:20::5", []string{"fd00:1::1", "fd00:1::1", "fd00:1::1"}},
		{"echo, IPv6", packet.ProtoICMP, false, "fd00:1::77", "fd00:20::5", []string{"fd00:1::1", "fd00:1::1", "fd00:1::1"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, branch, hub := acme(t)
			newISP(s, "198.18.0.1", "2001:db8::1")
			n, ifc := branch, "lan"
			if row.back {
				n, ifc = hub, "dc"
			}
			client, server := s.host(row.src), s.host(row.dst)
			private := watchErrors(t, s)
			for ttl := 1; ttl <= 4; ttl++ {
				for try := range 3 {
					p := probe(row.proto, row.src, row.dst, ttl, try)
					s.now += 5e6
					client.got, server.got = nil, nil
					n.from(ifc, p)
					if ttl > len(row.want) {
						if len(server.got) != 1 || len(client.got) != 0 {
							t.Fatalf("TTL %d: server got %d\n%s\n%s", ttl, len(server.got), branch.explain(), hub.explain())
						}
						continue
					}
					if len(client.got) != 1 || len(server.got) != 0 {
						t.Fatalf("TTL %d: %d answers\n%s\n%s", ttl, len(client.got), branch.explain(), hub.explain())
					}
					checkHop(t, &client.got[0], row.want[ttl-1], p)
				}
			}
			if row.name == "UDP" && *private == 0 {
				t.Error("no error passed between the routers: nothing was tested")
			}
		})
	}
}

// probe is what traceroute sends: UDP and TCP take a new port for each, echo a
// new sequence number.
func probe(proto uint8, src, dst string, ttl, try int) packet.Packet {
	port := 33434 + 3*ttl + try
	if proto == packet.ProtoTCP {
		port = 8443
	}
	a, b := netip.AddrPortFrom(netip.MustParseAddr(src), uint16(40000+3*ttl+try)), netip.AddrPortFrom(netip.MustParseAddr(dst), uint16(port))
	var p packet.Packet
	switch proto {
	case packet.ProtoUDP:
		p = udp(packet.MakeTuple(a, b, proto), []byte("probe"))
	case packet.ProtoTCP:
		p = tcp(packet.MakeTuple(a, b, proto), packet.FlagSYN, uint32(7000*ttl+try), 0, nil)
	default:
		if a.Addr().Is6() {
			proto = packet.ProtoICMPv6
		}
		a, b = netip.AddrPortFrom(a.Addr(), 4660), netip.AddrPortFrom(b.Addr(), 4660)
		p = ping(packet.MakeTuple(a, b, proto), false, []byte("probe"))
		p.Buf[p.L4+7] = byte(3*ttl + try)
		p.FinishFull()
	}
	p.SetTTL(uint8(ttl))
	return whole(p)
}

// checkHop is checkError for a router on the way; the length it quotes is that
// of its own packet.
func checkHop(t *testing.T, e *packet.Packet, src string, sent packet.Packet) {
	t.Helper()
	q, ok := e.Quote()
	if !ok {
		t.Fatalf("not an ICMP error about anything: %v", e.T)
	}
	typ := uint8(11)
	if e.V6() {
		typ = 3
	}
	switch {
	case e.T.SrcAddr() != netip.MustParseAddr(src):
		t.Errorf("error from %v, want %s", e.T.SrcAddr(), src)
	case q.Type != typ || q.Code != 0:
		t.Errorf("error %d/%d, want %d/0", q.Type, q.Code, typ)
	case q.T != sent.T:
		t.Errorf("quotes %v, want %v", q.T, sent.T)
	case !e.VerifyL4():
		t.Error("checksum is wrong")
	case sent.Kind == packet.KindTCP && q.Seq != sent.Seq():
		t.Errorf("quotes sequence number %d, want %d", q.Seq, sent.Seq())
	case sent.Kind == packet.KindEcho && !bytes.Equal(e.Buf[q.L4+6:q.L4+8], sent.Buf[sent.L4+6:sent.L4+8]):
		t.Errorf("quotes echo sequence %x, want %x", e.Buf[q.L4+6:q.L4+8], sent.Buf[sent.L4+6:sent.L4+8])
	}
}

// watchErrors fails when an ICMP error between routers shows more than outer
// headers. It counts them.
func watchErrors(t testing.TB, s *sim) *int {
	n := new(int)
	s.seen = func(f *flight) {
		if f.p.Kind != packet.KindICMPError {
			return
		}
		*n++
		q, ok := f.p.Quote()
		if !ok {
			t.Errorf("error between routers about nothing: %x", f.p.IP())
			return
		}
		if max := 8; q.T.Proto != packet.ProtoTCP && f.p.End-q.L4 > max || f.p.End-q.L4 > 60 {
			t.Errorf("%d bytes behind the quoted IP header", f.p.End-q.L4)
		}
		for _, a := range []netip.Addr{q.T.SrcAddr(), q.T.DstAddr(), f.p.T.SrcAddr(), f.p.T.DstAddr()} {
			if a.IsPrivate() {
				t.Errorf("error %v between routers, quoting %v: a private address", f.p.T, q.T)
			}
		}
	}
	return n
}

// lastingCost is what a payload protection adds to every packet, at most.
func lastingCost(t testing.TB, n *node, last int) int {
	if last < 11 {
		return 0
	}
	name := map[int]string{11: "cbc", 12: "cbc256", 13: "cbc-bare", 14: "gcm", 15: "gcm256", 16: "sha1", 17: "sha256", 18: "sha256-128"}[last]
	for k := range n.tables.Security {
		if n.tables.Security[k].Name == name {
			pol, err := secure.New(securityOf(&n.tables.Security[k]))
			if err != nil {
				t.Fatal(err)
			}
			if !pol.Encrypts() {
				return pol.DigestSize()
			}
			return pol.Overhead() + pol.DigestSize()
		}
	}
	t.Fatalf("no security %s", name)
	return 0
}

// TestPathMTU: an ISP router says that an outer packet is too big. The path
// shrinks, the sender is told what it may send, and exactly that passes.
func TestPathMTU(t *testing.T) {
	for _, waypoints := range []string{"four", "six"} {
		for _, always := range []bool{false, true} {
			for _, last := range []int{5, 11, 12, 13, 14, 16, 18} {
				for _, proto := range []uint8{packet.ProtoUDP, packet.ProtoTCP} {
					for _, family := range []int{4, 6} {
						name := fmt.Sprintf("%s transform %v host %d %s IPv%d", waypoints, always, last, protoName(proto), family)
						t.Run(name, func(t *testing.T) {
							testPathMTU(t, pairSim(t, waypoints, always), waypoints, always, last, proto, family)
						})
					}
				}
			}
		}
	}
}

func testPathMTU(t *testing.T, s *sim, waypoints string, always bool, last int, proto uint8, family int) {
	const small = 1400
	router := newISP(s, "198.18.0.1", "2001:db8::1")
	near, far := nearFar(family, last)
	src, dst := ends(proto, family, near, far)
	c := newPair(t, s, "near", "far", proto, src, dst)
	c.hops = 3
	c.talk(2)
	n := s.nodes["near"]
	want := small - lastingCost(t, n, last)
	ip := 20
	if family == 6 {
		ip = 40
	}
	switch {
	case family == 6 && waypoints == "four":
		want += 20
	case family == 4 && waypoints == "six":
		want -= 20
	}
	l4 := 8
	if proto == packet.ProtoTCP {
		l4 = 20
		if always {
			want -= 4
		}
	}
	router.mtu = small
	c.caller.got = nil
	big := c.make(false, noise(want+20-ip-l4))
	if got := c.send(false, big); len(got) != 0 || router.dropped != 1 || len(c.caller.got) != 1 {
		t.Fatalf("%d arrived, ISP refused %d, %d errors; want 0, 1, 1\n%s", len(got), router.dropped, len(c.caller.got), c.explain())
	}
	q, _ := c.caller.got[0].Quote()
	if q.MTU != want || q.T != c.out || !c.caller.got[0].VerifyL4() || proto == packet.ProtoTCP && (q.Seq-c.seq)+1 > uint32(big.Len()) {
		t.Errorf("told %d about %v, want %d about %v", q.MTU, q.T, want, c.out)
	}
	c.data(false, noise(want-ip-l4))
	if router.dropped != 1 {
		t.Error("the ISP refused a packet of the size told")
	}
	// The next one is refused by the router itself.
	had := len(c.caller.got)
	if got := c.send(false, c.make(false, noise(want+40-ip-l4))); len(got) != 0 || len(c.caller.got) != had+1 {
		t.Fatalf("%d arrived, %d errors; want 0 and 1", len(got), len(c.caller.got)-had)
	}
	if q, _ := c.caller.got[had].Quote(); q.MTU != want || router.dropped != 1 {
		t.Errorf("told %d by the router, want %d", q.MTU, want)
	}
	s.advance(601e9)
	if got := n.e.PathMTU(pathOf(n, waypoints)); got != 1500 {
		t.Errorf("path MTU %d after the belief ended, want 1500", got)
	}
}

// pathOf is the path of a node of pair.json by its vector.
func pathOf(n *node, vector string) (id policy.PathID) {
	for k := range n.tables.Paths {
		if len(n.tables.Paths[k].Vectors) > 0 && n.tables.Paths[k].Vectors[0] == vector {
			return n.tables.Paths[k].ID
		}
	}
	return 0
}

// TestForgedTooBig: errors about flows that do not live, or TCP segments that
// were not sent, change nothing; what may be believed never goes below the
// least MTU of the family.
func TestForgedTooBig(t *testing.T) {
	for _, row := range []struct {
		name   string
		proto  uint8
		change func(p *packet.Packet)
		mtu    int
		want   int
	}{
		{"UDP", packet.ProtoUDP, func(*packet.Packet) {}, 1300, 1300},
		{"UDP, less than the least", packet.ProtoUDP, func(*packet.Packet) {}, 68, 576},
		{"UDP, more than the path has", packet.ProtoUDP, func(*packet.Packet) {}, 9000, 1500},
		{"UDP, dead port", packet.ProtoUDP, func(p *packet.Packet) { port(p, 2) }, 1300, 1500},
		{"UDP, turned around", packet.ProtoUDP, func(p *packet.Packet) { p.Rewrite(p.T.Reverse()) }, 1300, 1500},
		{"TCP", packet.ProtoTCP, func(*packet.Packet) {}, 1300, 1300},
		{"TCP, sequence behind what was sent", packet.ProtoTCP, func(p *packet.Packet) { addSeq(p, 5000) }, 1300, 1500},
		{"TCP, sequence long acknowledged", packet.ProtoTCP, func(p *packet.Packet) { addSeq(p, 1<<31) }, 1300, 1500},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := pairSim(t, "four", false)
			src, dst := ends(row.proto, 4, "10.1.0.7", "10.2.0.5")
			c := newPair(t, s, "near", "far", row.proto, src, dst)
			c.talk(2)
			w := tap(s)
			c.data(false, noise(100))
			about := w.take()[0].p
			row.change(&about)
			n := s.nodes["near"]
			c.caller.got = nil
			n.from("wan4", icmp("198.18.0.1", whole(about), packet.ErrTooBig, row.mtu))
			if got := n.e.PathMTU(pathOf(n, "four")); got != row.want {
				t.Errorf("path MTU %d, want %d\n%s", got, row.want, n.explain())
			}
			if dead := row.want == 1500 && row.mtu < 1500; dead && len(c.caller.got) != 0 {
				t.Error("the host heard of it")
			}
			c.data(false, noise(300))
			c.data(true, noise(300))
		})
	}
}

// port and addSeq change what an error will quote.
func port(p *packet.Packet, by uint16) {
	to := p.T
	to.SrcPort += by
	p.Rewrite(to)
}

func addSeq(p *packet.Packet, by uint32) {
	b := p.Buf[p.L4+4:]
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n += by
	b[0], b[1], b[2], b[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	p.FinishFull()
}

// TestLeastMTU: a path at the least MTU still carries what its sender cannot
// make smaller.
func TestLeastMTU(t *testing.T) {
	for _, row := range []struct {
		waypoints    string
		family, last int
		mtu, size    int // of the path, of the packet
	}{
		{"four", 6, 5, 576, 1280}, {"four", 6, 11, 576, 1280}, {"four", 4, 5, 576, 576}, {"four", 4, 11, 576, 576},
		{"six", 6, 5, 1280, 1280}, {"six", 6, 11, 1280, 1280}, {"six", 4, 14, 1280, 576}, {"four", 4, 14, 600, 576},
	} {
		t.Run(fmt.Sprintf("%v", row), func(t *testing.T) {
			s := pairSim(t, row.waypoints, false)
			router := newISP(s, "198.18.0.1", "2001:db8::1")
			near, far := nearFar(row.family, row.last)
			src, dst := ends(packet.ProtoUDP, row.family, near, far)
			c := newPair(t, s, "near", "far", packet.ProtoUDP, src, dst)
			c.hops = 3
			c.talk(2)
			router.mtu = row.mtu
			ip := map[int]int{4: 20, 6: 40}[row.family]
			for _, back := range []bool{false, true} {
				c.send(back, c.make(back, noise(1400-ip-8))) // may teach the path
				c.data(back, noise(row.size-ip-8))
				c.data(back, noise(row.size-ip-8))
			}
		})
	}
}

// TestFarErrors: what the host behind the far router says reaches the caller,
// in the caller's own terms, and shows nothing private on its way.
func TestFarErrors(t *testing.T) {
	for _, waypoints := range []string{"four", "six"} {
		for _, always := range []bool{false, true} {
			for _, last := range []int{5, 11, 14, 18} {
				for _, proto := range protocols {
					for _, family := range []int{4, 6} {
						name := fmt.Sprintf("%s transform %v host %d %s IPv%d", waypoints, always, last, protoName(proto), family)
						t.Run(name, func(t *testing.T) { testFarErrors(t, pairSim(t, waypoints, always), last, proto, family) })
					}
				}
			}
		}
	}
}

func testFarErrors(t *testing.T, s *sim, last int, proto uint8, family int) {
	near, far := nearFar(family, last)
	src, dst := ends(proto, family, near, far)
	checkFarErrors(t, newPair(t, s, "near", "far", proto, src, dst))
}

// TestTransitErrors: the same over two hops.
func TestTransitErrors(t *testing.T) {
	for _, forms := range [][]string{nil, {"ab"}, {"bc"}, {"ab", "bc"}} {
		for _, last := range []int{5, 11, 14, 18} {
			for _, proto := range protocols {
				for _, family := range []int{4, 6} {
					t.Run(fmt.Sprintf("transform %v host %d %s IPv%d", forms, last, protoName(proto), family), func(t *testing.T) {
						near, far := "10.1.0.7", fmt.Sprintf("10.3.0.%d", last)
						if family == 6 {
							near, far = "fd00:a::7", fmt.Sprintf("fd00:c::%d", last)
						}
						src, dst := ends(proto, family, near, far)
						c := newPair(t, chain(t, forms...), "a", "c", proto, src, dst)
						c.hops = 3
						checkFarErrors(t, c)
					})
				}
			}
		}
	}
}

func checkFarErrors(t *testing.T, c *pairOf) {
	t.Helper()
	proto, family, far := c.out.Proto, int(c.out.Family), c.out.DstAddr().String()
	seen := watchErrors(t, c.s)
	for round := range 2 {
		p := c.make(false, []byte("anybody there"))
		if proto == packet.ProtoTCP && round == 0 {
			p = tcp(c.out, packet.FlagSYN, c.seq-1, 0, nil)
		}
		got := c.send(false, p)
		if len(got) != 1 {
			t.Fatalf("did not arrive\n%s", c.explain())
		}
		c.caller.got = nil
		c.s.nodes[c.far].from("lan", icmp(far, got[0], packet.ErrPortUnreachable, 0))
		if len(c.caller.got) != 1 {
			t.Fatalf("round %d: %d errors, want 1\n%s", round, len(c.caller.got), c.explain())
		}
		e := &c.caller.got[0]
		q, ok := e.Quote()
		want := [2]uint8{3, 3}
		if family == 6 {
			want = [2]uint8{1, 4}
		}
		switch {
		case !ok || q.T != c.out:
			t.Fatalf("quotes %v, want %v", q.T, c.out)
		case [2]uint8{q.Type, q.Code} != want:
			t.Errorf("error %d/%d, want %v", q.Type, q.Code, want)
		case e.T.SrcAddr() != netip.MustParseAddr(far):
			t.Errorf("error from %v, want %s", e.T.SrcAddr(), far)
		case !e.VerifyL4() || family == 4 && sum(e.Buf[q.Off:q.L4]) != 0xffff:
			t.Error("a checksum is wrong")
		case proto == packet.ProtoTCP && q.Seq-(c.seq-1) > 1000:
			t.Errorf("quotes sequence number %d, want about %d", q.Seq, c.seq)
		}
		if *seen == 0 {
			t.Error("no error between the routers")
		}
		if proto == packet.ProtoTCP && round == 0 {
			c.open()
		} else {
			c.data(true, []byte("still here")) // unreachable never ends a session
		}
	}
}

// TestErrorsAreNotAnswered: errors about errors, and floods of errors.
func TestErrorsAreNotAnswered(t *testing.T) {
	s, branch, _ := acme(t)
	client := s.host("192.168.1.77")
	p := udp(tuple(packet.ProtoUDP, "192.168.1.77:5000", "172.20.0.1:7"), []byte("x"))
	p.SetTTL(1)
	branch.from("lan", icmp("192.168.1.77", whole(p), packet.ErrPortUnreachable, 0))
	if len(client.got) != 0 || branch.e.Live() != 0 {
		t.Errorf("%d answers to an error", len(client.got))
	}
	for k := range 5000 {
		q := udp(tuple(packet.ProtoUDP, fmt.Sprintf("192.168.1.77:%d", 1+k), "10.20.0.5:7"), []byte("x"))
		q.SetTTL(1)
		branch.from("lan", whole(q))
	}
	if n := len(client.got); n == 0 || n > 300 {
		t.Errorf("%d errors at once, want some and at most 300", n)
	}
	if got := branch.count(session.DropTTL); got != 5000 {
		t.Errorf("%d counted, want 5000", got)
	}
}
