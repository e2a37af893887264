package wire

import "encoding/binary"

// Header is the metadata header with every TLV of the header section. It is
// never encrypted. Has says which of the fields count.
type Header struct {
	Len        int // bytes of header and header section, 12 and up
	PayloadLen int // bytes of the payload section as on the wire (encrypted: with padding and IV)

	Has       Set // TLVs of this section that are present; flags (18) are only here
	Misplaced Set // TLVs that belong to the payload section: skipped
	Repeated  Set // TLVs that came again: the first one counts

	SecurityID  uint32      // 16: key index of the inter-router policy
	Fragment    Fragment    // 1
	Control     Control     // 24
	HealthCheck HealthCheck // 46 with one byte
	Metrics     PathMetrics // 26
	ICMPIPv4    [4]byte     // 20: where an ICMP error arose
	ICMPIPv6    [16]byte    // 21
	Steady      Steady      // 0x8003
}

// MaxHeader is the size of a header with every TLV of its section.
const MaxHeader = HeaderSize + 9*tlvHead + 4 + 10 + 1 + 1 + 10 + 4 + 16 + 12

const _ = uint(MaxHeaderLen - MaxHeader)

// HasCookie reports whether b begins with the metadata cookie.
func HasCookie(b []byte) bool {
	return len(b) >= 8 && binary.BigEndian.Uint64(b) == Cookie
}

// ParseHeader reads the header at the start of b, the bytes behind the L4
// header. It checks that both sections lie inside b, so that the payload
// section is b[h.Len : h.Len+h.PayloadLen] and the data what follows. Unknown
// TLVs are skipped. Errors: ErrNoCookie, ErrTruncated, ErrVersion,
// ErrHeaderLength, ErrTLV; h is of no use then.
func ParseHeader(b []byte, h *Header) error {
	*h = Header{}
	if !HasCookie(b) {
		return ErrNoCookie
	}
	if len(b) < HeaderSize {
		return ErrTruncated
	}
	word := binary.BigEndian.Uint16(b[8:])
	if word>>12 != Version {
		return ErrVersion
	}
	h.Len = int(word & 0xfff)
	h.PayloadLen = int(binary.BigEndian.Uint16(b[10:]))
	if h.Len < HeaderSize {
		return ErrHeaderLength
	}
	if h.Len+h.PayloadLen > len(b) {
		return ErrTruncated
	}
	return h.parseSection(b[HeaderSize:h.Len])
}

func (h *Header) parseSection(b []byte) error {
	for len(b) > 0 {
		t, v, rest, ok := nextTLV(b)
		if !ok {
			return ErrTLV
		}
		b = rest
		i, known := t.index()
		if !known {
			continue
		}
		bit := Set(1) << i
		switch {
		case headerTypes&bit == 0, t == TypeHealthCheck && len(v) != 1:
			h.Misplaced |= bit
		case t != TypeHealthCheck && (len(v) < int(specs[i].min) || len(v) > int(specs[i].max)):
			return ErrTLV
		case h.Has&bit != 0:
			h.Repeated |= bit
		default:
			h.Has |= bit
			h.take(t, v)
		}
	}
	return nil
}

// take stores a TLV whose section and length were checked.
func (h *Header) take(t Type, v []byte) {
	switch t {
	case TypeSecurityID:
		h.SecurityID = binary.BigEndian.Uint32(v)
	case TypeFragment:
		h.Fragment = parseFragment(v)
	case TypeControl:
		h.Control = Control(v[0])
	case TypeHealthCheck:
		h.HealthCheck = HealthCheck(v[0])
	case TypeMetrics:
		h.Metrics = parseMetrics(v)
	case TypeICMPIPv4:
		h.ICMPIPv4 = [4]byte(v)
	case TypeICMPIPv6:
		h.ICMPIPv6 = [16]byte(v)
	case TypeBFDSteady:
		h.Steady = parseSteady(v)
	}
}

// AppendHeader appends the header with the TLVs that h.Has names, in the order
// 16, 24, 18, 1, 26, 46, 20, 21, 0x8003. It sets h.Len to what it wrote.
// h.PayloadLen goes into its field as it is; SetPayloadLen patches it once the
// payload section is complete.
func AppendHeader(dst []byte, h *Header) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint64(dst, Cookie)
	dst = binary.BigEndian.AppendUint32(dst, uint32(uint16(h.PayloadLen)))
	if h.Has != 0 {
		dst = h.appendSession(dst)
		dst = h.appendRare(dst)
	}
	h.Len = len(dst) - start
	binary.BigEndian.PutUint16(dst[start+8:], Version<<12|uint16(h.Len))
	return dst
}

func (h *Header) appendSession(dst []byte) []byte {
	if h.Has.Has(TypeSecurityID) {
		dst = appendUint32(dst, TypeSecurityID, h.SecurityID)
	}
	if h.Has.Has(TypeControl) {
		dst = append(appendHead(dst, TypeControl, 1), byte(h.Control))
	}
	if h.Has.Has(TypeDisableForward) {
		dst = appendHead(dst, TypeDisableForward, 0)
	}
	if h.Has.Has(TypeFragment) {
		dst = h.Fragment.append(dst)
	}
	return dst
}

func (h *Header) appendRare(dst []byte) []byte {
	if h.Has.Has(TypeMetrics) {
		dst = h.Metrics.append(dst)
	}
	if h.Has.Has(TypeHealthCheck) {
		dst = append(appendHead(dst, TypeHealthCheck, 1), byte(h.HealthCheck))
	}
	if h.Has.Has(TypeICMPIPv4) {
		dst = appendBytes(dst, TypeICMPIPv4, h.ICMPIPv4[:])
	}
	if h.Has.Has(TypeICMPIPv6) {
		dst = appendBytes(dst, TypeICMPIPv6, h.ICMPIPv6[:])
	}
	if h.Has.Has(TypeBFDSteady) {
		dst = h.Steady.append(dst)
	}
	return dst
}

// SetPayloadLen writes the length of the payload section into the header at
// the start of b; n is 0 to MaxPayloadLen.
func SetPayloadLen(b []byte, n int) {
	binary.BigEndian.PutUint16(b[10:12], uint16(n))
}

// Size returns how many bytes AppendHeader writes.
func (h *Header) Size() int {
	n := HeaderSize
	for s := h.Has & headerTypes; s != 0; s &= s - 1 {
		n += tlvHead + headerValueSize(s)
	}
	return n
}
