package l2

import (
	"encoding/binary"
	"errors"
)

// ICMPv6 types of neighbour discovery.
const (
	NDSolicit   = 135
	NDAdvertise = 136
)

// Flags of a neighbour advertisement.
const (
	NDRouter    = 0x80
	NDSolicited = 0x40
	NDOverride  = 0x20
)

const (
	ip6Len       = 40
	protoICMPv6  = 58
	optSourceMAC = 1
	optTargetMAC = 2
)

// ErrND: not a valid neighbour solicitation or advertisement (RFC 4861 7.1).
var ErrND = errors.New("neighbour discovery message malformed")

// AllNodes is the link-local all-nodes address ff02::1.
var AllNodes = [16]byte{0xff, 0x02, 15: 1}

// ND is a neighbour solicitation or advertisement.
type ND struct {
	Type     uint8 // NDSolicit or NDAdvertise
	Flags    uint8 // of an advertisement
	Src, Dst [16]byte
	Target   [16]byte
	Link     MAC // source or target link-layer address option
	HasLink  bool
}

// IsND tells whether an IPv6 packet is a neighbour solicitation or
// advertisement without looking closer.
func IsND(b []byte) bool {
	return len(b) >= ip6Len+24 && b[6] == protoICMPv6 && (b[ip6Len] == NDSolicit || b[ip6Len] == NDAdvertise)
}

// ParseND reads a whole IPv6 packet and checks what RFC 4861 7.1 demands.
func ParseND(b []byte) (n ND, err error) {
	if !IsND(b) || b[0]>>4 != 6 || b[7] != 255 {
		return n, ErrND
	}
	end := ip6Len + int(binary.BigEndian.Uint16(b[4:]))
	if end > len(b) || end < ip6Len+24 {
		return n, ErrND
	}
	copy(n.Src[:], b[8:])
	copy(n.Dst[:], b[24:])
	m := b[ip6Len:end]
	if m[1] != 0 || sum6(n.Src, n.Dst, m) != 0xffff {
		return n, ErrND
	}
	n.Type, n.Flags = m[0], m[4]
	copy(n.Target[:], m[8:])
	if n.Target[0] == 0xff || !n.options(m[24:]) {
		return n, ErrND
	}
	return n, n.check()
}

// options reads the link-layer address option that belongs to the type.
func (n *ND) options(b []byte) bool {
	want := byte(optSourceMAC)
	if n.Type == NDAdvertise {
		want = optTargetMAC
	}
	for len(b) > 0 {
		if len(b) < 8 || b[1] == 0 || int(b[1])*8 > len(b) {
			return false
		}
		if b[0] == want && b[1] == 1 {
			copy(n.Link[:], b[2:8])
			n.HasLink = true
		}
		b = b[int(b[1])*8:]
	}
	return !n.HasLink || unicast(n.Link)
}

// check refuses the combinations that RFC 4861 7.1.1 and 7.1.2 forbid.
func (n *ND) check() error {
	unspecified := n.Src == [16]byte{}
	if n.Type == NDSolicit && unspecified && (n.HasLink || n.Dst != SolicitedNode(n.Target)) {
		return ErrND
	}
	if n.Type == NDAdvertise && (unspecified || n.Dst[0] == 0xff && n.Flags&NDSolicited != 0) {
		return ErrND
	}
	return nil
}

// AppendND appends the message as a whole IPv6 packet with its checksum.
func AppendND(b []byte, n ND) []byte {
	size := 24
	if n.HasLink {
		size += 8
	}
	b = append(b, 0x60, 0, 0, 0, 0, byte(size), protoICMPv6, 255)
	b = append(b, n.Src[:]...)
	b = append(b, n.Dst[:]...)
	at := len(b)
	b = append(b, n.Type, 0, 0, 0, n.Flags, 0, 0, 0)
	b = append(b, n.Target[:]...)
	if n.HasLink {
		option := byte(optSourceMAC)
		if n.Type == NDAdvertise {
			option = optTargetMAC
		}
		b = append(b, option, 1)
		b = append(b, n.Link[:]...)
	}
	binary.BigEndian.PutUint16(b[at+2:], ^sum6(n.Src, n.Dst, b[at:]))
	return b
}

// SolicitedNode returns the solicited-node multicast address of a (RFC 4291
// 2.7.1).
func SolicitedNode(a [16]byte) [16]byte {
	return [16]byte{0xff, 0x02, 11: 1, 12: 0xff, 13: a[13], 14: a[14], 15: a[15]}
}

// sum6 is the folded sum over the ICMPv6 pseudo-header and the message:
// 0xffff when the message carries a right checksum.
func sum6(src, dst [16]byte, m []byte) uint16 {
	s := uint32(len(m)) + protoICMPv6
	s = add(s, src[:])
	s = add(s, dst[:])
	return fold(add(s, m))
}

func add(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
		s = s&0xffff + s>>16
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	s = s&0xffff + s>>16
	return uint16(s + s>>16)
}
