package session_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/session"
)

func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// TestRoom: what a host sends arrives whole, and nothing between routers is
// longer than the path (docs/wire.md 11).
func TestRoom(t *testing.T) {
	for _, row := range []struct {
		name, src, dst string
		size           int
	}{
		{"QUIC Initial", "192.168.1.77:40000", "10.20.0.5:443", 1350},
		{"full datagram", "192.168.1.77:40000", "10.20.0.5:443", 1472},
		{"small", "192.168.1.77:40000", "10.20.0.5:443", 1},
		{"empty", "192.168.1.77:40000", "10.20.0.5:443", 0},
		{"IPv6 full datagram", "[fd00:1::77]:40000", "[fd00:20::5]:443", 1452},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, branch, hub := acme(t)
			out := tuple(packet.ProtoUDP, row.src, row.dst)
			server, client := s.host(out.DstAddr().String()), s.host(out.SrcAddr().String())
			s.seen = func(f *flight) {
				if f.p.Len() > 1500 {
					t.Errorf("%d bytes between routers", f.p.Len())
				}
			}
			for range 3 {
				want := noise(row.size)
				s.now += 5e6
				branch.from("lan", udp(out, want))
				s.now += 5e6
				hub.from("dc", udp(out.Reverse(), want))
				if len(server.got) == 0 || len(client.got) == 0 {
					t.Fatalf("lost: %s\n%s", branch.explain(), hub.explain())
				}
				if !bytes.Equal(server.got[0].Payload(), want) || !bytes.Equal(client.got[0].Payload(), want) {
					t.Fatalf("payload differs")
				}
				server.got, client.got = nil, nil
			}
		})
	}
}

// TestTooBig: what does not fit because of lasting overhead is refused with the
// size that does, or cut when the sender allows it.
func TestTooBig(t *testing.T) {
	s, branch, _ := acme(t)
	out := tuple(packet.ProtoTCP, "192.168.1.77:40000", "10.20.0.80:8443")
	client := s.host("192.168.1.77")
	server := s.host("10.20.0.80")
	branch.from("lan", tcp(out, packet.FlagSYN, 100, 0, nil))
	s.now += 5e6
	s.nodes["hub1"].from("dc", tcp(out.Reverse(), packet.FlagSYN|packet.FlagACK, 900, 101, nil))
	s.now += 5e6
	branch.from("lan", tcp(out, packet.FlagACK, 101, 901, noise(1000)))
	server.got, client.got = nil, nil
	branch.from("lan", tcp(out, packet.FlagACK, 1101, 901, noise(1460)))
	if len(server.got) != 0 || len(client.got) != 1 || client.got[0].Kind != packet.KindICMPError {
		t.Fatalf("server got %d, client got %d packets; want an ICMP error only\n%s", len(server.got), len(client.got), branch.explain())
	}
	q, ok := client.got[0].Quote()
	if !ok || q.T != out || q.MTU != 1500-48 {
		t.Errorf("quote %v mtu %d, want %v mtu 1452", q.T, q.MTU, out)
	}
	client.got = nil
	branch.from("lan", tcp(out, packet.FlagACK, 1101, 901, noise(1412)))
	if len(server.got) != 1 {
		t.Errorf("a packet of the size told did not arrive\n%s", branch.explain())
	}
}

// TestMSS: SYNs of encrypted sessions offer what fits, both ways.
func TestMSS(t *testing.T) {
	s, branch, hub := acme(t)
	out := tuple(packet.ProtoTCP, "192.168.1.77:40000", "10.20.0.80:8443")
	s.host("10.20.0.80")
	s.host("192.168.1.77")
	branch.from("lan", withMSS(tcp(out, packet.FlagSYN, 100, 0, nil), 1460))
	hub.from("dc", withMSS(tcp(out.Reverse(), packet.FlagSYN|packet.FlagACK, 900, 101, nil), 1460))
	for _, at := range []string{"10.20.0.80", "192.168.1.77"} {
		if got, ok := s.host(at).got[0].MSS(); !ok || got != 1412 {
			t.Errorf("MSS seen by %s = %d, want 1412", at, got)
		}
	}
}

// withMSS gives a SYN the option.
func withMSS(p packet.Packet, mss uint16) packet.Packet {
	copy(p.Extend(4), []byte{2, 4, byte(mss >> 8), byte(mss)})
	p.Buf[p.L4+12] = 6 << 4
	p.FinishFull()
	if err := p.Parse(); err != nil {
		panic(err)
	}
	p.Csum = packet.CsumUnknown
	return p
}

// TestSuperPackets: GSO packets pass whole when clear and are cut when they
// carry metadata or ciphertext.
func TestSuperPackets(t *testing.T) {
	for _, port := range []string{"10.20.0.5:80", "10.20.0.80:8443"} {
		t.Run(port, func(t *testing.T) {
			s, branch, hub := acme(t)
			out := tuple(packet.ProtoTCP, "192.168.1.77:40000", port)
			server := s.host(out.DstAddr().String())
			branch.from("lan", tcp(out, packet.FlagSYN, 100, 0, nil))
			s.now += 5e6
			data := noise(30000)
			super := func(seq uint32) packet.Packet {
				p := tcp(out, packet.FlagACK, seq, 901, data)
				p.Finish()
				p.GSO, p.GSOSize = packet.GSOTCP4, 1400
				return p
			}
			branch.from("lan", super(101)) // before the handshake: with metadata
			hub.from("dc", tcp(out.Reverse(), packet.FlagSYN|packet.FlagACK, 900, 101, nil))
			s.now += 5e6
			branch.from("lan", super(30101))
			got := map[uint32]byte{}
			for _, p := range server.got[1:] {
				for k, b := range p.Payload() {
					got[p.Seq()+uint32(k)] = b
				}
			}
			if len(got) != 60000 {
				t.Fatalf("%d bytes arrived, want 60000\n%s\n%s", len(got), branch.explain(), hub.explain())
			}
			for k := range got {
				if got[k] != data[(k-101)%30000] {
					t.Fatalf("byte %d differs", k)
				}
			}
		})
	}
}

// TestHostFragments: fragments of a host are joined, carried and cut again.
func TestHostFragments(t *testing.T) {
	s, branch, hub := acme(t)
	out := tuple(packet.ProtoUDP, "192.168.1.77:40000", "10.20.0.5:2049")
	server := s.host("10.20.0.5")
	want := noise(8000)
	for round := range 3 {
		p := udp(out, want)
		p.SetDF(false)
		p.SetIPID(uint16(round + 1))
		var f packet.Fragmenter
		if !f.Init(&p, 1500) {
			t.Fatal("cannot cut")
		}
		for {
			var piece packet.Packet
			piece.Reset(make([]byte, 4096), 512, 512, 0)
			if !f.Next(&piece) {
				break
			}
			branch.from("lan", piece)
		}
		re := packet.NewIPReassembler(packet.ReassemblerConfig{})
		var whole packet.Packet
		whole.Reset(make([]byte, 70000), 512, 512, 0)
		done := false
		for k := range server.got {
			done, _, _ = re.Add(s.now, &server.got[k], &whole)
		}
		if !done || !bytes.Equal(whole.Payload(), want) {
			t.Fatalf("round %d: %d pieces did not make the datagram\n%s\n%s", round, len(server.got), branch.explain(), hub.explain())
		}
		server.got = nil
		s.now += 5e6
		hub.from("dc", udp(out.Reverse(), []byte("ok")))
		s.now += 5e6
	}
}

// TestFalsePositive: data that begins with the cookie arrives as it was.
func TestFalsePositive(t *testing.T) {
	s, branch, hub := acme(t)
	out := tuple(packet.ProtoUDP, "192.168.1.77:40000", "10.20.0.5:9")
	server := s.host("10.20.0.5")
	s.host("192.168.1.77")
	want := append([]byte{0x4c, 0x48, 0xdb, 0xc6, 0xdd, 0xf6, 0x67, 0x0c}, "not metadata"...)
	for round := range 4 {
		s.now += 5e6
		branch.from("lan", udp(out, want))
		if n := len(server.got); n != round+1 || !bytes.Equal(server.got[n-1].Payload(), want) {
			t.Fatalf("round %d: not what was sent\n%s\n%s", round, branch.explain(), hub.explain())
		}
		s.now += 5e6
		hub.from("dc", udp(out.Reverse(), want))
		if c := s.host("192.168.1.77").got; !bytes.Equal(c[len(c)-1].Payload(), want) {
			t.Fatalf("round %d: answer differs", round)
		}
	}
	if branch.count(session.FalsePositiveAdded) == 0 || hub.count(session.FalsePositiveRemoved) == 0 {
		t.Errorf("no correction was counted: %s %s", branch.explain(), hub.explain())
	}
}

// TestEcho: ping rides in UDP and comes back whole, IPv4 and IPv6.
func TestEcho(t *testing.T) {
	for _, row := range []struct{ src, dst string }{
		{"192.168.1.77:4660", "10.20.0.5:4660"}, {"[fd00:1::77]:4660", "[fd00:20::5]:4660"},
	} {
		s, branch, hub := acme(t)
		out := tuple(packet.ProtoICMP, row.src, row.dst)
		if out.Family == 6 {
			out.Proto = packet.ProtoICMPv6
		}
		server, client := s.host(out.DstAddr().String()), s.host(out.SrcAddr().String())
		s.seen = func(f *flight) {
			if f.p.T.Proto != packet.ProtoUDP || f.p.V6() {
				t.Errorf("outer packet %v, want UDP over IPv4", f.p.T)
			}
		}
		for n := range 3 {
			s.now += 5e6
			branch.from("lan", echo(out, false, n))
			s.now += 5e6
			hub.from("dc", echo(out.Reverse(), true, n))
		}
		if len(server.got) != 3 || len(client.got) != 3 {
			t.Fatalf("server %d client %d, want 3\n%s\n%s", len(server.got), len(client.got), branch.explain(), hub.explain())
		}
		for _, p := range append(server.got, client.got...) {
			if p.Kind != packet.KindEcho || !p.VerifyL4() || p.T.SrcPort != 4660 {
				t.Errorf("not the echo that was sent: %v", p.T)
			}
		}
	}
}

func echo(t packet.Tuple, reply bool, n int) packet.Packet {
	var p packet.Packet
	p.Reset(make([]byte, 4096), 512, 512, 0)
	copy(packet.Build(&p, t, 64, 0, 56), fmt.Sprintf("ping number %d", n))
	types := map[bool]map[uint8]byte{false: {4: 8, 6: 128}, true: {4: 0, 6: 129}}
	p.Buf[p.L4] = types[reply][t.Family]
	p.FinishFull()
	if err := p.Parse(); err != nil {
		panic(err)
	}
	p.Csum = packet.CsumUnknown
	return p
}

// TestHostFragmentForms: datagrams that hosts cut, in either family, with DF or
// without, arrive whole through every form and in pieces that fit.
func TestHostFragmentForms(t *testing.T) {
	for _, waypoints := range []string{"four", "six"} {
		for _, family := range []int{4, 6} {
			for _, last := range []int{5, 11, 14, 18} {
				for _, df := range []bool{false, true} {
					for _, size := range []int{1600, 2500, 8000} {
						name := fmt.Sprintf("%s IPv%d host %d DF %v %d bytes", waypoints, family, last, df, size)
						t.Run(name, func(t *testing.T) { testHostFragments(t, waypoints, family, last, df, size) })
					}
				}
			}
		}
	}
}

func testHostFragments(t *testing.T, waypoints string, family, last int, df bool, size int) {
	s := pairSim(t, waypoints, false)
	near, far := nearFar(family, last)
	src, dst := ends(packet.ProtoUDP, family, near, far)
	c := newPair(t, s, "near", "far", packet.ProtoUDP, src, dst)
	s.seen = func(f *flight) {
		if f.p.Len() > 1500 {
			t.Errorf("%d bytes between routers", f.p.Len())
		}
	}
	for round := range 3 {
		for _, back := range []bool{false, true} {
			want := noise(size)
			p := c.make(back, want)
			if family == 4 {
				p.SetDF(false)
				p.SetIPID(uint16(round + 1))
			}
			to, from, ifc := c.called, c.near, c.nearIf
			if back {
				to, from, ifc = c.caller, c.far, c.farIf
			}
			to.got = nil
			s.now += 5e6
			f := packet.Fragmenter{ID: uint32(10 + round)}
			if !f.Init(&p, 1500) {
				t.Fatal("cannot cut")
			}
			for {
				var piece packet.Packet
				piece.Reset(make([]byte, 4096), 512, 512, 0)
				if !f.Next(&piece) {
					break
				}
				if df && family == 4 {
					piece.SetDF(true)
				}
				s.nodes[from].from(ifc, piece)
			}
			if got := rejoin(s.now, to.got); !bytes.Equal(got, want) {
				t.Fatalf("round %d back %v: %d packets did not make the datagram\n%s", round, back, len(to.got), c.explain())
			}
		}
	}
}

// rejoin makes the payload of a datagram from what arrived of it.
func rejoin(now int64, got []packet.Packet) []byte {
	re := packet.NewIPReassembler(packet.ReassemblerConfig{})
	for k := range got {
		if got[k].Kind == packet.KindUDP {
			return got[k].Payload()
		}
		var whole packet.Packet
		whole.Reset(make([]byte, 70000), 512, 512, 0)
		if done, _, _ := re.Add(now, &got[k], &whole); done && whole.VerifyL4() {
			return whole.Payload()
		}
	}
	return nil
}

// TestNoUDPChecksum: datagrams without a checksum arrive with none or a good
// one, in every form.
func TestNoUDPChecksum(t *testing.T) {
	for _, waypoints := range []string{"four", "six"} {
		for _, pay := range payloads {
			s := pairSim(t, waypoints, false)
			src, dst := ends(packet.ProtoUDP, 4, "10.1.0.7", fmt.Sprintf("10.2.0.%d", pay.last))
			c := newPair(t, s, "near", "far", packet.ProtoUDP, src, dst)
			for range 4 {
				for _, back := range []bool{false, true} {
					p := c.make(back, []byte("no checksum"))
					p.Buf[p.L4+6], p.Buf[p.L4+7] = 0, 0
					got := c.send(back, p)
					if len(got) != 1 || !got[0].VerifyL4() || string(got[0].Payload()) != "no checksum" {
						t.Fatalf("%s over %s: %d arrived\n%s", pay.name, waypoints, len(got), c.explain())
					}
				}
			}
		}
	}
}
