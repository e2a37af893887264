package dhcpd

import (
	"encoding/binary"
	"net/netip"
	"time"

	"waymark/net/frame"
)

// Config is what a server gives, on one interface.
type Config struct {
	MAC      frame.MAC // of the interface
	Pools    []Pool
	MaxLease time.Duration // longest lease, and what hosts get that ask for none
}

// Pool is a range of addresses of one subnet and what hosts are told with them.
type Pool struct {
	Server     netip.Prefix // our address in the subnet, with its prefix length
	Start, End netip.Addr   // both included
	Static     map[frame.MAC]netip.Addr
	Options    map[uint8][]byte // besides those that the protocol itself needs
}

// last of the options that a host without option 57 must be able to take:
// 576 bytes of IP packet.
const leastMax = 576

// MinLease is the shortest lease that is given.
const MinLease = 2 * time.Minute

func (p *Pool) contains(a netip.Addr) bool { return !a.Less(p.Start) && !p.End.Less(a) }

func (p *Pool) size() int { return int(number(p.End)-number(p.Start)) + 1 }

// nth is the pool's address number i.
func (p *Pool) nth(i int) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, number(p.Start)+uint32(i))))
}

func number(a netip.Addr) uint32 { b := a.As4(); return binary.BigEndian.Uint32(b[:]) }

// mayGive tells whether an address of the range can be given to anybody: it is
// not ours, not the first or last of the subnet, and no host's own.
func (s *Server) mayGive(p *Pool, a netip.Addr) bool {
	if a == p.Server.Addr() || s.fixed[a] {
		return false
	}
	if bits := p.Server.Bits(); bits < 31 {
		host := number(a) & (1<<(32-bits) - 1)
		return host != 0 && host != 1<<(32-bits)-1
	}
	return true
}

// onSubnet returns the pools of the subnet that an address lies in.
func (s *Server) onSubnet(a netip.Addr) (list []*Pool) {
	for i := range s.cfg.Pools {
		if p := &s.cfg.Pools[i]; p.Server.Masked().Contains(a) {
			list = append(list, p)
		}
	}
	return list
}

// poolOf returns the pool that gives an address, static ones included.
func (s *Server) poolOf(a netip.Addr) *Pool {
	for i := range s.cfg.Pools {
		p := &s.cfg.Pools[i]
		if p.contains(a) {
			return p
		}
		for _, fixed := range p.Static {
			if fixed == a {
				return p
			}
		}
	}
	return nil
}
