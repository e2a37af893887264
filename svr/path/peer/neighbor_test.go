package peer_test

import (
	"net/netip"
	"slices"
	"testing"

	"waymark/svr/path/bfd"
	"waymark/svr/path/peer"
	"waymark/svr/wire"
)

// street is a Set with neighbours only.
type street struct {
	set  *peer.Set
	sent []peer.Sending
}

func (s *street) Transmit(o *peer.Sending) {
	c := *o
	c.Data = slices.Clone(o.Data)
	s.sent = append(s.sent, c)
}
func (s *street) Changed(*peer.Path)             {}
func (s *street) Requested(*peer.Path, []byte)   {}
func (s *street) Talking(*peer.Path, int64) bool { return false }
func (s *street) Behind(*peer.Path, int64) bool  { return false }
func (s *street) Shedding(*peer.Path, int64)     {}

var (
	boxAddr  = netip.MustParseAddr("10.91.0.1")
	nextDoor = netip.MustParseAddr("10.91.0.2")
)

func newStreet(port uint16) (*street, *peer.Neighbor) {
	s := &street{}
	s.set = peer.NewSet(peer.Config{Router: "box", Out: s})
	n := s.set.AddNeighbor(peer.NeighborConfig{If: 3, Remote: nextDoor, Port: port, DSCP: 48,
		BFD: bfd.Config{Local: 77, DesiredTx: 1e6, RequiredRx: 1e6, Multiplier: 3, Seed: 1}}, sec)
	n.SetLocal(s.set, boxAddr, sec)
	s.set.Advance(sec)
	return s, n
}

// How packets of each port leave and which arrive (RFC 5881 4 and 5, RFC 5883 3
// to 5).
func TestNeighbourTransport(t *testing.T) {
	hello := wire.AppendBFD(nil, &wire.BFD{State: wire.BFDDown, Multiplier: 3, MyDisc: 5, MinTx: 1e6, MinRx: 1e6})
	for _, port := range []uint16{wire.BFDPort, peer.SingleHop, peer.MultiHop} {
		s, _ := newStreet(port)
		o := s.sent[0]
		if o.To != netip.AddrPortFrom(nextDoor, port) || o.Local != boxAddr || o.If != 3 || o.DSCP != 48 {
			t.Errorf("%d: sent %+v", port, o)
		}
		if port != wire.BFDPort && o.Port < 49152 || port == wire.BFDPort && o.Port != wire.BFDPort {
			t.Errorf("%d: source port %d", port, o.Port)
		}
		if (o.Hops == 255) != (port == peer.SingleHop) {
			t.Errorf("%d: hop limit %d", port, o.Hops)
		}
		for _, row := range []struct {
			name string
			d    peer.Datagram
			want peer.Drop
		}{
			{"from elsewhere", peer.Datagram{If: 3, From: netip.MustParseAddrPort("10.91.0.3:49152"), Hops: 255}, peer.DropUnknown},
			{"on another interface", peer.Datagram{If: 4, From: netip.AddrPortFrom(nextDoor, 49152), Hops: 255}, peer.DropUnknown},
			{"over a router", peer.Datagram{If: 3, From: netip.AddrPortFrom(nextDoor, 49152), Hops: 254}, peer.None},
			{"direct", peer.Datagram{If: 3, From: netip.AddrPortFrom(nextDoor, 49152), Hops: 255}, peer.None},
		} {
			s, n := newStreet(port)
			if row.name == "over a router" && port == peer.SingleHop {
				row.want = peer.DropHops
			}
			row.d.To, row.d.Data = netip.AddrPortFrom(boxAddr, port), slices.Clone(hello)
			if got := s.set.Receive(&row.d, 2*sec); got != row.want {
				t.Errorf("%d, %s: got %v, want %v", port, row.name, got, row.want)
			}
			if up := n.Status().State == wire.BFDInit; up != (row.want == peer.None) {
				t.Errorf("%d, %s: state %v", port, row.name, n.Status().State)
			}
		}
	}
}

// A plain packet is no word of a peer.
func TestPlainPacketIsNoPeer(t *testing.T) {
	n := newNetwork(t).up()
	before := n.hub.path.Believed()
	local, remote := n.hub.path.Machine().Discriminators()
	down := wire.AppendBFD(nil, &wire.BFD{State: wire.BFDDown, Multiplier: 3, MyDisc: remote, YourDisc: local, MinTx: 1e6, MinRx: 1e6})
	if got := n.hub.receive(packet{data: down, from: netip.AddrPortFrom(branchAddr, 1280)}); got != peer.DropUnknown {
		t.Errorf("got %v", got)
	}
	if n.hub.path.Believed() != before {
		t.Error("the path changed")
	}
}
