package peer

import (
	"net/netip"

	"waymark/svr/path/bfd"
	"waymark/svr/wire"
)

// Ports of BFD neighbours beside ours.
const (
	SingleHop = 3784 // RFC 5881
	MultiHop  = 4784 // RFC 5883
	// SourcePort of packets to those: in the range of RFC 5881 4, and no
	// wayport.
	SourcePort = 65534
)

// NeighborConfig is one bfd-neighbor.
type NeighborConfig struct {
	If        uint16
	Interface string
	Remote    netip.Addr
	Port      uint16 // 1280, 3784 or 4784
	BFD       bfd.Config
	DSCP      uint8
}

// Neighbor is a standard BFD neighbour. It is no peer: nothing is learned from
// it, and it carries no sessions.
type Neighbor struct {
	cfg   NeighborConfig
	m     *bfd.Machine
	alarm alarmClock
	local netip.Addr
	drops [bfd.Drops]uint64
	ups   uint32
	was   wire.BFDState
}

// AddNeighbor makes a neighbour.
func (s *Set) AddNeighbor(cfg NeighborConfig, now int64) *Neighbor {
	n := &Neighbor{cfg: cfg, m: bfd.New(cfg.BFD, now), was: wire.BFDDown}
	n.alarm.at = now
	s.neighbors = append(s.neighbors, n)
	s.queue.add(n)
	return n
}

// SetLocal tells the address that we speak from, zero while there is none.
func (n *Neighbor) SetLocal(s *Set, local netip.Addr, now int64) {
	if local == n.local {
		return
	}
	n.local = local
	if local.IsValid() {
		n.m.Tell(now)
	}
	n.work(s, now)
}

// neighbor finds whom a datagram without metadata of ours is from: both
// addresses and the port are configured (RFC 5883 4.1).
func (s *Set) neighbor(d *Datagram) *Neighbor {
	for _, n := range s.neighbors {
		if n.cfg.If == d.If && n.cfg.Remote == d.From.Addr() && n.cfg.Port == d.To.Port() &&
			(!n.local.IsValid() || n.local == d.To.Addr()) {
			return n
		}
	}
	return nil
}

func (n *Neighbor) receive(s *Set, d *Datagram, now int64) Drop {
	if n.cfg.Port == SingleHop && d.Hops != 255 { // RFC 5881 5
		return DropHops
	}
	if why := n.m.Receive(d.Data, now); why != bfd.DropNone {
		n.drops[why]++
		return DropBFD
	}
	n.work(s, now)
	return None
}

// clock implements item.
func (n *Neighbor) clock() *alarmClock { return &n.alarm }

// wake implements item.
func (n *Neighbor) wake(s *Set, now int64) { n.work(s, now) }

func (n *Neighbor) work(s *Set, now int64) {
	for pkt, ok := n.m.Due(now); ok; pkt, ok = n.m.Due(now) {
		n.transmit(s, &pkt)
	}
	if st := n.m.State(); st != n.was {
		if n.was = st; st == wire.BFDUp {
			n.ups++
		}
	}
	s.queue.set(n, max(n.m.Next(), now+1))
}

func (n *Neighbor) transmit(s *Set, pkt *wire.BFD) {
	b := n.m.Append(s.out[:0], pkt)
	if !n.local.IsValid() || n.local.Is4() != n.cfg.Remote.Is4() {
		return
	}
	port, hops := uint16(SourcePort), uint8(64)
	switch n.cfg.Port {
	case wire.BFDPort:
		port = wire.BFDPort
	case SingleHop:
		hops = 255
	}
	s.sending = Sending{If: n.cfg.If, Local: n.local, Port: port, To: netip.AddrPortFrom(n.cfg.Remote, n.cfg.Port),
		Hops: hops, DSCP: n.cfg.DSCP, Data: b}
	s.cfg.Out.Transmit(&s.sending)
}

// Config returns what the neighbour was made of.
func (n *Neighbor) Config() NeighborConfig { return n.cfg }
