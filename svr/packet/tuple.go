package packet

import (
	"fmt"
	"net/netip"
)

// IP protocol numbers the data plane knows by name (IANA protocol-numbers).
const (
	ProtoICMP   = 1
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoICMPv6 = 58
)

// Tuple is one direction of a flow. It holds no pointers, so that tables of it
// cost the garbage collector nothing, and it is comparable.
//
// An IPv4 address fills the first four bytes, the rest is zero. Ports are in
// host byte order. For ICMP echo both ports are the identifier.
type Tuple struct {
	Src, Dst         [16]byte
	SrcPort, DstPort uint16
	Proto            uint8
	Family           uint8 // 4 or 6
}

// MakeTuple builds a tuple; both addresses must be of one family (an
// IPv4-mapped IPv6 address counts as IPv4).
func MakeTuple(src, dst netip.AddrPort, proto uint8) Tuple {
	t := Tuple{SrcPort: src.Port(), DstPort: dst.Port(), Proto: proto}
	t.Src, t.Family = FromAddr(src.Addr())
	t.Dst, _ = FromAddr(dst.Addr())
	return t
}

// FromAddr returns the bytes of a as a Tuple holds them, and its family.
func FromAddr(a netip.Addr) (b [16]byte, family uint8) {
	a = a.Unmap()
	if a.Is4() {
		v4 := a.As4()
		copy(b[:], v4[:])
		return b, 4
	}
	return a.As16(), 6
}

// ToAddr is the reverse of FromAddr.
func ToAddr(b [16]byte, family uint8) netip.Addr {
	if family == 4 {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16(b)
}

// SrcAddr returns the source address.
func (t Tuple) SrcAddr() netip.Addr { return ToAddr(t.Src, t.Family) }

// DstAddr returns the destination address.
func (t Tuple) DstAddr() netip.Addr { return ToAddr(t.Dst, t.Family) }

// Reverse returns the tuple of the answers to t.
func (t Tuple) Reverse() Tuple {
	t.Src, t.Dst = t.Dst, t.Src
	t.SrcPort, t.DstPort = t.DstPort, t.SrcPort
	return t
}

// String prints "proto src:port>dst:port".
func (t Tuple) String() string {
	return fmt.Sprintf("%d %s>%s", t.Proto,
		netip.AddrPortFrom(t.SrcAddr(), t.SrcPort), netip.AddrPortFrom(t.DstAddr(), t.DstPort))
}
