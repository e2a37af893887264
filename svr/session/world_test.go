package session_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/packet"
	"waymark/svr/policy"
)

// transform makes every path of a neighborhood always-transform, or auto-detect.
func transform(a *config.Authority, hood string, always bool) {
	eachHood(a, func(h *config.Neighborhood) {
		if h.Name == hood {
			h.UDPTransform.Always = always
			h.Written = map[string]bool{"udp-transform.mode": true}
		}
	})
}

func eachHood(a *config.Authority, f func(*config.Neighborhood)) {
	for r := range a.Routers {
		for n := range a.Routers[r].Nodes {
			for d := range a.Routers[r].Nodes[n].Devices {
				for i := range a.Routers[r].Nodes[n].Devices[d].Interfaces {
					hoods := a.Routers[r].Nodes[n].Devices[d].Interfaces[i].Neighborhoods
					for h := range hoods {
						f(&hoods[h])
					}
				}
			}
		}
	}
}

// lease gives a DHCP interface an address.
func (n *node) lease(name, prefix, gateway string) {
	ifc, p := n.ifc(name), netip.MustParsePrefix(prefix)
	if n.leases == nil {
		n.leases = map[netip.Addr]uint16{}
	}
	n.leases[p.Addr()] = ifc
	n.parts.Carrier.SetInterface(ifc, true, []netip.Addr{p.Addr()}, 1500)
	n.e.SetInterface(ifc, true, 1500, []policy.Address{{Prefix: p, Gateway: netip.MustParseAddr(gateway), Waypoint: true}})
}

// isp is a router of the underlay: everything between routers, and between
// them and the internet, passes it.
type isp struct {
	s       *sim
	addr4   [16]byte
	addr6   [16]byte
	mtu     int
	dropped int
}

func newISP(s *sim, addr4, addr6 string) *isp {
	p := &isp{s: s, mtu: 1500}
	p.addr4, _ = packet.FromAddr(netip.MustParseAddr(addr4))
	p.addr6, _ = packet.FromAddr(netip.MustParseAddr(addr6))
	s.underlay = p.pass
	return p
}

// pass carries a packet one hop. Packets to hosts of a LAN pass no ISP.
func (p *isp) pass(f *flight) bool {
	if f.from.tables.Interfaces[f.ifc].Tenant != policy.NoTenant {
		return true
	}
	if f.p.TTL() <= 1 {
		p.answer(f, packet.ErrTTL, 0)
		return false
	}
	if f.p.Len() > p.mtu {
		p.answer(f, packet.ErrTooBig, p.mtu)
		return false
	}
	f.p.DecTTL()
	return true
}

// answer sends an ICMP error about f to the router it came from, quoting 8
// bytes behind the IP header as old routers do.
func (p *isp) answer(f *flight, kind packet.ErrKind, mtu int) {
	p.dropped++
	var e packet.Packet
	e.Reset(make([]byte, 4096), 512, 512, 0)
	src := p.addr4
	about := clone(&f.p)
	if about.V6() {
		src = p.addr6
	} else {
		about.End = min(about.End, about.L4+8)
	}
	if packet.BuildICMPError(&e, &about, kind, mtu, src) {
		f.from.receive(whole(e), f.ifc)
	}
}

// whole completes checksums and reads a packet as a device would hand it over.
func whole(p packet.Packet) packet.Packet {
	p.CompleteCsum()
	p.Csum = packet.CsumUnknown
	if err := p.Parse(); err != nil {
		panic(err)
	}
	return p
}

// icmp makes an ICMP error about p as a host or router at src sends it.
func icmp(src string, p packet.Packet, kind packet.ErrKind, mtu int) packet.Packet {
	var e packet.Packet
	e.Reset(make([]byte, 4096), 512, 512, 0)
	a, _ := packet.FromAddr(netip.MustParseAddr(src))
	if !packet.BuildICMPError(&e, &p, kind, mtu, a) {
		panic("no such error")
	}
	return whole(e)
}

// wiretap keeps copies of what passes between routers.
type wiretap struct {
	got []flight
}

func tap(s *sim) *wiretap {
	w := &wiretap{}
	s.seen = func(f *flight) { w.got = append(w.got, flight{from: f.from, ifc: f.ifc, hop: f.hop, p: clone(&f.p)}) }
	return w
}

// take returns what passed since the last call.
func (w *wiretap) take() []flight {
	got := w.got
	w.got = nil
	return got
}

// pairOf is a caller behind one router and a called host behind another.
type pairOf struct {
	t             testing.TB
	s             *sim
	near, far     string // routers
	nearIf, farIf string
	out           packet.Tuple
	hops          int // routers on the way
	tos           uint8
	seq, ack      uint32
	caller        *host
	called        *host
}

func newPair(t testing.TB, s *sim, near, far string, proto uint8, src, dst string) *pairOf {
	t.Helper()
	c := &pairOf{t: t, s: s, near: near, far: far, nearIf: "lan", farIf: "lan", hops: 2, seq: 1000, ack: 5000}
	c.out = tuple(proto, src, dst)
	if c.out.Family == 6 && proto == packet.ProtoICMP {
		c.out.Proto = packet.ProtoICMPv6
	}
	c.caller, c.called = s.host(c.out.SrcAddr().String()), s.host(c.out.DstAddr().String())
	return c
}

// make builds the next packet of a direction with data.
func (c *pairOf) make(back bool, data []byte) packet.Packet {
	t, seq, ack := c.out, c.seq, c.ack
	if back {
		t, seq, ack = c.out.Reverse(), c.ack, c.seq
	}
	var p packet.Packet
	switch t.Proto {
	case packet.ProtoTCP:
		p = tcp(t, packet.FlagACK|packet.FlagPSH, seq, ack, data)
	case packet.ProtoUDP:
		p = udp(t, data)
	default:
		p = ping(t, back, data)
	}
	setTOS(&p, c.tos)
	return p
}

// ping makes an echo message with data behind its identifier.
func ping(t packet.Tuple, reply bool, data []byte) packet.Packet {
	var p packet.Packet
	p.Reset(simBuffer(len(data)), simHead, simHead, 0)
	copy(packet.Build(&p, t, 64, 0, len(data)), data)
	types := map[bool]map[uint8]byte{false: {4: 8, 6: 128}, true: {4: 0, 6: 129}}
	p.Buf[p.L4] = types[reply][t.Family]
	p.FinishFull()
	return whole(p)
}

func setTOS(p *packet.Packet, tos uint8) {
	if tos == 0 {
		return
	}
	if p.V6() {
		p.Buf[p.Off] = 0x60 | tos>>4
		p.Buf[p.Off+1] = tos << 4
		return
	}
	p.Buf[p.Off+1] = tos
	p.FinishFull()
	p.Csum = packet.CsumUnknown
}

// send lets one side send p and returns what the other side got of it.
func (c *pairOf) send(back bool, p packet.Packet) []packet.Packet {
	c.s.now += 5e6
	n, ifc, to := c.near, c.nearIf, c.called
	if back {
		n, ifc, to = c.far, c.farIf, c.caller
	}
	had := len(to.got)
	c.s.nodes[n].from(ifc, p)
	return to.got[had:]
}

// data sends bytes in a direction; they must arrive as they were, in one
// packet, with its tuple, DSCP, checksums and a TTL of one less per router.
func (c *pairOf) data(back bool, data []byte) {
	c.t.Helper()
	p := c.make(back, data)
	got := c.send(back, p)
	if len(got) != 1 {
		c.t.Fatalf("%v (back %v): %d packets arrived, want 1\n%s", c.out, back, len(got), c.explain())
	}
	g := &got[0]
	switch want := p.T; {
	case g.T != want:
		c.t.Fatalf("arrived as %v, want %v", g.T, want)
	case !bytes.Equal(g.Payload(), data):
		c.t.Fatalf("payload differs: %d bytes, want %d", len(g.Payload()), len(data))
	case !g.VerifyL4():
		c.t.Fatalf("checksum of %v is wrong", g.T)
	case int(g.TTL()) != 64-c.hops:
		c.t.Fatalf("TTL %d, want %d", g.TTL(), 64-c.hops)
	case g.TOS() != c.tos:
		c.t.Fatalf("TOS %#x, want %#x", g.TOS(), c.tos)
	}
	if c.out.Proto == packet.ProtoTCP {
		if back {
			c.ack += uint32(len(data))
		} else {
			c.seq += uint32(len(data))
		}
	}
}

// open does what a protocol needs before data.
func (c *pairOf) open() {
	c.t.Helper()
	if c.out.Proto != packet.ProtoTCP {
		return
	}
	c.segment(false, tcp(c.out, packet.FlagSYN, c.seq-1, 0, nil))
	c.segment(true, tcp(c.out.Reverse(), packet.FlagSYN|packet.FlagACK, c.ack-1, c.seq, nil))
	c.segment(false, tcp(c.out, packet.FlagACK, c.seq, c.ack, nil))
}

// segment sends a segment without data, which must arrive with its flags.
func (c *pairOf) segment(back bool, p packet.Packet) {
	c.t.Helper()
	setTOS(&p, c.tos)
	got := c.send(back, p)
	if len(got) != 1 || got[0].TCPFlags != p.TCPFlags || got[0].Seq() != p.Seq() || got[0].Ack() != p.Ack() || !got[0].VerifyL4() {
		c.t.Fatalf("segment %v flags %#x did not arrive (%d did)\n%s", p.T, p.TCPFlags, len(got), c.explain())
	}
}

// close ends a TCP connection; every session must be gone soon after.
func (c *pairOf) close() {
	c.t.Helper()
	if c.out.Proto == packet.ProtoTCP {
		c.segment(false, tcp(c.out, packet.FlagACK|packet.FlagFIN, c.seq, c.ack, nil))
		c.segment(true, tcp(c.out.Reverse(), packet.FlagACK|packet.FlagFIN, c.ack, c.seq+1, nil))
		c.segment(false, tcp(c.out, packet.FlagACK, c.seq+1, c.ack+1, nil))
		c.s.advance(12e9)
	} else {
		c.s.advance(200e9)
	}
	for _, n := range c.s.nodes {
		if n.e.Live() != 0 {
			c.t.Errorf("%s still has %d sessions\n%s", n.name, n.e.Live(), n.explain())
		}
	}
}

// talk opens, sends data of several sizes both ways and settles.
func (c *pairOf) talk(rounds int) {
	c.t.Helper()
	c.open()
	for k := range rounds {
		n := []int{33, 1, 600, 16, 15, 1000}[k%6]
		c.data(false, noise(n))
		c.data(true, noise(n+7))
	}
}

func (c *pairOf) explain() string {
	out := ""
	for _, n := range c.s.nodes {
		out += n.explain() + "\n"
	}
	return out
}

// settled says that no router of the sim still sends metadata.
func (c *pairOf) settled() {
	c.t.Helper()
	w := tap(c.s)
	c.data(false, noise(20))
	c.data(true, noise(20))
	for _, f := range w.take() {
		if signalled(&f.p) {
			c.t.Errorf("%s still sends metadata: %v", f.from.name, f.p.T)
		}
	}
}

func protoName(p uint8) string {
	return map[uint8]string{packet.ProtoTCP: "TCP", packet.ProtoUDP: "UDP", packet.ProtoICMP: "echo"}[p]
}

// ends returns caller and called host of a family for a protocol.
func ends(proto uint8, family int, near, far string) (src, dst string) {
	srcPort, dstPort := 40000, 443
	if proto == packet.ProtoICMP {
		srcPort, dstPort = 4660, 4660
	}
	if family == 6 {
		return fmt.Sprintf("[%s]:%d", near, srcPort), fmt.Sprintf("[%s]:%d", far, dstPort)
	}
	return fmt.Sprintf("%s:%d", near, srcPort), fmt.Sprintf("%s:%d", far, dstPort)
}
