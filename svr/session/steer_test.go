package session_test

import (
	"net/netip"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/session"
)

var lteAddr, fiberAddr = netip.MustParseAddr("100.64.7.9"), netip.MustParseAddr("203.0.113.2")

// steered is an established session of the example and its routers.
type steered struct {
	*pairOf
	branch, hub *node
}

func newSteered(t *testing.T, proto uint8, dst string, replace ...string) *steered {
	s, branch, hub := acmeWith(t, replace...)
	branch.lease("lte", "100.64.7.9/24", "100.64.7.1")
	a, b := ends(proto, 4, "192.168.1.77", dst)
	if proto == packet.ProtoTCP {
		b = dst + ":8443"
	}
	c := &steered{newPair(t, s, "branch1", "hub1", proto, a, b), branch, hub}
	c.farIf = "dc"
	c.talk(3)
	c.settled()
	return c
}

// reroute lets the branch look at its sessions; what it sends stays on its way.
func (c *steered) reroute() {
	c.branch.e.Begin(c.s.now, c.s.unix)
	for next := c.branch.e.Reroute(0, 1); next != 0; next = c.branch.e.Reroute(next, 1) {
	}
}

// only says that data of both directions passes between the routers by one
// address of the branch.
func (c *steered) only(addr netip.Addr) {
	c.t.Helper()
	w := tap(c.s)
	c.data(true, noise(40))
	c.data(false, noise(30))
	c.data(true, noise(50))
	for _, f := range w.take() {
		if f.p.T.SrcAddr() != addr && f.p.T.DstAddr() != addr {
			c.t.Errorf("%v, want %v", f.p.T, addr)
		}
	}
}

// Sessions leave a path that is down and come back to a better one; nothing
// breaks, whatever they carry and whoever speaks first.
func TestSteer(t *testing.T) {
	for _, proto := range protocols {
		for _, dst := range []string{"10.20.0.5", "10.20.0.80"} {
			t.Run(protoName(proto)+" "+dst, func(t *testing.T) {
				c := newSteered(t, proto, dst)
				c.branch.up(c.branch.ifc("fiber"), false)
				c.reroute()
				c.s.run()
				if got := c.branch.count(session.SessionsSteered); got != 1 {
					t.Fatalf("%d sessions steered\n%s", got, c.explain())
				}
				c.only(lteAddr) // the hub speaks first: the move was told without a packet of ours
				c.settled()
				c.branch.up(c.branch.ifc("fiber"), true)
				late := c.make(true, noise(70)) // on its way by lte when the session turns
				had := len(c.caller.got)
				c.hub.receive(late, c.hub.ifc("dc"))
				c.reroute()
				c.s.run()
				if got := len(c.caller.got) - had; got != 1 {
					t.Errorf("%d packets of the old path arrived, want 1", got)
				}
				if proto == packet.ProtoTCP {
					c.ack += 70
				}
				c.only(fiberAddr)
				c.settled()
				c.s.advance(4e9)
				c.only(fiberAddr)
				if got := c.branch.count(session.SessionsSteered); got != 2 {
					t.Errorf("%d moves, want 2", got)
				}
				c.close()
			})
		}
	}
}

// The policy decides: none stays, failover does not come back.
func TestSteerPolicy(t *testing.T) {
	for _, row := range []struct {
		policy      string
		away, after netip.Addr
	}{
		{"none", fiberAddr, fiberAddr}, {"failover", lteAddr, lteAddr}, {"revertible-failover", lteAddr, fiberAddr},
	} {
		c := newSteered(t, packet.ProtoUDP, "10.20.0.5", `"session-resiliency": "revertible-failover"`, `"session-resiliency": "`+row.policy+`"`)
		c.branch.up(c.branch.ifc("fiber"), false)
		c.reroute()
		c.s.run()
		c.only(row.away)
		c.branch.up(c.branch.ifc("fiber"), true)
		c.reroute()
		c.s.run()
		c.only(row.after)
	}
}

// A lost signal is repeated until the peer has followed, also when only the
// peer speaks.
func TestSteerThroughLoss(t *testing.T) {
	c := newSteered(t, packet.ProtoUDP, "10.20.0.5")
	c.branch.up(c.branch.ifc("fiber"), false)
	lost := 0
	c.s.tamper = func(f *flight) []flight {
		if lost < 4 {
			lost++
			return nil
		}
		return []flight{*f}
	}
	c.reroute()
	c.s.run()
	c.s.advance(2e9)
	if lost < 4 {
		t.Fatalf("only %d packets to lose", lost)
	}
	c.only(lteAddr)
	c.settled()
}

// With no other path up, sessions stay and go on when theirs is back.
func TestSteerNowhere(t *testing.T) {
	c := newSteered(t, packet.ProtoTCP, "10.20.0.5")
	c.branch.up(c.branch.ifc("fiber"), false)
	c.branch.up(c.branch.ifc("lte"), false)
	c.reroute()
	c.s.run()
	c.branch.up(c.branch.ifc("fiber"), true)
	c.only(fiberAddr)
	if got := c.branch.count(session.SessionsSteered); got != 0 {
		t.Errorf("%d moves", got)
	}
}
