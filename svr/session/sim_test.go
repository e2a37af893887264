package session_test

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/router"
	"waymark/svr/session"
	"waymark/svr/wire"
)

// sim is a whole network in one process: routers, hosts and the wires between
// them, on a clock that only the test moves.
type sim struct {
	t      testing.TB
	now    int64
	unix   int64
	nodes  map[string]*node
	queue  []flight
	hosts  map[netip.Addr]*host
	nat    map[netip.Addr]netip.Addr // outer source rewritten between routers
	tamper func(f *flight) []flight  // loss, copies, changes; nil: none
	seen   func(f *flight)           // every packet between routers
	hops   int
	queued bool // packets wait in the routers' queues all the time
	// between routers, and to hosts beyond them: false: it does not arrive
	underlay func(f *flight) bool
}

// flight is one packet on its way.
type flight struct {
	from  *node
	ifc   uint16
	hop   netip.Addr
	p     packet.Packet
	later *sealed // what p will be; nil: it is
}

// node is a router.
type node struct {
	s       *sim
	name    string
	tables  *policy.Tables
	parts   *router.Parts
	e       *session.Engine
	hopID   map[hopKey]uint16
	hopOf   map[uint16]hopKey
	refs    map[uint16]int
	leases  map[netip.Addr]uint16 // addresses by DHCP
	asked   int                   // session requests sent
	mute    bool                  // they are lost
	sealers *sealers
}

type hopKey struct {
	ifc  uint16
	addr netip.Addr
}

// host collects what arrives at an address.
type host struct {
	got    []packet.Packet
	answer func(p *packet.Packet) // may call s.inject
}

func newSim(t testing.TB) *sim {
	return &sim{
		t: t, now: 1e9, unix: 1779000000, nodes: map[string]*node{}, hosts: map[netip.Addr]*host{},
		nat: map[netip.Addr]netip.Addr{},
	}
}

func parseConfig(t testing.TB, file string) *config.Authority {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a, findings := config.Parse(data)
	for _, f := range findings {
		if f.Severity == config.Error {
			t.Fatal(f)
		}
	}
	return a
}

// boot starts router name; cold says that it had a life before.
func (s *sim) boot(a *config.Authority, name string, cold bool) *node {
	s.t.Helper()
	return s.bootSized(a, name, cold, router.Profile{
		Name: "sim", Sessions: 1024, Slots: 4096, Wayports: 4096, Mappings: 512, Hops: 256,
	})
}

// bootSized is boot with pools of the caller's sizes.
func (s *sim) bootSized(a *config.Authority, name string, cold bool, prof router.Profile) *node {
	s.t.Helper()
	return s.bootWith(a, name, prof, router.Options{ColdStart: cold})
}

// bootWith is bootSized with all choices.
func (s *sim) bootWith(a *config.Authority, name string, prof router.Profile, opt router.Options) *node {
	s.t.Helper()
	tables, err := policy.Build(a, name, "")
	if err != nil {
		s.t.Fatal(err)
	}
	n := &node{
		s: s, name: name, tables: tables,
		hopID: map[hopKey]uint16{}, hopOf: map[uint16]hopKey{}, refs: map[uint16]int{},
	}
	opt.Out, opt.Requests, opt.Now = n, n, s.now
	if sealing > 0 {
		opt.Later, n.sealers = n, newSealers(s.t)
	}
	n.parts, err = router.Assemble(tables, prof, opt)
	if err != nil {
		s.t.Fatal(err)
	}
	n.e = n.parts.Engine
	n.e.Begin(s.now, s.unix)
	for i := range tables.Interfaces {
		n.up(uint16(i), true)
	}
	s.nodes[name] = n
	return n
}

func (n *node) up(ifc uint16, up bool) {
	f := &n.tables.Interfaces[ifc]
	var addrs []netip.Addr
	for _, a := range f.Addresses {
		addrs = append(addrs, a.Prefix.Addr())
	}
	if f.DHCP && len(f.Addresses) == 0 {
		up = false
	}
	n.parts.Carrier.SetInterface(ifc, up, addrs, 1500)
	n.e.SetInterface(ifc, up, 1500, nil)
}

func (n *node) ifc(name string) uint16 {
	for i := range n.tables.Interfaces {
		if n.tables.Interfaces[i].Name == name {
			return uint16(i)
		}
	}
	n.s.t.Fatalf("router %s has no interface %s", n.name, name)
	return 0
}

// Send implements session.Output.
func (n *node) Send(p *packet.Packet, ifc, hop uint16) {
	if n.refs[hop] <= 0 {
		n.s.t.Errorf("%s sends to next-hop %d that nobody holds", n.name, hop)
	}
	n.s.queue = append(n.s.queue, flight{from: n, ifc: ifc, hop: n.hopOf[hop].addr, p: clone(p)})
}

// simHead is the room in front of a packet of the simulation.
const simHead = 1024

// simBuffer has room for a packet of n bytes, for what a router adds on both
// sides, and for a whole super-packet if it is one.
func simBuffer(n int) []byte {
	if n > 2048 {
		return make([]byte, simHead+66000)
	}
	return make([]byte, simHead+4096)
}

func clone(p *packet.Packet) packet.Packet {
	c := *p
	c.Buf = simBuffer(p.Len())
	c.Off, c.End = simHead, simHead+p.Len()
	c.L4, c.Data = p.L4-p.Off+simHead, p.Data-p.Off+simHead
	copy(c.Buf[c.Off:], p.Buf[p.Off:p.End])
	return c
}

// Buffer implements session.Output.
func (n *node) Buffer(large bool) *packet.Packet {
	size := 2048 + 1024
	if large {
		size = 65536 + 1024
	}
	p := new(packet.Packet)
	p.Reset(make([]byte, size), 512, 512, 0)
	return p
}

// Hop implements session.Output.
func (n *node) Hop(ifc uint16, addr [16]byte, family uint8) (uint16, bool) {
	k := hopKey{ifc, packet.ToAddr(addr, family)}
	id, ok := n.hopID[k]
	if !ok {
		id = uint16(len(n.hopID) + 1)
		n.hopID[k], n.hopOf[id] = id, k
	}
	n.refs[id]++
	return id, true
}

// Release implements session.Output.
func (n *node) Release(hop uint16) {
	if n.refs[hop]--; n.refs[hop] < 0 {
		n.s.t.Errorf("%s releases next-hop %d twice", n.name, hop)
	}
}

// Ask implements session.Requests: BFD of the simulation loses what the test
// wants lost.
func (n *node) Ask(id policy.PathID, request []byte) {
	n.asked++
	if n.mute {
		return
	}
	to := n.s.nodes[n.tables.Peers[n.tables.Paths[id].Peer].Name]
	for i := range to.tables.Paths {
		if p := &to.tables.Paths[i]; p.OutboundOnly && to.tables.Peers[p.Peer].Name == n.name {
			to.e.Begin(n.s.now, n.s.unix)
			to.e.Requested(p.ID, slices.Clone(request))
		}
	}
}

// receive gives a packet to router n as its lane would.
func (n *node) receive(p packet.Packet, ifc uint16) {
	c := clone(&p)
	c.If = ifc
	c.Reset(c.Buf, c.Off, c.End, ifc)
	c.Csum, c.GSO, c.GSOSize = p.Csum, p.GSO, p.GSOSize
	n.e.Begin(n.s.now, n.s.unix)
	n.e.Receive(&c)
	if !n.s.queued {
		n.e.Lend()
	}
}

// run delivers until nothing flies any more.
func (s *sim) run() {
	for steps := 0; len(s.queue) > 0; steps++ {
		if steps > 200000 {
			s.t.Fatal("packets fly in circles")
		}
		f := s.queue[0]
		s.queue = s.queue[1:]
		if f.sealed() {
			s.land(f)
		}
	}
}

// land brings one packet to the router or host it is for.
func (s *sim) land(f flight) {
	if f.p.Csum == packet.CsumPartial && f.p.GSO == packet.GSONone {
		f.p.CompleteCsum()
		f.p.Csum = packet.CsumUnknown
	}
	if s.underlay != nil && !s.underlay(&f) {
		return
	}
	dst := f.p.T.DstAddr()
	for _, n := range s.nodes {
		if ifc, ok := n.leases[dst]; ok && n != f.from {
			s.between(f, n, ifc)
			return
		}
		for i := range n.tables.Interfaces {
			for _, a := range n.tables.Interfaces[i].Addresses {
				if a.Prefix.Addr() == dst && (n != f.from) {
					s.between(f, n, uint16(i))
					return
				}
			}
		}
	}
	h := s.hosts[dst]
	if h == nil {
		return
	}
	h.got = append(h.got, f.p)
	if h.answer != nil {
		h.answer(&f.p)
	}
}

// between carries a packet from router to router.
func (s *sim) between(f flight, n *node, ifc uint16) {
	s.hops++
	if s.seen != nil {
		s.seen(&f)
	}
	all := []flight{f}
	if s.tamper != nil {
		all = s.tamper(&f)
	}
	for k := range all {
		n.receive(all[k].p, ifc)
	}
}

// advance moves the clock and lets every router do what is due.
func (s *sim) advance(ns int64) {
	for end := s.now + ns; s.now < end; {
		s.now += min(100e6, end-s.now)
		s.unix = 1779000000 + s.now/1e9
		for _, n := range s.nodes {
			n.e.Begin(s.now, s.unix)
			n.e.Tick()
		}
		s.run()
	}
}

func (s *sim) host(addr string) *host {
	a := netip.MustParseAddr(addr)
	if s.hosts[a] == nil {
		s.hosts[a] = &host{}
	}
	return s.hosts[a]
}

// tuple builds a tuple from "src:port" and "dst:port".
func tuple(proto uint8, src, dst string) packet.Tuple {
	return packet.MakeTuple(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), proto)
}

// udp makes a datagram as a host sends it.
func udp(t packet.Tuple, data []byte) packet.Packet {
	var p packet.Packet
	p.Reset(simBuffer(len(data)), simHead, simHead, 0)
	copy(packet.Build(&p, t, 64, 0, len(data)), data)
	p.FinishFull()
	if err := p.Parse(); err != nil {
		panic(err)
	}
	p.Csum = packet.CsumUnknown
	return p
}

// tcp makes a segment as a host sends it.
func tcp(t packet.Tuple, flags uint8, seq, ack uint32, data []byte) packet.Packet {
	var p packet.Packet
	p.Reset(simBuffer(len(data)), simHead, simHead, 0)
	copy(packet.BuildTCP(&p, t, 64, 0, seq, ack, flags, 65535, len(data)), data)
	p.FinishFull()
	if err := p.Parse(); err != nil {
		panic(err)
	}
	p.Csum = packet.CsumUnknown
	return p
}

// from lets a host on interface name of router n send p, then runs.
func (n *node) from(name string, p packet.Packet) {
	n.receive(p, n.ifc(name))
	n.s.run()
}

// count returns a counter of the router.
func (n *node) count(c session.Counter) uint64 { s := n.e.Stats(); return s[c] }

// explain prints every counter that is not zero.
func (n *node) explain() string {
	out := n.name + ":"
	for c, v := range n.e.Stats() {
		if v > 0 {
			out += fmt.Sprintf(" %s=%d", session.Counter(c), v)
		}
	}
	return out
}

// signalled says whether the L4 payload of a packet begins with metadata.
func signalled(p *packet.Packet) bool {
	b := p.Payload()
	return wire.HasCookie(b) && !wire.FalsePositive(b)
}
