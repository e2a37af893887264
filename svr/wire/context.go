package wire

import (
	"encoding/binary"

	"waymark/svr/packet"
)

// contextType returns the TLV that carries a context of this direction and
// family.
func contextType(forward bool, family uint8) Type {
	switch {
	case forward && family == 6:
		return TypeForwardIPv6
	case forward:
		return TypeForwardIPv4
	case family == 6:
		return TypeReverseIPv6
	}
	return TypeReverseIPv4
}

// parseContext reads 13 (IPv4) or 37 (IPv6) bytes: source, destination, ports,
// protocol.
func parseContext(v []byte, t *packet.Tuple) {
	n := 4
	t.Family = 4
	if len(v) == 37 {
		n, t.Family = 16, 6
	}
	copy(t.Src[:], v[:n])
	copy(t.Dst[:], v[n:2*n])
	v = v[2*n:]
	t.SrcPort = binary.BigEndian.Uint16(v)
	t.DstPort = binary.BigEndian.Uint16(v[2:])
	t.Proto = v[4]
}

func contextSize(family uint8) int {
	if family == 6 {
		return 37
	}
	return 13
}

func appendContext(dst []byte, forward bool, t *packet.Tuple) []byte {
	return appendTuple(appendHead(dst, contextType(forward, t.Family), contextSize(t.Family)), t)
}
