package session_test

import (
	"encoding/binary"
	"sync"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/router"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

// fuzzPools are small, so that a short input fills them.
var fuzzPools = router.Profile{Name: "fuzz", Sessions: 24, Slots: 60, Wayports: 40, Mappings: 8, Hops: 64}

// script reads a fuzz input as a list of deeds; it never runs out, it ends.
type script struct{ b []byte }

func (s *script) byte() byte {
	if len(s.b) == 0 {
		return 0
	}
	v := s.b[0]
	s.b = s.b[1:]
	return v
}

func (s *script) word() int { return int(s.byte())<<8 | int(s.byte()) }

func (s *script) bytes(n int) []byte {
	n = min(n, len(s.b))
	v := s.b[:n]
	s.b = s.b[n:]
	return v
}

// recorded are packets of every kind, made once: digests stay good because every
// fuzz run begins at the same second.
var recorded = sync.OnceValue(func() []packet.Packet {
	t := &testing.T{}
	b := watch(t, newTown(t))
	b.w.open()
	b.w.speak(t)
	var all []packet.Packet
	for _, c := range append(b.collect(), b.tape...) {
		if len(all) < 200 {
			all = append(all, c.p)
		}
	}
	for _, d := range b.w.all {
		all = append(all, small(&d.call.got[0]), small(&d.caller.got[0]))
	}
	return all
})

// FuzzReceive: arbitrary bytes, copies, changed copies and metadata that is
// well signed but arbitrary inside, on every interface of two routers: nothing
// panics, no pool grows beyond its size, nothing is freed twice.
func FuzzReceive(f *testing.F) {
	for k := range 40 {
		f.Add([]byte{1, byte(k), 1, byte(k), 4, 3, 2, byte(k), 0, byte(k), 9, 1, 3, byte(k), 0, 30})
	}
	f.Add([]byte{0, 2, 0, 3, 1, 2, 3})
	f.Add(append([]byte{5, 0, 8, 0, 16, 0, 4, 0, 0, 0, 1, 20}, 0, 6, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		w := poolTown(t, fuzzPools, fuzzPools)
		w.s.unix = 1779000002
		in := &script{data}
		for deeds := 0; len(in.b) > 0 && deeds < 400; deeds++ {
			w.fuzz(t, in)
		}
		for _, n := range w.s.nodes {
			n.bounded(t)
		}
		w.s.drain(3)
	})
}

// fuzz does one deed.
func (w *town) fuzz(t *testing.T, in *script) {
	b := &bystander{t: t, w: w}
	pick := func() packet.Packet { all := recorded(); return all[int(in.byte())%len(all)] }
	switch in.byte() % 7 {
	case 0:
		where := in.byte()
		w.raw(where, in.bytes(in.word()), 0)
	case 1:
		b.send(pick())
	case 2:
		p, pos, mask := pick(), in.word(), in.byte()
		if in.byte()&1 == 1 && p.End > p.Data {
			p = small(&p)
			p.Buf[p.Data+pos%(p.End-p.Data)] ^= mask
			b.send(withData(p, p.Payload()))
			return
		}
		ip := append([]byte(nil), p.IP()...)
		ip[pos%len(ip)] ^= mask
		w.raw(in.byte(), ip, 0)
	case 3:
		p := pick()
		w.raw(in.byte(), p.IP()[:in.word()%(p.Len()+1)], 0)
	case 4:
		w.s.advance(int64(in.byte()) * 50e6)
	case 5:
		p := pick()
		if p.Kind == packet.KindTCP || p.Kind == packet.KindUDP {
			b.send(w.signed(p.T, in))
		}
	case 6:
		p := pick()
		w.raw(in.byte(), p.IP(), in.word())
	}
}

// raw gives bytes to interface where of a router, as a super-packet with gso.
func (w *town) raw(where byte, ip []byte, gso int) {
	n := w.branch
	if where&1 == 1 {
		n = w.hub
	}
	ifc := uint16(int(where>>1) % len(n.tables.Interfaces))
	var p packet.Packet
	buf := make([]byte, len(ip)+1024)
	copy(buf[512:], ip)
	p.Reset(buf, 512, 512+len(ip), ifc)
	if gso > 0 && p.Parse() == nil && p.Kind == packet.KindTCP {
		p.Csum, p.GSO, p.GSOSize = packet.CsumPartial, packet.GSOTCP4, uint16(max(gso%1500, 8))
		if p.V6() {
			p.GSO = packet.GSOTCP6
		}
	}
	n.receive(p, ifc)
	w.s.run()
}

var fuzzKey = sync.OnceValue(func() *secure.Policy {
	t := &testing.T{}
	w := newTown(t)
	return keyOf(t, w.hub.tables, "internal", 0)
})

// signed is metadata with a good digest, whose sections the input wrote.
func (w *town) signed(t packet.Tuple, in *script) packet.Packet {
	head, body := in.bytes(int(in.byte())), in.bytes(in.word()%1024)
	key := fuzzKey()
	buf := binary.BigEndian.AppendUint64(nil, wire.Cookie)
	buf = binary.BigEndian.AppendUint16(buf, uint16(wire.Version<<12|(wire.HeaderSize+len(head))))
	sealed := key.EncryptCBC(append(make([]byte, 0, len(body)+64), body...), len(body), &[16]byte{})
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(sealed)))
	buf = append(append(append(buf, head...), sealed...), in.bytes(int(in.byte()))...)
	buf = key.AppendDigest(buf, buf, w.s.unix)
	if t.Proto == packet.ProtoTCP {
		return shrink(tcp(t, in.byte(), 1, 1, buf))
	}
	return shrink(udp(t, buf))
}

// bounded says that the pools of a router agree with each other.
func (n *node) bounded(t testing.TB) {
	t.Helper()
	live, s := n.e.Live(), n.parts.Table.Stats()
	if live < 0 || live > fuzzPools.Sessions || s.Directions != 2*live {
		t.Errorf("%s: %d sessions, %d directions", n.name, live, s.Directions)
	}
	pairs := 0
	for _, id := range n.parts.Pathway {
		w := n.parts.Wayports.Stats(id)
		if pairs += w.InUse; w.Unknown != 0 {
			t.Errorf("%s: a pair was freed twice", n.name)
		}
	}
	if pairs > live || n.held() != 2*live || n.parts.NAT.Stats().InUse > live || n.parts.NAT.Stats().Unknown != 0 {
		t.Errorf("%s: %d sessions, %d pairs, %d next-hops, NAT %+v", n.name, live, pairs, n.held(), n.parts.NAT.Stats())
	}
	if used, capacity := n.e.Fragments(); used > capacity {
		t.Errorf("%s: %d of %d packets in pieces", n.name, used, capacity)
	}
}
