package wire

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// AppendMessage appends the value of TLV 0x8002: the fields that m.Has names,
// in rising order. Names beyond their bound are cut there; a key exchange or
// session request beyond its bound is left out.
func AppendMessage(dst []byte, m *Message) []byte {
	for s := m.Has & allFields; s != 0; s &= s - 1 {
		dst = m.appendField(dst, Field(bits.TrailingZeros16(uint16(s))))
	}
	return dst
}

func (m *Message) appendField(dst []byte, f Field) []byte {
	switch f {
	case FieldRouter:
		return protoName(dst, f, m.Router, MaxName)
	case FieldNode:
		return protoName(dst, f, m.Node, MaxName)
	case FieldPath:
		return protoName(dst, f, m.Path, MaxPathway)
	case FieldEpoch:
		return append(protoKey(dst, f, protoFixed64), m.Epoch[:]...)
	case FieldCounter:
		return protoNumber(dst, f, m.Counter)
	case FieldAddress:
		return appendAddress(dst, m.Address)
	case FieldSent:
		return protoNumber(dst, f, m.Sent)
	case FieldEcho:
		return m.Echo.append(dst)
	case FieldHeld:
		return protoNumber(dst, f, m.Held)
	case FieldUnix:
		return protoNumber(dst, f, m.Unix)
	}
	return m.appendOpaque(dst, f)
}

func (m *Message) appendOpaque(dst []byte, f Field) []byte {
	switch {
	case f == FieldKey && len(m.Key) <= MaxExchange:
		return protoName(dst, f, m.Key, MaxExchange)
	case f == FieldRequest && len(m.Request) <= MaxRequest:
		return protoName(dst, f, m.Request, MaxRequest)
	case f == FieldSoftware:
		return protoName(dst, f, m.Software, MaxName)
	}
	return dst
}

func protoKey(dst []byte, f Field, wire byte) []byte {
	return append(dst, byte(f)<<3|wire)
}

func protoNumber(dst []byte, f Field, v uint64) []byte {
	return binary.AppendUvarint(protoKey(dst, f, protoVarint), v)
}

func protoName(dst []byte, f Field, v []byte, max int) []byte {
	v = v[:min(len(v), max)]
	dst = binary.AppendUvarint(protoKey(dst, f, protoBytes), uint64(len(v)))
	return append(dst, v...)
}

// appendAddress writes nothing for an address that is not valid.
func appendAddress(dst []byte, ap netip.AddrPort) []byte {
	switch a := ap.Addr(); {
	case a.Is4():
		v := a.As4()
		dst = append(protoKey(dst, FieldAddress, protoBytes), 7, 4)
		dst = append(dst, v[:]...)
	case a.Is6():
		v := a.As16()
		dst = append(protoKey(dst, FieldAddress, protoBytes), 19, 6)
		dst = append(dst, v[:]...)
	default:
		return dst
	}
	return binary.BigEndian.AppendUint16(dst, ap.Port())
}

// append writes the sub-message with its three fields.
func (e *Echo) append(dst []byte) []byte {
	dst = append(protoKey(dst, FieldEcho, protoBytes), 0)
	start := len(dst)
	dst = append(protoKey(dst, 1, protoFixed64), e.Epoch[:]...)
	dst = protoNumber(dst, 2, e.Counter)
	dst = protoNumber(dst, 3, e.Sent)
	dst[start-1] = byte(len(dst) - start)
	return dst
}
