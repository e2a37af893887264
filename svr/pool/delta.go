package pool

import (
	"encoding/binary"

	"waymark/svr/packet"
)

// deltas returns what a rewrite adds to one's complement sums, in memory byte
// order (RFC 1624, equation 3): new field = ^fold(^old field + delta).
//
//   - addr: the addresses alone. IPv4 to IPv4: for the header checksum. Any
//     family: for a partial L4 checksum, which holds the pseudo-header only.
//   - l4: for a complete L4 checksum: addresses and ports; ICMP has no pseudo
//     header, so there the identifier alone; 0 when the protocol changes.
func deltas(k *Key, a *Action) (addr, l4 uint16) {
	d := delta(&k.Tuple, &a.To)
	addr = fold(d)
	switch {
	case k.Proto != a.To.Proto:
		return addr, 0
	case k.Proto == packet.ProtoICMP:
		d = 0
	}
	d += uint32(^portBits(k.SrcPort)) + uint32(portBits(a.To.SrcPort))
	if k.Proto != packet.ProtoICMP && k.Proto != packet.ProtoICMPv6 {
		d += uint32(^portBits(k.DstPort)) + uint32(portBits(a.To.DstPort))
	}
	return addr, fold(d)
}

// delta sums the addresses of to less those of from, unfolded.
func delta(from, to *packet.Tuple) (d uint32) {
	for i := 0; i < addrLen(from); i += 2 {
		d += uint32(^binary.NativeEndian.Uint16(from.Src[i:])) + uint32(^binary.NativeEndian.Uint16(from.Dst[i:]))
	}
	for i := 0; i < addrLen(to); i += 2 {
		d += uint32(binary.NativeEndian.Uint16(to.Src[i:])) + uint32(binary.NativeEndian.Uint16(to.Dst[i:]))
	}
	return d
}

func addrLen(t *packet.Tuple) int {
	if t.Family == 6 {
		return 16
	}
	return 4
}

// portBits is a port as the machine loads it from a packet.
func portBits(p uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], p)
	return binary.NativeEndian.Uint16(b[:])
}

// fold brings a sum to 16 bits with end-around carry.
func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s&0xffff)
}
