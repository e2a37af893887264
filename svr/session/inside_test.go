package session_test

import (
	"net/netip"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/session"
)

// natted is the example with the branch's LTE port behind a NAT that gives every
// flow a port of its own, endpoint-dependent: who was not spoken to first does
// not get in.
type natted struct {
	t           testing.TB
	s           *sim
	branch, hub *node
	outside     netip.Addr
	out         map[packet.Tuple]uint16 // flow from inside to its port outside
	in          map[packet.Tuple]packet.Tuple
	next        uint16
	shut        int // packets from outside that found no flow
}

func newNATted(t testing.TB, replace ...string) *natted {
	s, branch, hub := acmeWith(t, replace...)
	branch.lease("lte", "100.64.7.9/24", "100.64.7.1")
	n := &natted{t: t, s: s, branch: branch, hub: hub, outside: netip.MustParseAddr("198.18.0.2")}
	n.rebind()
	s.underlay = n.pass
	for _, r := range []*node{branch, hub} {
		for i := range r.tables.Paths {
			if p := &r.tables.Paths[i]; !p.OutboundOnly && !p.PeerOutbound {
				r.parts.Carrier.SetEnabled(uint16(i), false) // fiber is down
			}
		}
	}
	n.seen()
	return n
}

// lte is the hub's path to the branch behind the NAT.
func (n *natted) lte() policy.PathID {
	for i := range n.hub.tables.Paths {
		if n.hub.tables.Paths[i].PeerOutbound {
			return policy.PathID(i)
		}
	}
	n.t.Fatal("the hub has no path to a peer behind a NAT")
	return 0
}

// fiber switches the path without NAT.
func (n *natted) fiber(up bool) {
	for _, r := range []*node{n.branch, n.hub} {
		for i := range r.tables.Paths {
			if p := &r.tables.Paths[i]; !p.OutboundOnly && !p.PeerOutbound {
				r.parts.Carrier.SetEnabled(uint16(i), up)
			}
		}
	}
}

// reroute lets both routers look at their sessions.
func (n *natted) reroute() {
	for _, r := range []*node{n.branch, n.hub} {
		r.e.Begin(n.s.now, n.s.unix)
		for next := r.e.Reroute(0, 100); next != 0; next = r.e.Reroute(next, 100) {
		}
	}
	n.s.run()
}

// seen tells both sides what BFD tells them.
func (n *natted) seen() {
	n.hub.parts.Carrier.SetRemote(uint16(n.lte()), n.outside)
	n.hub.e.PathSeen(n.lte(), n.outside)
	for i := range n.branch.tables.Paths {
		if n.branch.tables.Paths[i].OutboundOnly {
			n.branch.e.Renew(policy.PathID(i))
		}
	}
}

// rebind lets the NAT forget everything.
func (n *natted) rebind() {
	n.out, n.in = map[packet.Tuple]uint16{}, map[packet.Tuple]packet.Tuple{}
	n.next += 10000
}

// pass is the underlay.
func (n *natted) pass(f *flight) bool {
	t := f.p.T
	switch {
	case f.from == n.branch && n.branch.leases[t.SrcAddr()] != 0:
		port, ok := n.out[t]
		if !ok {
			n.next++
			port = n.next
			n.out[t] = port
		}
		src, _ := packet.FromAddr(n.outside)
		to := t
		to.Src, to.SrcPort = src, port
		n.in[to.Reverse()] = t.Reverse()
		f.p.Rewrite(to)
	case t.DstAddr() == n.outside:
		inner, ok := n.in[t]
		if !ok {
			n.shut++
			return false
		}
		f.p.Rewrite(inner)
	default:
		return true
	}
	f.p = whole(f.p)
	return true
}

// call is a session that a host behind the hub opens to one behind the branch.
func (n *natted) call(proto uint8) *pairOf {
	a, b := ends(proto, 4, "10.20.0.5", "192.168.1.77")
	c := newPair(n.t, n.s, "hub1", "branch1", proto, a, b)
	c.nearIf = "dc"
	return c
}

// The hub opens sessions towards a branch behind a NAT: the first packets wait
// for the branch to open the flow, whatever they carry.
func TestInsideOut(t *testing.T) {
	for _, prot := range []struct {
		name    string
		replace []string
	}{
		{"clear", nil},
		{"CBC", []string{lanSecurity + `"clear"`, lanSecurity + `"payload-cbc"`}},
		{"GCM", append([]string{lanSecurity + `"clear"`, lanSecurity + `"payload-cbc"`}, protections[2].replace...)},
		{"native TCP", []string{`"udp-transform": {"mode": "always-transform"}`, `"udp-transform": {"mode": "auto-detect"}`}},
	} {
		for _, proto := range protocols {
			t.Run(prot.name+" "+protoName(proto), func(t *testing.T) {
				n := newNATted(t, prot.replace...)
				c := n.call(proto)
				c.talk(3)
				c.settled()
				if n.hub.asked != 1 || n.branch.count(session.ReceivedRequest) != 1 {
					t.Errorf("%d requests\n%s", n.hub.asked, c.explain())
				}
				c.close()
				for _, r := range []*node{n.branch, n.hub} {
					for i, id := range r.parts.Pathway {
						if w := r.parts.Wayports.Stats(id); w.InUse != 0 {
							t.Errorf("%s: %d pairs of path %d in use", r.name, w.InUse, i)
						}
					}
				}
			})
		}
	}
}

// lanSecurity stands before the security of the service behind the branch.
const lanSecurity = "\"address\": [\"192.168.1.0/24\"],\n       \"security\": "

// A request that is lost is repeated; several packets wait; without an answer
// they are given up within a second.
func TestInsideOutThroughLoss(t *testing.T) {
	n := newNATted(t)
	n.hub.mute = true
	c := n.call(packet.ProtoUDP)
	for k := range 3 {
		if got := c.send(false, c.make(false, noise(10+k))); len(got) != 0 {
			t.Fatalf("%d packets arrived without a request", len(got))
		}
	}
	n.s.advance(300e6)
	n.hub.mute = false
	n.s.advance(200e6)
	if got := len(c.called.got); got != 3 {
		t.Errorf("%d of 3 packets that waited arrived\n%s", got, c.explain())
	}
	c.data(true, noise(20))
	c.settled()

	n = newNATted(t)
	n.hub.mute = true
	c = n.call(packet.ProtoUDP)
	c.send(false, c.make(false, noise(10)))
	n.s.advance(1200e6)
	if n.hub.asked != 3 || n.hub.count(session.HandshakeTimeout) != 1 {
		t.Errorf("%d requests, want 3\n%s", n.hub.asked, n.hub.explain())
	}
	n.hub.mute = false
	c.data(false, noise(12)) // the next packet begins anew
}

// The NAT gives other ports, and another address: sessions of both directions go
// on with the next packet of either side.
func TestRebind(t *testing.T) {
	for _, proto := range protocols {
		for _, first := range []bool{false, true} { // who speaks first afterwards
			n := newNATted(t)
			c, d := n.call(proto), newPair(t, n.s, "branch1", "hub1", proto, "192.168.1.78:5000", "10.20.0.5:6000")
			if proto == packet.ProtoICMP {
				d = newPair(t, n.s, "branch1", "hub1", proto, "192.168.1.78:6000", "10.20.0.5:6000")
			}
			d.farIf = "dc"
			for _, x := range []*pairOf{c, d} {
				x.talk(2)
				x.settled()
			}
			for _, outside := range []string{"198.18.0.2", "198.18.0.77"} {
				n.outside = netip.MustParseAddr(outside)
				n.rebind()
				n.seen()
				for _, x := range []*pairOf{c, d} {
					x.send(first, x.make(first, noise(30)))   // may be what tells the peer
					x.send(!first, x.make(!first, noise(30))) // may be lost, as the NAT is shut
					n.s.advance(400e6)
					x.send(first, x.make(first, noise(30)))
					n.s.advance(400e6)
					x.data(first, noise(31))
					x.data(!first, noise(32))
					x.settled()
				}
			}
			for _, x := range []*pairOf{c, d} {
				x.s.advance(100e6)
			}
		}
	}
}

// Sessions of the hub leave fiber for the path behind the NAT and come back.
func TestInsideOutFailover(t *testing.T) {
	for _, proto := range protocols {
		n := newNATted(t)
		n.fiber(true)
		c := n.call(proto)
		c.talk(2)
		c.settled()
		if n.hub.asked != 0 {
			t.Fatal("asked although the branch can be reached")
		}
		n.fiber(false)
		n.reroute()
		n.s.advance(300e6)
		if n.hub.asked == 0 || n.hub.count(session.SessionsSteered) != 1 {
			t.Fatalf("%s: %d requests\n%s", protoName(proto), n.hub.asked, c.explain())
		}
		w := tap(n.s)
		c.data(false, noise(40))
		c.data(true, noise(40))
		for _, f := range w.take() {
			if f.from == n.hub && f.p.T.DstAddr() != lteAddr {
				t.Errorf("%v after the move", f.p.T)
			}
		}
		c.settled()
		n.fiber(true)
		n.reroute()
		c.data(false, noise(50))
		c.data(true, noise(50))
		c.settled()
		n.s.advance(4e9)
		c.close()
	}
}

// Reverse metadata on an odd port that nobody asked for, or from an address that
// BFD has not proven, moves and makes nothing.
func TestInsideOutIsBound(t *testing.T) {
	n := newNATted(t)
	c := n.call(packet.ProtoUDP)
	var answer *flight
	n.s.tamper = func(f *flight) []flight {
		if f.from == n.branch && answer == nil && signalled(&f.p) {
			answer = &flight{from: f.from, ifc: f.ifc, p: clone(&f.p)}
			return nil
		}
		return []flight{*f}
	}
	c.send(false, c.make(false, noise(20)))
	if answer == nil {
		t.Fatal("no answer to a request")
	}
	from := func(src string) packet.Packet {
		p := clone(&answer.p)
		to := p.T
		to.Src, _ = packet.FromAddr(netip.MustParseAddr(src))
		p.Rewrite(to)
		return whole(p)
	}
	n.hub.receive(from("198.18.0.66"), n.hub.ifc("wan")) // not proven
	n.s.run()
	if n.hub.e.Live() != 0 || n.hub.count(session.DropUnbound) != 1 {
		t.Errorf("an answer from elsewhere was believed\n%s", n.hub.explain())
	}
	n.hub.receive(from("198.18.0.2"), n.hub.ifc("wan"))
	n.s.run()
	if n.hub.e.Live() != 1 || len(c.called.got) != 1 {
		t.Fatalf("the answer was not taken\n%s", c.explain())
	}
	c.data(true, noise(10))
	c.settled()
	late := from("198.18.0.2")
	to := late.T
	to.SrcPort++
	late.Rewrite(to)
	n.hub.receive(whole(late), n.hub.ifc("wan")) // a copy from another port: nobody asked for that
	n.s.run()
	n.s.advance(300e6)
	c.data(false, noise(11))
	c.data(true, noise(12))
	if n.hub.count(session.SessionsSteered) != 0 {
		t.Errorf("a copied answer moved the session\n%s", n.hub.explain())
	}
}

// The branch's lease changes: its sessions, opened by either side, get the new
// address and none ends.
func TestLeaseChanges(t *testing.T) {
	for _, proto := range protocols {
		n := newNATted(t)
		c, d := n.call(proto), newPair(t, n.s, "branch1", "hub1", proto, "192.168.1.78:6000", "10.20.0.5:6000")
		d.farIf = "dc"
		for _, x := range []*pairOf{c, d} {
			x.talk(2)
			x.settled()
		}
		clear(n.branch.leases)
		n.branch.lease("lte", "100.64.7.10/24", "100.64.7.1")
		n.rebind()
		n.reroute()
		n.seen()
		n.s.advance(500e6)
		for _, x := range []*pairOf{c, d} {
			x.data(true, noise(30))
			x.data(false, noise(31))
			n.s.advance(400e6)
			x.settled()
			x.close1()
		}
	}
}

// close1 ends a TCP connection and leaves the clock alone.
func (c *pairOf) close1() {
	if c.out.Proto == packet.ProtoTCP {
		c.segment(false, tcp(c.out, packet.FlagACK|packet.FlagFIN, c.seq, c.ack, nil))
		c.segment(true, tcp(c.out.Reverse(), packet.FlagACK|packet.FlagFIN, c.ack, c.seq+1, nil))
	}
}

// What we say to ask costs no memory once packets have waited.
func TestAskingAllocates(t *testing.T) {
	n := newNATted(t)
	n.hub.mute = true
	c := n.call(packet.ProtoUDP)
	p := c.make(false, noise(10))
	n.hub.receive(p, n.hub.ifc("dc"))
	again := shrink(p)
	again.If = n.hub.ifc("dc")
	q := new(packet.Packet)
	if got := testing.AllocsPerRun(100, func() {
		n.hub.e.Begin(n.s.now, n.s.unix)
		*q = again
		n.hub.e.Receive(q)
	}); got != 0 {
		t.Errorf("%v allocations for a packet that waits, want 0", got)
	}
}
