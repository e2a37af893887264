package session_test

import (
	"bytes"
	"fmt"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/packet"
	"waymark/svr/session"
)

// pairConfig is pair.json with waypoints of one family, always-transform or
// not.
func pairConfig(t testing.TB, waypoints string, always bool) *config.Authority {
	t.Helper()
	a := parseConfig(t, "testdata/pair.json")
	for k := range a.ServicePolicies[0].Vectors {
		v := &a.ServicePolicies[0].Vectors[k]
		v.Never = v.Name != waypoints
	}
	transform(a, "net4", always)
	transform(a, "net6", always)
	return a
}

func pairSim(t testing.TB, waypoints string, always bool) *sim {
	t.Helper()
	s, a := newSim(t), pairConfig(t, waypoints, always)
	s.boot(a, "near", false)
	s.boot(a, "far", false)
	return s
}

// nearFar are the addresses of a caller and of a host by its last byte.
func nearFar(family, last int) (near, far string) {
	if family == 6 {
		return "fd00:a::7", fmt.Sprintf("fd00:b::%d", last)
	}
	return "10.1.0.7", fmt.Sprintf("10.2.0.%d", last)
}

// TestForms: every protocol in every payload protection over waypoints of both
// families, native and transformed.
func TestForms(t *testing.T) {
	for _, waypoints := range []string{"four", "six"} {
		for _, always := range []bool{false, true} {
			for _, pay := range payloads {
				for _, proto := range protocols {
					for _, family := range []int{4, 6} {
						name := fmt.Sprintf("%s transform %v/%s/%s/IPv%d", waypoints, always, pay.name, protoName(proto), family)
						t.Run(name, func(t *testing.T) {
							s := pairSim(t, waypoints, always)
							near, far := nearFar(family, pay.last)
							src, dst := ends(proto, family, near, far)
							c := newPair(t, s, "near", "far", proto, src, dst)
							c.tos = 0x2e
							outer(t, s, proto, waypoints, always)
							c.talk(6)
							c.settled()
							c.close()
						})
					}
				}
			}
		}
	}
}

// outer checks protocol, family and ports of every packet between routers.
func outer(t *testing.T, s *sim, proto uint8, waypoints string, always bool) {
	want, family := uint8(packet.ProtoUDP), uint8(4)
	if proto == packet.ProtoTCP && !always {
		want = packet.ProtoTCP
	}
	if waypoints == "six" {
		family = 6
	}
	s.seen = func(f *flight) {
		switch o := f.p.T; {
		case o.Proto != want || o.Family != family:
			t.Errorf("outer packet %v, want protocol %d over IPv%d", o, want, family)
		case (o.SrcPort^o.DstPort)&1 != 1:
			t.Errorf("wayports of %v: one even and one odd", o)
		case !f.p.DF():
			t.Errorf("%v without DF", o)
		}
	}
}

// TestTransformOnWire: behind the UDP header stands the golden segment, TLV 12
// on the SYN only, and nothing else once the handshake is done.
func TestTransformOnWire(t *testing.T) {
	s := pairSim(t, "four", true)
	w := tap(s)
	c := newPair(t, s, "near", "far", packet.ProtoTCP, "[fd00:a::7]:50124", "[fd00:b::5]:8443")
	syn := goldenSegment(t, c.out, "forward-v6-tcp-syn-over-udp")
	established := goldenSegment(t, c.out, "established-tcp-over-udp")
	c.send(false, syn)
	m := openMeta(t, &w.take()[0])
	if want := vector(t, "forward-v6-tcp-syn-over-udp").bytes("data"); !bytes.Equal(m.data, want) {
		t.Errorf("SYN in UDP is %x, want %x", m.data, want)
	}
	if !m.p.SYN() || m.p.Encrypted() {
		t.Errorf("TLVs %v, want TLV 12 and not TLV 11", m.p.Has)
	}
	c.send(true, tcp(c.out.Reverse(), packet.FlagSYN|packet.FlagACK, 0x11223343, syn.Seq()+1, nil))
	if m := openMeta(t, &w.take()[0]); m.p.SYN() {
		t.Error("TLV 12 in reverse metadata")
	}
	c.send(false, established)
	got := w.take()
	if want := vector(t, "established-tcp-over-udp").bytes("data"); len(got) != 1 || !bytes.Equal(got[0].p.Payload(), want) {
		t.Errorf("established segment in UDP is %x, want %x", got[0].p.Payload(), want)
	}
	if last := c.called.got[len(c.called.got)-1]; !bytes.Equal(last.Buf[last.L4:last.End], established.Buf[established.L4:established.End]) {
		t.Errorf("segment arrived as %x, want %x", last.Buf[last.L4:last.End], established.Buf[established.L4:established.End])
	}
}

// goldenSegment is the TCP segment of a vector that has it from byte 4 on.
func goldenSegment(t *testing.T, tu packet.Tuple, name string) packet.Packet {
	b := vector(t, name).bytes("data")
	p := tcp(tu, 0, 0, 0, make([]byte, len(b)-16))
	copy(p.Buf[p.L4+4:], b)
	p.Data = p.L4 + int(b[8]>>4)*4
	p.TCPFlags = b[9]
	p.FinishFull()
	return whole(p)
}

// TestTransformMeta: metadata of a transformed connection that did not hear an
// answer yet carries TLV 12 with SYNs and with nothing else.
func TestTransformMeta(t *testing.T) {
	for _, last := range []int{5, 11, 14} {
		s := pairSim(t, "four", true)
		w := tap(s)
		src, dst := ends(packet.ProtoTCP, 4, "10.1.0.7", fmt.Sprintf("10.2.0.%d", last))
		c := newPair(t, s, "near", "far", packet.ProtoTCP, src, dst)
		for k, flags := range []uint8{packet.FlagSYN, packet.FlagSYN, packet.FlagACK} {
			c.send(false, tcp(c.out, flags, c.seq-1, 0, nil))
			m := openMeta(t, &w.take()[0])
			if got, want := m.p.SYN(), flags == packet.FlagSYN; got != want {
				t.Errorf("packet %d: TLV 12 %v, want %v", k, got, want)
			}
			if got, want := m.p.Encrypted(), last != 5; got != want {
				t.Errorf("packet %d: TLV 11 %v, want %v", k, got, want)
			}
		}
	}
}

// TestBareACK: a transformed ACK without data has its TCP header protected; a
// native one carries nothing at all.
func TestBareACK(t *testing.T) {
	for _, row := range []struct {
		last   int
		always bool
		want   int // bytes behind the outer L4 header
	}{
		{5, true, 16}, {11, true, 16 + 16 + 16 + 16}, {13, true, 48}, {14, true, 16 + 24}, {16, true, 16 + 20}, {17, true, 16 + 32},
		{5, false, 0}, {11, false, 0}, {14, false, 0}, {18, false, 0},
	} {
		s := pairSim(t, "four", row.always)
		src, dst := ends(packet.ProtoTCP, 4, "10.1.0.7", fmt.Sprintf("10.2.0.%d", row.last))
		c := newPair(t, s, "near", "far", packet.ProtoTCP, src, dst)
		c.talk(2)
		w := tap(s)
		ack := tcp(c.out, packet.FlagACK, c.seq, c.ack, nil)
		c.segment(false, ack)
		got := w.take()[0].p.Payload()
		if len(got) != row.want {
			t.Errorf("host %d, transform %v: %d bytes behind the header, want %d", row.last, row.always, len(got), row.want)
		}
		if plain := ack.Buf[ack.L4+4 : ack.L4+12]; bytes.Contains(got, plain) != (row.always && (row.last == 5 || row.last >= 16)) {
			t.Errorf("host %d, transform %v: TCP header readable is wrong in %x", row.last, row.always, got)
		}
	}
}

// TestEchoOnWire: the golden echo message behind its UDP header, checksum 0.
func TestEchoOnWire(t *testing.T) {
	s := pairSim(t, "four", false)
	w := tap(s)
	c := newPair(t, s, "near", "far", packet.ProtoICMP, "10.1.0.7:4660", "10.2.0.5:4660")
	want := vector(t, "forward-icmp-echo").bytes("data")
	p := ping(c.out, false, want[8:])
	copy(p.Buf[p.L4+6:p.L4+8], want[6:8])
	p.FinishFull()
	c.send(false, whole(p))
	m := openMeta(t, &w.take()[0])
	if !bytes.Equal(m.data, want) {
		t.Errorf("echo in UDP is %x, want %x", m.data, want)
	}
	if m.p.Context.Proto != packet.ProtoICMP || m.p.Context.SrcPort != 0x1234 || m.p.Context.DstPort != 0x1234 {
		t.Errorf("context %v, want protocol 1 and both ports 0x1234", m.p.Context)
	}
}

// TestRekey: either side starts cold in the middle of an encrypted flow; it
// goes on with new keys, in both directions.
func TestRekey(t *testing.T) {
	for _, last := range []int{11, 14, 15} {
		for _, always := range []bool{false, true} {
			for _, restart := range []string{"near", "far"} {
				t.Run(fmt.Sprintf("host %d transform %v %s", last, always, restart), func(t *testing.T) {
					s := pairSim(t, "four", always)
					c := newTalk(s, s.nodes["near"], s.nodes["far"], "lan", "lan", "10.1.0.7:40000", fmt.Sprintf("10.2.0.%d:443", last))
					if !c.upload("one") || !c.download("two") {
						t.Fatal("no connection to begin with")
					}
					for range 2 {
						s.boot(pairConfig(t, "four", always), restart, true)
						if !c.upload("three") || !c.download("four") || !c.upload("five") || !c.download("six") {
							t.Fatalf("did not go on\n%s\n%s", s.nodes["near"].explain(), s.nodes["far"].explain())
						}
						s.advance(9e9)
					}
				})
			}
		}
	}
}

// TestRekeyUDP: the same for datagrams, which nobody repeats: a few may be lost.
func TestRekeyUDP(t *testing.T) {
	for _, last := range []int{5, 11, 14, 15} {
		for _, restart := range []string{"near", "far"} {
			t.Run(fmt.Sprintf("host %d %s", last, restart), func(t *testing.T) {
				s := pairSim(t, "four", false)
				c := newPair(t, s, "near", "far", packet.ProtoUDP, "10.1.0.7:40000", fmt.Sprintf("10.2.0.%d:443", last))
				c.talk(3)
				s.boot(pairConfig(t, "four", false), restart, true)
				for range 12 {
					c.send(false, c.make(false, noise(50)))
					s.advance(100e6)
					c.send(true, c.make(true, noise(50)))
					s.advance(100e6)
				}
				c.data(false, noise(50))
				c.data(true, noise(50))
				c.settled()
			})
		}
	}
}

// TestPayloadReplay: a copy of GCM data changes nothing, at the receiver of
// either direction, native and transformed.
func TestPayloadReplay(t *testing.T) {
	for _, always := range []bool{false, true} {
		for _, back := range []bool{false, true} {
			for _, proto := range protocols {
				s := pairSim(t, "four", always)
				src, dst := ends(proto, 4, "10.1.0.7", "10.2.0.14")
				c := newPair(t, s, "near", "far", proto, src, dst)
				c.talk(3)
				w := tap(s)
				c.data(back, []byte("once"))
				copied := w.take()[0]
				at, to := s.nodes["far"], c.called
				if back {
					at, to = s.nodes["near"], c.caller
				}
				had, counted := len(to.got), at.count(session.DropReplay)
				_, ifc := receiverOf(t, &copied)
				at.receive(copied.p, uint16(ifc))
				s.run()
				if len(to.got) != had || at.count(session.DropReplay) != counted+1 {
					t.Errorf("%s back %v: copy arrived %v, %d replays counted", protoName(proto), back, len(to.got) != had, at.count(session.DropReplay)-counted)
				}
				c.data(back, []byte("next"))
			}
		}
	}
}

// TestSuperForms: super-packets arrive whole in every form.
func TestSuperForms(t *testing.T) {
	for _, waypoints := range []string{"four", "six"} {
		for _, always := range []bool{false, true} {
			for _, family := range []int{4, 6} {
				for _, last := range []int{5, 11, 14, 18} {
					name := fmt.Sprintf("%s transform %v IPv%d host %d", waypoints, always, family, last)
					t.Run(name, func(t *testing.T) { testSuper(t, pairSim(t, waypoints, always), family, last) })
				}
			}
		}
	}
}

func testSuper(t *testing.T, s *sim, family, last int) {
	near, far := nearFar(family, last)
	src, dst := ends(packet.ProtoTCP, family, near, far)
	c := newPair(t, s, "near", "far", packet.ProtoTCP, src, dst)
	s.seen = func(f *flight) {
		if n := f.p.Len(); n > 1500 && f.p.GSO == packet.GSONone {
			t.Errorf("%d bytes between routers", n)
		}
	}
	data := noise(40000)
	c.open()
	for round := range 2 {
		for _, back := range []bool{false, true} {
			p := c.make(back, data)
			p.Finish()
			p.GSO, p.GSOSize = packet.GSOTCP4, 1340
			if family == 6 {
				p.GSO = packet.GSOTCP6
			}
			got, start := c.send(back, p), p.Seq()
			all := make([]byte, len(data))
			n := 0
			for k := range got {
				if got[k].Kind == packet.KindTCP && got[k].GSO == packet.GSONone && !got[k].VerifyL4() {
					t.Fatalf("checksum of segment %d is wrong", k)
				}
				n += copy(all[got[k].Seq()-start:], got[k].Payload())
			}
			if n != len(data) || !bytes.Equal(all, data) {
				t.Fatalf("round %d back %v: %d of %d bytes arrived\n%s", round, back, n, len(data), c.explain())
			}
			if back {
				c.ack += uint32(len(data))
			} else {
				c.seq += uint32(len(data))
			}
		}
	}
}

// TestBehindNAT: the underlay rewrites source address and port of one side;
// the other answers to what it sees.
func TestBehindNAT(t *testing.T) {
	for _, always := range []bool{false, true} {
		for _, last := range []int{5, 11, 14, 18} {
			for _, proto := range protocols {
				s := pairSim(t, "four", always)
				inner, outer := tuple(17, "192.0.2.1:0", "198.51.100.1:0").Src, tuple(17, "203.0.113.99:0", "198.51.100.1:0").Src
				var from, seen uint16
				s.underlay = func(f *flight) bool {
					if f.from.tables.Interfaces[f.ifc].Name == "lan" {
						return true
					}
					to := f.p.T
					if to.Src == inner {
						from, seen = to.SrcPort, 61001
						to.Src, to.SrcPort = outer, seen
					} else if to.Dst == outer && to.DstPort == seen {
						to.Dst, to.DstPort = inner, from
					}
					return f.p.Rewrite(to)
				}
				src, dst := ends(proto, 4, "10.1.0.7", fmt.Sprintf("10.2.0.%d", last))
				c := newPair(t, s, "near", "far", proto, src, dst)
				c.talk(3)
				c.settled()
				c.close()
			}
		}
	}
}
