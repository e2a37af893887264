package wire

import "encoding/binary"

// nextTLV cuts the first TLV off a section. It fails when the section ends
// inside it.
func nextTLV(b []byte) (t Type, v, rest []byte, ok bool) {
	if len(b) < tlvHead {
		return 0, nil, nil, false
	}
	t = Type(binary.BigEndian.Uint16(b))
	end := tlvHead + int(binary.BigEndian.Uint16(b[2:]))
	if end > len(b) {
		return 0, nil, nil, false
	}
	return t, b[tlvHead:end:end], b[end:], true
}

func appendHead(dst []byte, t Type, n int) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(t)<<16|uint32(n))
}

func appendBytes(dst []byte, t Type, v []byte) []byte {
	return append(appendHead(dst, t, len(v)), v...)
}

func appendName(dst []byte, t Type, v []byte, max int) []byte {
	return appendBytes(dst, t, v[:min(len(v), max)])
}

func appendUint32(dst []byte, t Type, v uint32) []byte {
	return binary.BigEndian.AppendUint32(appendHead(dst, t, 4), v)
}

// sizeName is the size of a name's TLV as appendName writes it.
func sizeName(v []byte, max int) int { return tlvHead + min(len(v), max) }
