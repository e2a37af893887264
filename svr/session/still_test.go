package session_test

import (
	"net/netip"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/router"
	"waymark/svr/seal"
	"waymark/svr/session"
)

// still is a router whose lane allocates nothing: what it sends stays where it
// is until the next packet comes in.
type still struct {
	tables *policy.Tables
	parts  *router.Parts
	e      *session.Engine
	sent   []packet.Packet
	n      int // of sent in use
	spare  [2][]packet.Packet
	used   [2]int
	hops   []hopKey
	in     packet.Packet // the packet at hand
	work   []byte
	sealer seal.Sealer
	item   seal.Item
}

const (
	stillRoom  = 512 // head- and tailroom
	stillSmall = 2048 + 2*stillRoom
	stillLarge = 65536 + 2*stillRoom
)

func newStill(t testing.TB, tables *policy.Tables, prof router.Profile, fast bool) *still {
	t.Helper()
	s := &still{tables: tables, sent: make([]packet.Packet, 64), work: make([]byte, stillLarge), hops: make([]hopKey, 0, 64)}
	for i := range s.sent {
		s.sent[i].Buf = make([]byte, stillSmall)
	}
	for large, size := range []int{stillSmall, stillLarge} {
		s.spare[large] = make([]packet.Packet, 64>>(large*4))
		for i := range s.spare[large] {
			s.spare[large][i].Buf = make([]byte, size)
		}
	}
	var err error
	opt := router.Options{Out: s, Now: 1e9, Fast: fast}
	if sealing > 0 {
		opt.Later = s
	}
	if s.parts, err = router.Assemble(tables, prof, opt); err != nil {
		t.Fatal(err)
	}
	s.e = s.parts.Engine
	for i := range tables.Interfaces {
		f := &tables.Interfaces[i]
		var addrs []netip.Addr
		for _, a := range f.Addresses {
			addrs = append(addrs, a.Prefix.Addr())
		}
		s.parts.Carrier.SetInterface(uint16(i), len(addrs) > 0, addrs, 1500)
		s.e.SetInterface(uint16(i), len(addrs) > 0, 1500, nil)
	}
	return s
}

// Send implements session.Output: super-packets keep their headers only.
func (s *still) Send(p *packet.Packet, _, _ uint16) {
	if s.n == len(s.sent) {
		return
	}
	q := &s.sent[s.n]
	s.n++
	buf := q.Buf
	n := min(p.Len(), len(buf)-2*stillRoom)
	copy(buf[stillRoom:], p.Buf[p.Off:p.Off+n])
	*q = *p
	q.Buf, q.Off, q.End = buf, stillRoom, stillRoom+n
	q.L4, q.Data = p.L4-p.Off+stillRoom, p.Data-p.Off+stillRoom
}

// Buffer implements session.Output.
func (s *still) Buffer(large bool) *packet.Packet {
	k := 0
	if large {
		k = 1
	}
	if s.used[k] == len(s.spare[k]) {
		return nil
	}
	p := &s.spare[k][s.used[k]]
	s.used[k]++
	p.Reset(p.Buf, stillRoom, stillRoom, 0)
	return p
}

// Hop implements session.Output.
func (s *still) Hop(ifc uint16, addr [16]byte, family uint8) (uint16, bool) {
	k := hopKey{ifc, packet.ToAddr(addr, family)}
	for i := range s.hops {
		if s.hops[i] == k {
			return uint16(i), true
		}
	}
	s.hops = append(s.hops, k)
	return uint16(len(s.hops) - 1), true
}

// Release implements session.Output.
func (s *still) Release(uint16) {}

// take gives the router a copy of p on interface ifc.
func (s *still) take(p *packet.Packet, ifc uint16, now int64) {
	s.n, s.used = 0, [2]int{}
	n := copy(s.work[stillRoom:], p.Buf[p.Off:p.End])
	s.in.Reset(s.work, stillRoom, stillRoom+n, ifc)
	s.in.Csum, s.in.GSO, s.in.GSOSize = p.Csum, p.GSO, p.GSOSize
	s.e.Begin(now, 1779000000+now/1e9)
	s.e.Receive(&s.in)
}

// stillPair is branch1 and hub1 of acme, joined by a wire without allocations.
type stillPair struct {
	t           testing.TB
	branch, hub *still
	lan, fiber  uint16
	dc, wan     uint16
	now         int64
	arrived     int
}

func newStillPair(t testing.TB, prof router.Profile, replace ...string) *stillPair {
	t.Helper()
	return stillPairOf(t, prof, false, replace...)
}

// newLentPair is a pair whose routers have lanes in the kernel, and as many
// wayports as the profile has.
func newLentPair(t testing.TB, prof router.Profile) *stillPair {
	t.Helper()
	const fiber = `"vector": ["fiber"]`
	return stillPairOf(t, prof, true, fiber, fiber+`, "max-way-points": 1000000`)
}

func stillPairOf(t testing.TB, prof router.Profile, fast bool, replace ...string) *stillPair {
	t.Helper()
	a := acmeAuthority(t, replace...)
	make := func(name string) *still {
		tables, err := policy.Build(a, name, "")
		if err != nil {
			t.Fatal(err)
		}
		return newStill(t, tables, prof, fast)
	}
	p := &stillPair{t: t, branch: make("branch1"), hub: make("hub1"), now: 1e9}
	ifc := func(s *still, name string) uint16 {
		for i := range s.tables.Interfaces {
			if s.tables.Interfaces[i].Name == name {
				return uint16(i)
			}
		}
		t.Fatalf("no interface %s", name)
		return 0
	}
	p.lan, p.fiber = ifc(p.branch, "lan"), ifc(p.branch, "fiber")
	p.dc, p.wan = ifc(p.hub, "dc"), ifc(p.hub, "wan")
	return p
}

// forth carries a packet of a branch host to the hub's LAN, back the reverse.
func (p *stillPair) forth(q *packet.Packet) { p.carry(q, p.branch, p.hub, p.lan, p.wan) }
func (p *stillPair) back(q *packet.Packet)  { p.carry(q, p.hub, p.branch, p.dc, p.fiber) }

func (p *stillPair) carry(q *packet.Packet, from, to *still, in, out uint16) {
	from.take(q, in, p.now)
	p.arrived = 0
	for i := range from.n {
		f := &from.sent[i]
		if f.Csum == packet.CsumPartial && f.GSO == packet.GSONone {
			f.CompleteCsum()
			f.Csum = packet.CsumUnknown
		}
		to.take(f, out, p.now)
		p.arrived += to.n
	}
}

// tick lets d nanoseconds pass.
func (p *stillPair) tick(d int64) {
	p.now += d
	for _, s := range [2]*still{p.branch, p.hub} {
		s.n, s.used = 0, [2]int{}
		s.e.Begin(p.now, 1779000000+p.now/1e9)
		s.e.Tick()
	}
}
