package pool

// Range is an inclusive range of ports.
type Range struct{ First, Last uint16 }

// PathwayConfig describes the wayports between a local and a peer waypoint.
type PathwayConfig struct {
	Local []Range // we take the even ports; none: 16385-65533
	Peer  []Range // the peer is given the odd ports; none: 16385-65532 (protocol.md 7)
	Max   int     // live pairs at once (max-way-points); 0: 50,000
}

// PathwayStats is what `show waypoints` prints.
type PathwayStats struct {
	InUse, Resting, Free, Highest int
	Refused                       uint64
}

// Wayports allocates port pairs.
type Wayports struct{}

// NewWayports makes an arena of nodes.
func NewWayports(nodes int, key [16]byte) *Wayports { return &Wayports{} }

// Add makes a pathway.
func (w *Wayports) Add(cfg PathwayConfig) (id uint16, err error) { return 0, nil }

// Alloc takes a pair.
func (w *Wayports) Alloc(id uint16, now int64) (local, peer uint16, err error) { return 0, 0, nil }

// Claim takes a given pair.
func (w *Wayports) Claim(id, local, peer uint16, now int64) bool { return false }

// Free gives a pair back.
func (w *Wayports) Free(id, local, peer uint16, lastPacket, now int64, closedTCP bool) bool {
	return false
}

// Advance tells the time.
func (w *Wayports) Advance(now int64) {}

// Stats returns the figures of a pathway.
func (w *Wayports) Stats(id uint16) PathwayStats { return PathwayStats{} }
