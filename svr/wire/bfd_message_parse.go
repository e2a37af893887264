package wire

import (
	"encoding/binary"
	"net/netip"
)

// Wire types of protobuf.
const (
	protoVarint  = 0
	protoFixed64 = 1
	protoBytes   = 2
	protoFixed32 = 5
)

// protoField is one field as it lies in a message: num holds a varint, v the
// bytes of the other wire types.
type protoField struct {
	number int
	wire   uint8
	num    uint64
	v      []byte
}

// nextField cuts the first field off a message. Groups are refused.
func nextField(b []byte) (f protoField, rest []byte, ok bool) {
	key, n := binary.Uvarint(b)
	if n <= 0 || key>>3 == 0 || key > 1<<32-1 {
		return f, nil, false
	}
	f.number, f.wire, b = int(key>>3), uint8(key&7), b[n:]
	size := 0
	switch f.wire {
	case protoVarint:
		f.num, n = binary.Uvarint(b)
		return f, b[max(n, 0):], n > 0
	case protoFixed64:
		size = 8
	case protoFixed32:
		size = 4
	case protoBytes:
		l, n := binary.Uvarint(b)
		if n <= 0 || l > uint64(len(b)-n) {
			return f, nil, false
		}
		b, size = b[n:], int(l)
	default:
		return f, nil, false
	}
	if size > len(b) {
		return f, nil, false
	}
	f.v = b[:size:size]
	return f, b[size:], true
}

// fieldWire and fieldMax tell wire type and longest value of each field.
var (
	fieldWire = [...]uint8{
		FieldRouter: protoBytes, FieldNode: protoBytes, FieldPath: protoBytes,
		FieldEpoch: protoFixed64, FieldCounter: protoVarint, FieldAddress: protoBytes,
		FieldSent: protoVarint, FieldEcho: protoBytes, FieldHeld: protoVarint,
		FieldUnix: protoVarint, FieldKey: protoBytes, FieldRequest: protoBytes,
		FieldSoftware: protoBytes,
	}
	fieldMax = [...]int{
		FieldRouter: MaxName, FieldNode: MaxName, FieldPath: MaxPathway,
		FieldEpoch: 8, FieldAddress: 19, FieldEcho: MaxName, FieldKey: MaxExchange,
		FieldRequest: MaxRequest, FieldSoftware: MaxName,
	}
)

// ParseMessage reads the value of TLV 0x8002. Unknown fields are skipped; a
// field that comes twice, or in another wire type, is malformed. The only error
// is ErrMessage; m is of no use then.
func ParseMessage(b []byte, m *Message) error {
	*m = Message{}
	for len(b) > 0 {
		f, rest, ok := nextField(b)
		if !ok {
			return ErrMessage
		}
		b = rest
		if f.number > int(FieldSoftware) {
			continue
		}
		n := Field(f.number)
		if f.wire != fieldWire[n] || len(f.v) > fieldMax[n] || m.Has.Has(n) || !m.take(n, &f) {
			return ErrMessage
		}
		m.Has.Add(n)
	}
	return nil
}

func (m *Message) take(n Field, f *protoField) (ok bool) {
	switch n {
	case FieldRouter:
		m.Router = f.v
	case FieldNode:
		m.Node = f.v
	case FieldPath:
		m.Path = f.v
	case FieldEpoch:
		m.Epoch = Epoch(f.v)
	case FieldCounter:
		m.Counter = f.num
	case FieldAddress:
		m.Address, ok = parseAddress(f.v)
		return ok
	case FieldSent:
		m.Sent = f.num
	case FieldEcho:
		return m.Echo.parse(f.v)
	case FieldHeld:
		m.Held = f.num
	case FieldUnix:
		m.Unix = f.num
	case FieldKey:
		m.Key = f.v
	case FieldRequest:
		m.Request = f.v
	case FieldSoftware:
		m.Software = f.v
	}
	return true
}

// parseAddress reads a family byte, the address and a port.
func parseAddress(v []byte) (netip.AddrPort, bool) {
	switch {
	case len(v) == 7 && v[0] == 4:
		a := netip.AddrFrom4([4]byte(v[1:5]))
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(v[5:])), true
	case len(v) == 19 && v[0] == 6:
		a := netip.AddrFrom16([16]byte(v[1:17]))
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(v[17:])), true
	}
	return netip.AddrPort{}, false
}

// parse reads the sub-message; a field that is missing is zero.
func (e *Echo) parse(b []byte) bool {
	var has Fields
	for len(b) > 0 {
		f, rest, ok := nextField(b)
		if !ok {
			return false
		}
		b = rest
		if f.number > 3 {
			continue
		}
		n := Field(f.number)
		if has.Has(n) || (n == 1) != (f.wire == protoFixed64) || n > 1 && f.wire != protoVarint {
			return false
		}
		has.Add(n)
		switch n {
		case 1:
			e.Epoch = Epoch(f.v)
		case 2:
			e.Counter = f.num
		case 3:
			e.Sent = f.num
		}
	}
	return true
}
