package peer

import (
	"net/netip"

	"waymark/svr/wire"
)

// SetRemote tells where an address book says that the peer of a path is; the
// zero address: it has none now.
func (s *Set) SetRemote(id uint16, remote netip.Addr, now int64) {
	p := s.Path(id)
	if p == nil {
		return
	}
	to := netip.AddrPort{}
	if remote.IsValid() {
		to = netip.AddrPortFrom(remote, wire.BFDPort)
	}
	if p.ends.Name(to, now) {
		p.out.full = fullRepeats // who is there may not know us yet
	}
	if remote.IsValid() {
		p.m.Activate(now)
		p.m.Tell(now)
	}
	p.work(s, now)
}
