package peer

import (
	"net/netip"

	"waymark/svr/path/ambient"
	"waymark/svr/path/bfd"
	"waymark/svr/path/natlife"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

// MaxDatagram is the longest UDP payload that a Set reads, in bytes.
const MaxDatagram = 9000

// Output is what a Set needs of the world. Its methods must not call the Set.
type Output interface {
	// Transmit sends a datagram. What it points to is good during the call.
	Transmit(s *Sending)
	// Changed tells that a path's verdict, remote address or measurements are
	// other than before.
	Changed(p *Path)
	// Requested hands over a session request of the peer. Its bytes are good
	// during the call.
	Requested(p *Path, request []byte)
	// Talking says whether packets of the peer's sessions came over the path
	// since a time of the clock.
	Talking(p *Path, since int64) bool
	// Behind says whether data that arrives on a path's interface is, or was a
	// moment ago, lost here, or is worked off late.
	Behind(p *Path, now int64) bool
	// Shedding tells that the peer says so of what arrives from here.
	Shedding(p *Path, now int64)
}

// Sending is a datagram on its way out.
type Sending struct {
	If    uint16
	Local netip.Addr
	Port  uint16 // source port
	// Scratch is not 0 for a datagram that leaves by a source port of its own,
	// which it names (1 to natlife.Ports), instead of Port. The port is opened
	// by the first datagram; one without Data closes it.
	Scratch uint8
	To      netip.AddrPort
	Hops    uint8 // TTL or hop limit
	DSCP    uint8
	Whole   bool // must not be fragmented, whatever the path MTU
	Data    []byte
}

// Datagram is one that arrived.
type Datagram struct {
	If   uint16
	To   netip.AddrPort // own address and port
	From netip.AddrPort
	Hops uint8
	Data []byte // overwritten
	Wall int64  // wall clock, ms since 1970
	// At is when it arrived, 0: now. Only round trips, and what the peer is told of how
	// long its packet was held, know the difference.
	At int64
	// Scratch names the port that it arrived at, 0: that of To.
	Scratch uint8
}

// Config is what a Set is made of.
type Config struct {
	Router, Node, Software string
	Out                    Output
	IV                     *secure.IVSource
	Recv                   []*Keys         // by interface; nil: no peers there
	Ledger                 *ambient.Ledger // of what paths cost; nil: nobody counts
}

// Set is all paths and neighbours of a router.
type Set struct {
	cfg       Config
	paths     []*Path // by ID, nil without BFD
	neighbors []*Neighbor
	byDisc    map[uint32]*Path
	byPeer    map[peerKey][]*Path
	queue     schedule
	probing   map[*natlife.Learner]*Path // who works for a learner
	stats     [Drops]uint64

	// scratch of one packet
	frame   wire.Frame
	payload wire.Payload
	message wire.Message
	text    []byte // message of a packet that leaves
	section []byte
	out     []byte
	iv      [16]byte
	sending Sending
}

type peerKey struct {
	ifc    uint16
	router string
}

// NewSet makes an empty set.
func NewSet(cfg Config) *Set {
	return &Set{cfg: cfg, byDisc: map[uint32]*Path{}, probing: map[*natlife.Learner]*Path{}, byPeer: map[peerKey][]*Path{},
		text: make([]byte, 0, wire.MaxMessageLen), section: make([]byte, 0, MaxDatagram),
		out: make([]byte, 0, MaxDatagram)}
}

// Add makes a path. Its discriminator must be unique in the set.
func (s *Set) Add(cfg PathConfig, now int64) *Path {
	p := newPath(cfg, now)
	p.openLedger(s.cfg.Ledger)
	for len(s.paths) <= int(cfg.ID) {
		s.paths = append(s.paths, nil)
	}
	s.paths[cfg.ID] = p
	s.byDisc[cfg.BFD.Local] = p
	k := peerKey{cfg.If, cfg.Peer}
	s.byPeer[k] = append(s.byPeer[k], p)
	p.alarm.at = now
	s.queue.add(p)
	return p
}

// Path returns a path by its ID, nil without BFD.
func (s *Set) Path(id uint16) *Path {
	if int(id) < len(s.paths) {
		return s.paths[id]
	}
	return nil
}

// Neighbors returns the standard neighbours in the order of the configuration.
func (s *Set) Neighbors() []*Neighbor { return s.neighbors }

// Count returns how many datagrams had this end.
func (s *Set) Count(d Drop) uint64 { return s.stats[d] }

// Next returns when Advance must be called, Never without anything to wait for.
func (s *Set) Next() int64 {
	if len(s.queue) == 0 {
		return bfd.Never
	}
	return s.queue[0].clock().at
}

// Shutdown tells every peer and neighbour that we end on purpose.
func (s *Set) Shutdown(now int64) {
	for _, p := range s.paths {
		if p != nil {
			p.m.SetAdminDown(true, now)
			p.work(s, now)
		}
	}
	for _, n := range s.neighbors {
		n.m.SetAdminDown(true, now)
		n.work(s, now)
	}
}

// Advance does what is due.
func (s *Set) Advance(now int64) {
	for len(s.queue) > 0 && s.queue[0].clock().at <= now {
		s.queue[0].wake(s, now)
	}
}

// Receive works in a datagram from one of the BFD ports. What is not taken
// changes nothing that we believe.
func (s *Set) Receive(d *Datagram, now int64) Drop {
	if d.At == 0 || d.At > now {
		d.At = now
	}
	r := s.receive(d, now)
	s.stats[r]++
	return r
}

func (s *Set) receive(d *Datagram, now int64) Drop {
	if len(d.Data) == 1 && d.Data[0] == 0 {
		return Refresh
	}
	if n := s.neighbor(d); n != nil {
		return n.receive(s, d, now)
	}
	if d.To.Port() != wire.BFDPort && d.Scratch == 0 {
		return DropUnknown
	}
	if wire.ParseFrame(d.Data, &s.frame) != nil {
		return DropMalformed
	}
	if d.Scratch != 0 && (s.frame.Form != wire.FormSteady || s.frame.Header.Steady.Flags&wire.FlagAnswer == 0) {
		return DropUnknown
	}
	switch s.frame.Form {
	case wire.FormFull:
		return s.full(d, now)
	case wire.FormSteady:
		return s.steady(d, now)
	}
	return DropUnknown // plain, and no neighbour
}

// keys returns the keys of packets that arrive on an interface.
func (s *Set) keys(ifc uint16) *Keys {
	if int(ifc) < len(s.cfg.Recv) {
		return s.cfg.Recv[ifc]
	}
	return nil
}
