package session_test

import (
	"bytes"
	"fmt"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/session"
)

// chain is a - b - c, with d behind b too; forms says which neighborhoods are
// always-transform.
func chain(t testing.TB, forms ...string) *sim {
	t.Helper()
	s := newSim(t)
	a := parseConfig(t, "testdata/chain.json")
	for _, hood := range forms {
		transform(a, hood, true)
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		s.boot(a, name, false)
	}
	return s
}

// payloads are the hosts of chain.json and pair.json whose service has a
// payload policy, by the last byte of their address.
var payloads = []struct {
	name string
	last int
}{
	{"clear", 5}, {"cbc", 11}, {"cbc256", 12}, {"cbc without digest", 13}, {"gcm", 14}, {"gcm256", 15},
	{"sha1", 16}, {"sha256", 17}, {"sha256-128", 18}, {"sha1 time-based", 19}, {"sha256-128 time-based", 20},
}

var protocols = []uint8{packet.ProtoUDP, packet.ProtoTCP, packet.ProtoICMP}

// TestTransit: everything passes a router in the middle, in every form.
func TestTransit(t *testing.T) {
	for _, forms := range [][]string{nil, {"ab"}, {"bc"}, {"ab", "bc"}} {
		for _, pay := range payloads {
			for _, proto := range protocols {
				for _, family := range []int{4, 6} {
					name := fmt.Sprintf("transform %v/%s/%s/IPv%d", forms, pay.name, protoName(proto), family)
					t.Run(name, func(t *testing.T) {
						s := chain(t, forms...)
						near, far := "10.1.0.7", fmt.Sprintf("10.3.0.%d", pay.last)
						if family == 6 {
							near, far = "fd00:a::7", fmt.Sprintf("fd00:c::%d", pay.last)
						}
						src, dst := ends(proto, family, near, far)
						c := newPair(t, s, "a", "c", proto, src, dst)
						c.hops, c.tos = 3, 0xb9
						c.talk(6)
						c.settled()
						if n := s.nodes["b"].e.Live(); n != 1 {
							t.Errorf("%d sessions at b, want 1", n)
						}
						c.close()
					})
				}
			}
		}
	}
}

// TestTransitCiphertext: with one form on both hops the router in the middle
// passes ciphertext on as it is, and its keys with it.
func TestTransitCiphertext(t *testing.T) {
	for _, row := range []struct {
		last   int
		forms  []string
		digest int
	}{{11, nil, 16}, {11, []string{"ab", "bc"}, 16}, {12, nil, 32}, {14, nil, 0}, {14, []string{"ab", "bc"}, 0}} {
		for _, proto := range protocols {
			t.Run(fmt.Sprintf("%d %v %s", row.last, row.forms, protoName(proto)), func(t *testing.T) {
				s := chain(t, row.forms...)
				src, dst := ends(proto, 4, "10.1.0.7", fmt.Sprintf("10.3.0.%d", row.last))
				c := newPair(t, s, "a", "c", proto, src, dst)
				c.hops = 3
				c.talk(3)
				w := tap(s)
				plain := bytes.Repeat([]byte("secret "), 60)
				for _, back := range []bool{false, true} {
					c.data(back, plain)
					got := w.take()
					if len(got) != 2 {
						t.Fatalf("%d packets between routers, want 2", len(got))
					}
					first, second := got[0].p.Payload(), got[1].p.Payload()
					cut := len(first) - row.digest
					if !bytes.Equal(first[:cut], second[:len(second)-row.digest]) {
						t.Errorf("ciphertext differs between the hops")
					}
					if bytes.Contains(first, []byte("secret")) {
						t.Errorf("payload is readable")
					}
				}
			})
		}
	}
}

// TestTransitKeys: TLV 11 and 46 pass the router in the middle unchanged.
func TestTransitKeys(t *testing.T) {
	s := chain(t)
	c := newPair(t, s, "a", "c", packet.ProtoUDP, "10.1.0.7:4000", "10.3.0.14:4000")
	c.hops = 3
	w := tap(s)
	c.data(false, []byte("ask"))
	c.data(true, []byte("answer"))
	got := w.take()
	if len(got) != 4 {
		t.Fatalf("%d packets, want 4", len(got))
	}
	var key [4][]byte
	for k := range got {
		m := openMeta(t, &got[k])
		key[k] = bytes.Clone(m.p.Key)
		if len(key[k]) != 16 {
			t.Errorf("packet %d: TLV 46 of %d bytes, want 16", k, len(key[k]))
		}
		if k < 2 && !m.p.Encrypted() {
			t.Errorf("packet %d without TLV 11", k)
		}
	}
	if !bytes.Equal(key[0], key[1]) || !bytes.Equal(key[2], key[3]) || bytes.Equal(key[0], key[2]) {
		t.Errorf("keys %x", key)
	}
}

// TestTransitRestart: the router in the middle loses everything; connections go
// on within 3 s, whoever opened them and whoever speaks next.
func TestTransitRestart(t *testing.T) {
	for _, forms := range [][]string{nil, {"ab"}, {"ab", "bc"}} {
		for _, pay := range []int{5, 11, 14, 18} {
			for _, upload := range []bool{true, false} {
				for _, reverse := range []bool{false, true} {
					t.Run(fmt.Sprintf("transform %v host %d upload %v reverse %v", forms, pay, upload, reverse), func(t *testing.T) {
						testTransitRestart(t, forms, pay, upload, reverse)
					})
				}
			}
		}
	}
}

func testTransitRestart(t *testing.T, forms []string, pay int, upload, reverse bool) {
	s := chain(t, forms...)
	a := parseConfig(t, "testdata/chain.json")
	for _, hood := range forms {
		transform(a, hood, true)
	}
	var c *talk
	if reverse {
		c = newTalk(s, s.nodes["c"], s.nodes["a"], "lan", "lan", fmt.Sprintf("10.3.0.%d:40000", pay), "10.1.0.7:80")
	} else {
		c = newTalk(s, s.nodes["a"], s.nodes["c"], "lan", "lan", "10.1.0.7:40000", fmt.Sprintf("10.3.0.%d:80", pay))
	}
	if !c.upload("before") || !c.download("before too") {
		t.Fatal("no connection to begin with")
	}
	s.boot(a, "b", true)
	first, then := c.upload, c.download
	if !upload {
		first, then = then, first
	}
	explain := func() string {
		return s.nodes["a"].explain() + "\n" + s.nodes["b"].explain() + "\n" + s.nodes["c"].explain()
	}
	if !first("after the restart") {
		t.Fatalf("did not go on within 3 s\n%s", explain())
	}
	if !then("and back") || !first("more") || !then("and more") {
		t.Fatalf("did not go on in both directions\n%s", explain())
	}
	for _, name := range []string{"a", "b", "c"} {
		if n := s.nodes[name].e.Live(); n != 1 {
			t.Errorf("%s has %d sessions, want 1", name, n)
		}
	}
}

// TestLoop: services that two routers route to each other end, and leave
// nothing behind.
func TestLoop(t *testing.T) {
	s := chain(t)
	a, b := s.nodes["a"], s.nodes["b"]
	a.from("lan", udp(tuple(packet.ProtoUDP, "10.1.0.7:4000", "10.9.0.1:4000"), []byte("round and round")))
	if s.hops > 3 {
		t.Errorf("%d packets between routers, want at most 3", s.hops)
	}
	if a.e.Live() > 1 || b.e.Live() > 1 {
		t.Errorf("sessions %d and %d, want at most 1", a.e.Live(), b.e.Live())
	}
	s.advance(30e9)
	if a.e.Live() != 0 || b.e.Live() != 0 {
		t.Errorf("sessions %d and %d remain\n%s\n%s", a.e.Live(), b.e.Live(), a.explain(), b.explain())
	}
}

// TestSeveralPeers: b has three peers and keeps their sessions apart, also
// when all hosts use the same ports.
func TestSeveralPeers(t *testing.T) {
	s := chain(t)
	for _, row := range []struct {
		near, far, src, dst string
		hops                int
	}{
		{"a", "c", "10.1.0.7:4000", "10.3.0.5:4000", 3}, {"a", "d", "10.1.0.7:4000", "10.4.0.5:4000", 3},
		{"d", "c", "10.4.0.5:4000", "10.3.0.5:4000", 3}, {"c", "a", "10.3.0.6:4000", "10.1.0.7:4000", 3},
		{"a", "b", "10.1.0.7:4000", "10.2.0.5:4000", 2}, {"d", "b", "10.4.0.5:4000", "10.2.0.5:4000", 2},
	} {
		for _, proto := range []uint8{packet.ProtoUDP, packet.ProtoTCP} {
			c := newPair(t, s, row.near, row.far, proto, row.src, row.dst)
			c.hops = row.hops
			c.talk(3)
			c.settled()
		}
	}
	if got := s.nodes["b"].e.Live(); got != 12 {
		t.Errorf("%d sessions at b, want 12", got)
	}
}

// TestTransitRoom: a SYN is clamped to the narrower of both hops, full segments
// pass without a fragment, and what is too long is refused with what fits.
func TestTransitRoom(t *testing.T) {
	for _, row := range []struct {
		last  int
		forms []string
		mss   uint16
	}{
		{5, nil, 1460}, {11, nil, 1412}, {14, nil, 1436}, {18, nil, 1444},
		{5, []string{"ab", "bc"}, 1456}, {11, []string{"ab", "bc"}, 1408}, {5, []string{"bc"}, 1456}, {11, []string{"ab"}, 1408},
		{11, []string{"bc"}, 1408}, {14, []string{"bc"}, 1432},
	} {
		t.Run(fmt.Sprintf("%d %v", row.last, row.forms), func(t *testing.T) {
			s := chain(t, row.forms...)
			w := tap(s)
			src, dst := ends(packet.ProtoTCP, 4, "10.1.0.7", fmt.Sprintf("10.3.0.%d", row.last))
			c := newPair(t, s, "a", "c", packet.ProtoTCP, src, dst)
			c.hops = 3
			mss := uint16(1460)
			for _, back := range []bool{false, true} {
				p := tcp(c.out, packet.FlagSYN, c.seq-1, 0, nil)
				if back {
					p = tcp(c.out.Reverse(), packet.FlagSYN|packet.FlagACK, c.ack-1, c.seq, nil)
				}
				got := c.send(back, withMSS(p, 1460))
				if len(got) != 1 {
					t.Fatalf("SYN lost\n%s", c.explain())
				}
				m, _ := got[0].MSS()
				mss = min(mss, m)
			}
			if mss != row.mss {
				t.Errorf("MSS %d, want %d", mss, row.mss)
			}
			c.segment(false, tcp(c.out, packet.FlagACK, c.seq, c.ack, nil))
			for range 3 {
				c.data(false, noise(100))
				c.data(true, noise(100))
			}
			w.take()
			c.data(false, noise(int(row.mss)))
			c.data(true, noise(int(row.mss)))
			for _, f := range w.take() {
				if f.p.Len() > 1500 {
					t.Errorf("%d bytes between routers", f.p.Len())
				}
			}
			if n := s.nodes["a"].count(session.FabricFragmentsSent) + s.nodes["b"].count(session.FabricFragmentsSent); n != 0 {
				t.Errorf("%d fragments", n)
			}
		})
	}
}

// TestTransitFirstPackets: full packets pass both hops while metadata rides
// along.
func TestTransitFirstPackets(t *testing.T) {
	for _, pay := range payloads {
		s := chain(t)
		s.seen = func(f *flight) {
			if f.p.Len() > 1500 {
				t.Errorf("%d bytes between routers", f.p.Len())
			}
		}
		c := newPair(t, s, "a", "c", packet.ProtoUDP, "10.1.0.7:4000", fmt.Sprintf("10.3.0.%d:443", pay.last))
		c.hops = 3
		for range 3 {
			c.data(false, noise(1350))
			c.data(true, noise(1350))
		}
	}
}

// TestTransitPMTU: a narrow link behind the router in the middle. The sender
// hears of it over both hops and what it is told passes, both ways.
func TestTransitPMTU(t *testing.T) {
	for _, forms := range [][]string{nil, {"ab"}, {"bc"}, {"ab", "bc"}} {
		for _, last := range []int{5, 11, 12, 14, 18} {
			for _, proto := range []uint8{packet.ProtoUDP, packet.ProtoTCP} {
				for _, family := range []int{4, 6} {
					name := fmt.Sprintf("transform %v host %d %s IPv%d", forms, last, protoName(proto), family)
					t.Run(name, func(t *testing.T) { testTransitPMTU(t, chain(t, forms...), last, proto, family) })
				}
			}
		}
	}
}

func testTransitPMTU(t *testing.T, s *sim, last int, proto uint8, family int) {
	const small = 1400
	near, far := "10.1.0.7", fmt.Sprintf("10.3.0.%d", last)
	if family == 6 {
		near, far = "fd00:a::7", fmt.Sprintf("fd00:c::%d", last)
	}
	src, dst := ends(proto, family, near, far)
	c := newPair(t, s, "a", "c", proto, src, dst)
	c.hops = 3
	c.talk(3)
	router := newISP(s, "198.18.0.1", "2001:db8::1")
	router.mtu = small
	pass := s.underlay
	s.underlay = func(f *flight) bool {
		if f.from.name == "b" && f.from.tables.Interfaces[f.ifc].Name == "east" {
			return pass(f)
		}
		return true
	}
	c.hops = 4
	ip, l4 := 20, 8
	if family == 6 {
		ip = 40
	}
	if proto == packet.ProtoTCP {
		l4 = 20
	}
	c.caller.got = nil
	if got := c.send(false, c.make(false, noise(1440-ip-l4))); len(got) != 0 {
		t.Fatal("1440 bytes passed a link of 1400")
	}
	if len(c.caller.got) != 1 {
		t.Fatalf("%d errors, want 1\n%s", len(c.caller.got), c.explain())
	}
	q, _ := c.caller.got[0].Quote()
	least := small - lastingCost(t, s.nodes["a"], last) - 4 - 16
	if q.T != c.out || q.MTU < least || q.MTU > small+20 {
		t.Errorf("told %d about %v, want at least %d about %v", q.MTU, q.T, least, c.out)
	}
	c.data(false, noise(q.MTU-ip-l4))
	if router.dropped != 1 {
		t.Errorf("the ISP refused %d packets, want 1", router.dropped)
	}
	c.hops = 3
	c.data(true, noise(1300))
}

// TestTransitTrace: a traceroute over two hops.
func TestTransitTrace(t *testing.T) {
	for _, proto := range protocols {
		for _, last := range []int{5, 11} {
			s := chain(t)
			watchErrors(t, s)
			client, server := s.host("10.1.0.7"), s.host(fmt.Sprintf("10.3.0.%d", last))
			for ttl, want := range []string{"10.1.0.1", "198.51.100.1", "203.0.113.1", ""} {
				for try := range 2 {
					p := probe(proto, "10.1.0.7", fmt.Sprintf("10.3.0.%d", last), ttl+1, try)
					client.got, server.got = nil, nil
					s.now += 5e6
					s.nodes["a"].from("lan", p)
					if want == "" {
						if len(server.got) != 1 {
							t.Errorf("%s: the server got %d probes", protoName(proto), len(server.got))
						}
						continue
					}
					if len(client.got) != 1 {
						t.Fatalf("%s TTL %d: %d answers", protoName(proto), ttl+1, len(client.got))
					}
					// Towards a peer an error has our waypoint: what lies behind b looks like b.
					if ttl == 2 {
						want = "198.51.100.1"
					}
					checkHop(t, &client.got[0], want, p)
				}
			}
		}
	}
}

// TestTransitSuper: super-packets over two hops, in every form.
func TestTransitSuper(t *testing.T) {
	for _, forms := range [][]string{nil, {"ab"}, {"bc"}, {"ab", "bc"}} {
		for _, last := range []int{5, 11, 14, 18} {
			t.Run(fmt.Sprintf("%v host %d", forms, last), func(t *testing.T) {
				s := chain(t, forms...)
				c := newPair(t, s, "a", "c", packet.ProtoTCP, "10.1.0.7:40000", fmt.Sprintf("10.3.0.%d:443", last))
				c.hops = 3
				c.open()
				data := noise(30000)
				for range 2 {
					p := c.make(false, data)
					p.Finish()
					p.GSO, p.GSOSize = packet.GSOTCP4, 1340
					all, n := make([]byte, len(data)), 0
					for _, g := range c.send(false, p) {
						n += copy(all[g.Seq()-c.seq:], g.Payload())
					}
					if n != len(data) || !bytes.Equal(all, data) {
						t.Fatalf("%d of %d bytes\n%s", n, len(data), c.explain())
					}
					c.seq += uint32(n)
					c.data(true, noise(100))
				}
			})
		}
	}
}

// TestLoopOfThree: a service that goes round through three routers ends where
// it began.
func TestLoopOfThree(t *testing.T) {
	for _, proto := range protocols {
		s := newSim(t)
		a := parseConfig(t, "testdata/triangle.json")
		for _, name := range []string{"a", "b", "c"} {
			s.boot(a, name, false)
		}
		for k := range 3 {
			p := knock(proto, "10.1.0.7", "10.9.0.1")
			s.now += 1e6 * int64(k)
			s.nodes["a"].from("lan", p)
		}
		if s.hops > 9 {
			t.Errorf("%s: %d packets between routers, want at most 9", protoName(proto), s.hops)
		}
		for _, n := range s.nodes {
			if n.e.Live() > 1 {
				t.Errorf("%s: %d sessions at %s, want at most 1\n%s", protoName(proto), n.e.Live(), n.name, n.explain())
			}
		}
		s.advance(70e9)
		for _, n := range s.nodes {
			if n.e.Live() != 0 {
				t.Errorf("%s: %d sessions stay at %s", protoName(proto), n.e.Live(), n.name)
			}
		}
	}
}
