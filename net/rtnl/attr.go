package rtnl

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/netlink"
)

// Body builds a message: a fixed header, then attributes.
type Body struct{ b []byte }

// NewBody starts a message with its fixed header.
func NewBody(header []byte) *Body { return &Body{b: append([]byte(nil), header...)} }

// Bytes adds one attribute (padded to four bytes).
func (m *Body) Bytes(typ uint16, data []byte) *Body {
	m.b = binary.NativeEndian.AppendUint16(m.b, uint16(4+len(data)))
	m.b = binary.NativeEndian.AppendUint16(m.b, typ)
	m.b = append(m.b, data...)
	for len(m.b)%4 != 0 {
		m.b = append(m.b, 0)
	}
	return m
}

// U8 adds a one-byte attribute.
func (m *Body) U8(typ uint16, v uint8) *Body { return m.Bytes(typ, []byte{v}) }

// U32 adds a 32-bit attribute in host byte order.
func (m *Body) U32(typ uint16, v uint32) *Body {
	return m.Bytes(typ, binary.NativeEndian.AppendUint32(nil, v))
}

// Addr adds an address (4 or 16 bytes).
func (m *Body) Addr(typ uint16, a netip.Addr) *Body { return m.Bytes(typ, a.AsSlice()) }

// String adds a zero-terminated string.
func (m *Body) String(typ uint16, s string) *Body {
	return m.Bytes(typ, append([]byte(s), 0))
}

// Nest adds an attribute made of attributes; inner is another Body without a
// fixed header.
func (m *Body) Nest(typ uint16, inner *Body) *Body {
	return m.Bytes(typ|netlink.Nested, inner.b)
}

// Data returns the message.
func (m *Body) Data() []byte { return m.b }

// Attrs calls fn for each attribute behind the fixed header of a message. The
// nested and byte order flags are cut off typ. Malformed rests are ignored.
func Attrs(msg []byte, header int, fn func(typ uint16, data []byte)) {
	for b := msg[min(header, len(msg)):]; len(b) >= 4; {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return
		}
		fn(binary.NativeEndian.Uint16(b[2:])&0x3fff, b[4:n])
		b = b[min(len(b), (n+3)&^3):]
	}
}

// U32 reads a 32-bit attribute in host byte order, 0 if it is too short.
func U32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}

// Addr reads an address attribute; the zero Addr if its length is wrong.
func Addr(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}
