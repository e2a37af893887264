package peer

import (
	"net/netip"

	"waymark/svr/path/bfd"
	"waymark/svr/path/endpoint"
	"waymark/svr/wire"
)

// ID returns the path's number in the policy.
func (p *Path) ID() uint16 { return p.cfg.ID }

// Verdict returns what sessions are told, and since when.
func (p *Path) Verdict() (v Verdict, since int64) { return p.hold.verdict, p.hold.since }

// Remote returns where the peer is reached now: its best endpoint.
func (p *Path) Remote() (netip.AddrPort, bool) { return p.ends.Best() }

// NATChanges returns how often the peer began to see us elsewhere.
func (p *Path) NATChanges() uint32 { return p.natChanges }

// RTT returns the smoothed and the smallest round trip in ns, 0 before the
// first.
func (p *Path) RTT() (smooth, least int64) { return p.rtt.smooth, p.rtt.least }

// Hops returns how many routers the peer's newest packet met, 0 before the first.
func (p *Path) Hops() int {
	if p.in.hops == 0 || p.in.hops > hopLimit {
		return 0
	}
	return hopLimit - int(p.in.hops)
}

// ClockOffset returns how far the peer's wall clock is ahead of ours in ms.
func (p *Path) ClockOffset() (ms int64, known bool) { return p.clocks.offset, p.clocks.known }

// Machine returns the BFD machine, to read only.
func (p *Path) Machine() *bfd.Machine { return p.m }

// Status is a path or a neighbour as show prints it.
type Status struct {
	ID, If             uint16 // ID of a path; of no use for a neighbour
	Neighbor           bool
	Verdict            Verdict
	State, RemoteState wire.BFDState
	Local              netip.Addr
	Remote             netip.AddrPort
	Diag, RemoteDiag   uint8
	Disc, RemoteDisc   uint32
	Tx, Detection      int64 // ns, Detection 0: none
	Multiplier         uint8 // the peer's
	Ups, Downs         uint32
	Flaps              uint32
	HoldDown           int64 // ns that the next flap costs
	Known              bool  // the peer's epoch is known
	NAT                netip.AddrPort
	NATChanges         uint32
	Packets, Bytes     uint64 // sent
	Demand             bool   // both ends are silent until there is something to ask
	// Lifetime is how long a NAT is known to remember, KeepAlive how often it is
	// refreshed, both in ns, 0: not by us.
	Lifetime, KeepAlive int64
	Endpoints           int
	Counts              endpoint.Counts
}

// Status returns what show prints of a path.
func (p *Path) Status() Status {
	s := machineStatus(p.m)
	s.ID, s.If, s.Verdict, s.Local = p.cfg.ID, p.cfg.If, p.hold.verdict, p.local
	s.Remote, _ = p.ends.Best()
	s.Ups, s.Downs, s.Flaps, s.HoldDown, s.Known = p.ups, p.downs, p.hold.flaps, p.hold.time, p.in.known
	s.NAT, s.NATChanges = p.natAddr, p.natChanges
	s.Packets, s.Bytes = p.out.packets, p.out.bytes
	s.Demand = p.thrift.active
	if p.cfg.NAT != nil {
		s.Lifetime, s.KeepAlive = p.cfg.NAT.Known().Best, p.cfg.NAT.Interval()
	}
	var list [endpoint.Entries]endpoint.Entry
	s.Endpoints, s.Counts = len(p.ends.List(list[:0])), p.ends.Counts()
	return s
}

// Status returns what show prints of a neighbour.
func (n *Neighbor) Status() Status {
	s := machineStatus(n.m)
	s.Neighbor, s.If, s.Local, s.Ups = true, n.cfg.If, n.local, n.ups
	s.Remote = netip.AddrPortFrom(n.cfg.Remote, n.cfg.Port)
	return s
}

func machineStatus(m *bfd.Machine) (s Status) {
	s.State, s.RemoteState, s.Multiplier = m.State(), m.RemoteState(), m.Multiplier()
	s.Diag, s.RemoteDiag = m.Diag()
	s.Disc, s.RemoteDisc = m.Discriminators()
	s.Tx, s.Detection = m.Intervals()
	return s
}
