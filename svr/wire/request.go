package wire

import (
	"encoding/binary"

	"waymark/svr/packet"
)

// Request is field 12 of the BFD message: a router that cannot reach its peer
// first asks it to open the outer flow of a session from inside (docs/wire.md 9).
// Byte slices alias the input of ParseRequest.
type Request struct {
	ID        uint32       // 1, varint: the same in repetitions of one request
	Context   packet.Tuple // 2, bytes: as the value of TLV 2 or 3
	Tenant    []byte       // 3, string: empty for the global one
	Service   []byte       // 4, string: as TLV 10
	UUID      [16]byte     // 5, bytes
	Policy    []byte       // 6, string: as TLV 15, for show only
	Encrypted bool         // 7, varint: as TLV 11
}

// Numbers of the sub-message's fields.
const (
	requestID = iota + 1
	requestContext
	requestTenant
	requestService
	requestUUID
	requestPolicy
	requestEncrypted
)

// AppendRequest appends the value of field 12. What does not fit MaxRequest is
// not written at all: it answers false, and dst as it was.
func AppendRequest(dst []byte, r *Request) ([]byte, bool) {
	start := len(dst)
	dst = protoNumber(dst, requestID, uint64(r.ID))
	dst = append(protoKey(dst, requestContext, protoBytes), byte(contextSize(r.Context.Family)))
	dst = appendTuple(dst, &r.Context)
	dst = protoName(dst, requestTenant, r.Tenant, MaxName)
	dst = protoName(dst, requestService, r.Service, MaxName)
	dst = protoName(dst, requestUUID, r.UUID[:], len(r.UUID))
	dst = protoName(dst, requestPolicy, r.Policy, MaxName)
	if r.Encrypted {
		dst = protoNumber(dst, requestEncrypted, 1)
	}
	if len(dst)-start > MaxRequest {
		return dst[:start], false
	}
	return dst, true
}

// ParseRequest reads the value of field 12. Unknown fields are skipped; a known
// one that comes twice or in another form is malformed, and so is a request
// without number, context, service or UUID. The only error is ErrMessage.
func ParseRequest(b []byte, r *Request) error {
	*r = Request{}
	var has Fields
	for len(b) > 0 {
		f, rest, ok := nextField(b)
		if !ok {
			return ErrMessage
		}
		b = rest
		if f.number > requestEncrypted {
			continue
		}
		if has.Has(Field(f.number)) || !r.take(&f) {
			return ErrMessage
		}
		has.Add(Field(f.number))
	}
	for _, must := range []Field{requestID, requestContext, requestService, requestUUID} {
		if !has.Has(must) {
			return ErrMessage
		}
	}
	return nil
}

func (r *Request) take(f *protoField) bool {
	number := f.number == requestID || f.number == requestEncrypted
	if number != (f.wire == protoVarint) || !number && f.wire != protoBytes {
		return false
	}
	switch f.number {
	case requestID:
		r.ID = uint32(f.num)
		return f.num <= 1<<32-1
	case requestContext:
		if len(f.v) != contextSize(4) && len(f.v) != contextSize(6) {
			return false
		}
		parseContext(f.v, &r.Context)
	case requestTenant:
		r.Tenant = f.v
	case requestService:
		r.Service = f.v
	case requestUUID:
		if len(f.v) != len(r.UUID) {
			return false
		}
		r.UUID = [16]byte(f.v)
	case requestPolicy:
		r.Policy = f.v
	case requestEncrypted:
		r.Encrypted = f.num == 1
		return f.num <= 1
	}
	return len(f.v) <= MaxName
}

// appendTuple writes a context's 13 or 37 bytes.
func appendTuple(dst []byte, t *packet.Tuple) []byte {
	n := 4
	if t.Family == 6 {
		n = 16
	}
	dst = append(append(dst, t.Src[:n]...), t.Dst[:n]...)
	dst = binary.BigEndian.AppendUint16(dst, t.SrcPort)
	dst = binary.BigEndian.AppendUint16(dst, t.DstPort)
	return append(dst, t.Proto)
}
