package pool

// NAT maps inner endpoints to ports of a WAN address.
type NAT struct{}

// NATConfig sizes a NAT.
type NATConfig struct {
	Mappings int      // mappings at once, live and resting
	Pools    int      // (WAN, protocol) combinations; 0: 64
	Seed     [32]byte // of the port choice
}

// NATStats is a snapshot.
type NATStats struct {
	InUse, Resting, Capacity, Highest int
	Refused, Shared                   uint64
}

// NewNAT makes the table.
func NewNAT(cfg NATConfig) *NAT { return &NAT{} }

// Acquire returns the external port for an inner endpoint.
func (n *NAT) Acquire(now int64, wanIf uint16, proto uint8, src [16]byte, port uint16, conflict func(port uint16) bool) (ext uint16, err error) {
	return 0, nil
}

// Release gives one reference back.
func (n *NAT) Release(now int64, wanIf uint16, proto uint8, src [16]byte, port uint16) bool {
	return false
}

// LookupExternal finds the inner endpoint behind an external port.
func (n *NAT) LookupExternal(wanIf uint16, proto uint8, ext uint16) (src [16]byte, port uint16, ok bool) {
	return
}

// Advance tells the time.
func (n *NAT) Advance(now int64) {}

// Stats returns a snapshot.
func (n *NAT) Stats() NATStats { return NATStats{} }
