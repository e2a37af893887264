package lane

import (
	"encoding/binary"

	"waymark/svr/packet"
	"waymark/svr/wire"
)

// What may become one super-packet: what a receiver cannot tell from the
// packets that were sent, once the kernel or a device has cut it again.

// mergeable tells whether a packet is plain TCP data or a plain UDP datagram:
// no IP options or extension headers, no TCP flags but ACK, PSH, FIN, and no
// metadata in front of a datagram, which its receiver must see packet by packet.
func mergeable(k *packet.Packet) bool {
	if k.GSO != packet.GSONone || k.End == k.Data {
		return false
	}
	switch k.Kind {
	case packet.KindTCP:
		const allowed = packet.FlagACK | packet.FlagPSH | packet.FlagFIN
		if k.TCPFlags&^allowed != 0 || k.TCPFlags&packet.FlagACK == 0 {
			return false
		}
	case packet.KindUDP: // a zero checksum says that there is none: cutting would add one
		if k.Csum != packet.CsumPartial && k.Buf[k.L4+csumUDP] == 0 && k.Buf[k.L4+csumUDP+1] == 0 {
			return false
		}
		if wire.HasCookie(k.Buf[k.Data:k.End]) {
			return false
		}
	default:
		return false
	}
	if k.V6() {
		return k.L4-k.Off == packet.IPv6Size
	}
	return k.L4-k.Off == packet.IPv4Size
}

// tag tells most flows apart by one comparison.
func tag(k *packet.Packet) uint32 {
	return uint32(k.T.SrcPort)<<16 | uint32(k.T.DstPort) ^ uint32(k.T.Proto)
}

func seq(k *packet.Packet) uint32 { return binary.BigEndian.Uint32(k.Buf[k.L4+4:]) }

// follower is what continues k: a sequence number, or the identification that
// cutting gives to the next datagram of IPv4.
func follower(k *packet.Packet) uint32 {
	switch {
	case k.Kind == packet.KindTCP:
		return seq(k) + uint32(k.End-k.Data)
	case k.V6():
		return 0
	}
	return uint32(k.IPID() + 1)
}

func (f *gatherFlow) size() int { return f.first.End - f.first.Data }

// accepts tells whether k continues the super-packet as GRO would have it: same
// headers but for length, identification, checksums, PSH and FIN.
func (f *gatherFlow) accepts(k *packet.Packet) bool {
	a := &f.first
	n := k.End - k.Data
	if !mergeable(k) || f.count == gatherMost || n > f.size() || f.length+n > gatherLen ||
		k.Data-k.L4 != a.Data-a.L4 || !sameIP(a, k) || !f.continues(k) {
		return false
	}
	if !f.trusted {
		f.trusted = trusted(a)
	}
	return f.trusted && trusted(k)
}

// continues tells whether k comes next. With DF nobody looks at the
// identification of a datagram (RFC 6864).
func (f *gatherFlow) continues(k *packet.Packet) bool {
	if f.sealed {
		return f.grows(k)
	}
	if k.Kind == packet.KindTCP {
		return seq(k) == f.next && sameTCP(&f.first, k)
	}
	return k.V6() || k.DF() || uint32(k.IPID()) == f.next
}

// trusted: merging recomputes checksums, so a wrong one must not be merged.
func trusted(k *packet.Packet) bool { return k.Csum != packet.CsumUnknown || k.VerifyL4() }

func sameIP(a, b *packet.Packet) bool {
	if a.TTL() != b.TTL() || a.TOS() != b.TOS() || a.DF() != b.DF() {
		return false
	}
	return !a.V6() || string(a.Buf[a.Off+1:a.Off+4]) == string(b.Buf[b.Off+1:b.Off+4])
}

// sameTCP compares acknowledgement, window and options.
func sameTCP(a, b *packet.Packet) bool {
	x, y := a.Buf[a.L4:a.Data], b.Buf[b.L4:b.Data]
	return string(x[8:12]) == string(y[8:12]) && string(x[14:16]) == string(y[14:16]) &&
		string(x[20:]) == string(y[20:])
}

// superKind is the sort of super-packet that packets like k make.
func superKind(k *packet.Packet) packet.GSO {
	switch {
	case k.Kind == packet.KindUDP:
		return packet.GSOUDP
	case k.V6():
		return packet.GSOTCP6
	}
	return packet.GSOTCP4
}
