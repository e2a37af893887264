package session_test

import (
	"bytes"
	"fmt"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/session"
)

// receiveBatch gives packets of one interface to router n at once.
func (n *node) receiveBatch(list []packet.Packet, ifc uint16) {
	var ptrs []*packet.Packet
	for i := range list {
		c := clone(&list[i])
		c.Reset(c.Buf, c.Off, c.End, ifc)
		c.Csum, c.GSO, c.GSOSize = list[i].Csum, list[i].GSO, list[i].GSOSize
		ptrs = append(ptrs, &c)
	}
	n.e.Begin(n.s.now, n.s.unix)
	n.e.ReceiveBatch(ptrs)
	n.s.run()
}

// protectedPair is a settled connection to a service whose payload is protected,
// and one to a clear service beside it.
func protectedPair(t *testing.T, proto uint8) (s *sim, branch, hub *node, c, other *pairOf) {
	s, branch, hub = acmeWith(t, allCBC...)
	c = newPair(t, s, "branch1", "hub1", proto, "192.168.1.77:40000", "10.20.0.5:443")
	other = newPair(t, s, "branch1", "hub1", packet.ProtoUDP, "192.168.1.78:40001", "10.20.0.5:443")
	c.farIf, other.farIf = "dc", "dc"
	for _, p := range []*pairOf{c, other} {
		p.open()
		p.talk(3)
		p.settled()
	}
	return s, branch, hub, c, other
}

// onTheWay returns the packets that the hub would get of what the branch sends.
func onTheWay(s *sim, branch *node, list []packet.Packet) (got []packet.Packet) {
	s.tamper = func(f *flight) []flight {
		got = append(got, clone(&f.p))
		return nil
	}
	for _, p := range list {
		branch.from("lan", p)
	}
	s.tamper = nil
	return got
}

// TestBatch: packets of a batch arrive as if each had come alone, in their order,
// whatever their number, their lengths and what stands between them; the spoilt
// one is missed and counted, and nothing else is.
func TestBatch(t *testing.T) {
	for _, proto := range []uint8{packet.ProtoTCP, packet.ProtoUDP} {
		for _, row := range []struct {
			name string
			size func(i int) int
		}{
			{"one length", func(int) int { return 1200 }},
			{"two lengths", func(i int) int { return 1200 - i%2*300 }},
			{"all different", func(i int) int { return 40 + 67*i }},
			{"one by one block", func(i int) int { return 16 + 16*i }},
		} {
			for n := 2; n <= 16; n++ {
				t.Run(fmt.Sprint(proto, row.name, n), func(t *testing.T) { checkBatch(t, proto, n, row.size) })
			}
		}
	}
}

func checkBatch(t *testing.T, proto uint8, n int, size func(i int) int) {
	s, branch, hub, c, other := protectedPair(t, proto)
	var sent []packet.Packet
	for i := range n {
		from := c
		if i%5 == 4 {
			from = other // of the same policy, and of another session
		}
		p := from.make(false, noise(size(i)))
		from.seq += uint32(size(i))
		sent = append(sent, p)
	}
	wire := onTheWay(s, branch, sent)
	if len(wire) != n {
		t.Fatalf("%d packets on the way, want %d", len(wire), n)
	}
	for bad := -1; bad < n; bad += 1 + n/4 {
		list := make([]packet.Packet, n)
		for i := range wire {
			list[i] = clone(&wire[i])
		}
		if bad >= 0 {
			list[bad].Buf[list[bad].Data+7] ^= 1
			list[bad].FinishFull()
		}
		had, before := len(c.called.got), hub.count(session.DropDigestBad)
		hub.receiveBatch(list, hub.ifc("wan"))
		checkArrived(t, sent, c.called.got[had:], bad)
		if got := hub.count(session.DropDigestBad) - before; got != uint64(min(bad+1, 1)) {
			t.Fatalf("packet %d spoilt: %d bad digests counted\n%s", bad, got, hub.explain())
		}
	}
}

// checkArrived wants all packets but number bad, in their order.
func checkArrived(t *testing.T, sent, got []packet.Packet, bad int) {
	t.Helper()
	want := sent
	if bad >= 0 {
		want = append(append([]packet.Packet{}, sent[:bad]...), sent[bad+1:]...)
	}
	if len(got) != len(want) {
		t.Fatalf("packet %d spoilt: %d arrived, want %d", bad, len(got), len(want))
	}
	for i := range want {
		if got[i].T != want[i].T || !bytes.Equal(got[i].Payload(), want[i].Payload()) {
			t.Fatalf("packet %d spoilt: packet %d differs", bad, i)
		}
	}
}

// TestBatchOfOddPackets: what cannot be looked at ahead goes its usual way:
// broken headers, wrong checksums, digests missing, bytes of nobody.
func TestBatchOfOddPackets(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(p *packet.Packet)
		count session.Counter
	}{
		{"version 0", func(p *packet.Packet) { p.Buf[p.Off] = 0 }, session.DropMalformed},
		{"checksum", func(p *packet.Packet) { p.Buf[p.Data] ^= 1; p.Csum = packet.CsumUnknown }, session.DropChecksum},
		{"no digest", func(p *packet.Packet) { p.Trim(p.End - p.Data - 8); p.FinishFull() }, session.DropDigestMissing},
		{"TTL 1", func(p *packet.Packet) { p.Buf[p.Off+8] = 1; p.FinishFull() }, session.DropTTL},
	} {
		for at := range 12 {
			t.Run(fmt.Sprint(row.name, at), func(t *testing.T) {
				s, branch, hub, c, _ := protectedPair(t, packet.ProtoUDP)
				var sent []packet.Packet
				for range 12 {
					sent = append(sent, c.make(false, noise(900)))
				}
				list := onTheWay(s, branch, sent)
				row.spoil(&list[at])
				had, before := len(c.called.got), hub.count(row.count)
				hub.receiveBatch(list, hub.ifc("wan"))
				checkArrived(t, sent, c.called.got[had:], at)
				if got := hub.count(row.count) - before; got != 1 {
					t.Errorf("counted %d times, want once\n%s", got, hub.explain())
				}
			})
		}
	}
}

// TestBatchAgain: the verdict of a batch is of that batch alone: the same memory
// with other bytes of the same length is verified anew.
func TestBatchAgain(t *testing.T) {
	s, branch, hub, c, _ := protectedPair(t, packet.ProtoUDP)
	wire := onTheWay(s, branch, []packet.Packet{c.make(false, noise(900)), c.make(false, noise(900))})
	a, b := clone(&wire[0]), clone(&wire[1])
	a.Reset(a.Buf, a.Off, a.End, hub.ifc("wan"))
	b.Reset(b.Buf, b.Off, b.End, hub.ifc("wan"))
	hub.e.ReceiveBatch([]*packet.Packet{&a, &b})
	b.Off = wire[1].Off
	copy(b.Buf[b.Off:], wire[1].IP())
	b.Buf[b.Off+wire[1].Data-wire[1].Off] ^= 1
	b.End = b.Off + wire[1].Len()
	b.Reset(b.Buf, b.Off, b.End, hub.ifc("wan"))
	had := hub.count(session.DropDigestBad)
	b.Csum = packet.CsumValid
	hub.e.Receive(&b)
	if got := hub.count(session.DropDigestBad) - had; got != 1 {
		t.Errorf("%d bad digests, want 1\n%s", got, hub.explain())
	}
}

// TestSuperPacketSealed: every number of segments of a super-packet, with and
// without a shorter last one, arrives as it was sent, one segment after another.
func TestSuperPacketSealed(t *testing.T) {
	for segments := 1; segments <= 40; segments++ {
		for _, last := range []int{1, 500, 1200} {
			s, branch, hub, c, _ := protectedPair(t, packet.ProtoTCP)
			data := noise((segments-1)*1200 + last)
			p := c.make(false, data)
			p.Finish()
			p.Csum, p.GSO, p.GSOSize = packet.CsumPartial, packet.GSOTCP4, 1200
			list := onTheWay(s, branch, []packet.Packet{p})
			if len(list) != segments {
				t.Fatalf("%d segments of %d bytes: %d on the way\n%s", segments, last, len(list), branch.explain())
			}
			var got []byte
			had := len(c.called.got)
			for len(list) > 0 {
				n := min(16, len(list))
				hub.receiveBatch(list[:n], hub.ifc("wan"))
				list = list[n:]
			}
			for _, g := range c.called.got[had:] {
				got = append(got, g.Payload()...)
			}
			if !bytes.Equal(got, data) {
				t.Fatalf("%d segments, the last of %d bytes: %d bytes arrived, want %d\n%s", segments, last, len(got), len(data), hub.explain())
			}
		}
	}
}

// TestBatchCountsOnce: what cannot be parsed counts once in a batch, too, and what stands
// beside it arrives.
func TestBatchCountsOnce(t *testing.T) {
	s, branch, hub, c, _ := protectedPair(t, packet.ProtoUDP)
	wire := onTheWay(s, branch, []packet.Packet{c.make(false, noise(100)), c.make(false, noise(100))})
	broken := clone(&wire[0])
	broken.Buf[broken.Off] = 0x30 // no version of IP
	had, before := len(c.called.got), hub.count(session.DropMalformed)
	hub.receiveBatch([]packet.Packet{wire[0], broken, wire[1]}, hub.ifc("wan"))
	if got, n := len(c.called.got)-had, hub.count(session.DropMalformed)-before; got != 2 || n != 1 {
		t.Errorf("%d packets arrived and %d counted as malformed, want 2 and 1\n%s", got, n, hub.explain())
	}
}
