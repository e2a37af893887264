package session_test

import (
	"net/netip"
	"slices"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/pool"
	"waymark/svr/router"
)

// forwardOnly looks whether the kernel may forward just the direction in which
// the node's only session began.
func (n *node) forwardOnly(t *testing.T, when string, client packet.Tuple) {
	t.Helper()
	n.parts.Table.ForEach(func(slot uint32) bool {
		k, a, _ := n.parts.Table.Read(slot)
		forward := k.Tuple == client || a.To == client
		if got := a.Flags&pool.FlagFast != 0; got != forward {
			t.Errorf("%s: %s: %v to %v is the kernel's: %t", when, n.name, k.Tuple, a.To, got)
		}
		return true
	})
}

// fromPeers looks whether the directions that come from the peer say so: those whose
// packets no host has sent.
func (n *node) fromPeers(t *testing.T, hosts ...netip.Addr) {
	t.Helper()
	n.parts.Table.ForEach(func(slot uint32) bool {
		k, a, _ := n.parts.Table.Read(slot)
		want := !slices.Contains(hosts, k.Tuple.SrcAddr())
		if got := a.Flags&pool.FlagPeer != 0; got != want {
			t.Errorf("%s: %v to %v is from a peer: %t", n.name, k.Tuple, a.To, got)
		}
		return true
	})
}

// A flow that is never answered does not stay in Go for that: the direction that
// there is goes the short way once the peer's control message ended its
// metadata. With the first answer the other one does, too.
func TestFastOneWayFlow(t *testing.T) {
	s := newSim(t)
	a := parseConfig(t, "testdata/acme.json")
	prof := router.Profile{Name: "sim", Sessions: 64, Slots: 256, Wayports: 256, Mappings: 64, Hops: 16}
	nodes := []*node{s.bootWith(a, "hub1", prof, router.Options{Fast: true}), s.bootWith(a, "branch1", prof, router.Options{Fast: true})}
	d := newDialog(s, "branch1", packet.ProtoUDP, "192.168.1.10:40000", "10.20.0.5:53")
	say := func() { d.check(t, d.call, d.out, func(b []byte) { d.forth(udp(d.out, b)) }) }
	say()
	for _, n := range nodes {
		n.inKernel(t, "first packet", false)
	}
	s.advance(300e6) // the hub's control message
	say()
	s.advance(1e6)
	for _, n := range nodes {
		n.forwardOnly(t, "one way", d.out)
	}
	say()
	d.speak(t)
	d.speak(t)
	for _, n := range nodes {
		n.inKernel(t, "both ways", true)
		n.fromPeers(t, d.out.SrcAddr(), d.out.DstAddr())
	}
}
