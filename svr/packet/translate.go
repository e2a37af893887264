package packet

// icmpHead is the content of an ICMP error header behind its checksum.
type icmpHead struct {
	typ, code uint8
	rest      uint32
}

// translate returns the header of the error q for family, with mtu for a
// too-big error. False where RFC 7915 4.2 and 5.2 drop the error.
func (q *Quote) translate(family uint8, mtu int) (icmpHead, bool) {
	h := icmpHead{typ: q.Type, code: q.Code}
	tooBig := q.T.Family == 4 && q.Type == 3 && q.Code == 4 || q.T.Family == 6 && q.Type == 2
	ok := true
	switch {
	case family == q.T.Family:
		h.rest = q.Pointer
		if family == 4 {
			h.rest <<= 24
		}
	case family == 6:
		h, ok = q.to6()
	default:
		h, ok = q.to4()
	}
	if tooBig {
		h.rest = mtuField(family, mtu)
	}
	return h, ok
}

// to6 maps an ICMPv4 error (RFC 7915 4.2).
func (q *Quote) to6() (icmpHead, bool) {
	switch q.Type {
	case 3:
		switch q.Code {
		case 0, 1, 5, 6, 7, 8, 11, 12:
			return icmpHead{typ: 1, code: 0}, true
		case 2:
			return icmpHead{typ: 4, code: 1, rest: 6}, true
		case 3:
			return icmpHead{typ: 1, code: 4}, true
		case 4:
			return icmpHead{typ: 2}, true
		case 9, 10, 13, 15:
			return icmpHead{typ: 1, code: 1}, true
		}
	case 11:
		return icmpHead{typ: 3, code: q.Code}, true
	case 12:
		if q.Code == 0 || q.Code == 2 {
			ptr, ok := pointer6(q.Pointer)
			return icmpHead{typ: 4, code: 0, rest: ptr}, ok
		}
	}
	return icmpHead{}, false
}

// to4 maps an ICMPv6 error (RFC 7915 5.2).
func (q *Quote) to4() (icmpHead, bool) {
	switch q.Type {
	case 1:
		switch q.Code {
		case 0, 2, 3:
			return icmpHead{typ: 3, code: 1}, true
		case 1:
			return icmpHead{typ: 3, code: 10}, true
		case 4:
			return icmpHead{typ: 3, code: 3}, true
		}
	case 2:
		return icmpHead{typ: 3, code: 4}, true
	case 3:
		return icmpHead{typ: 11, code: q.Code}, true
	case 4:
		switch q.Code {
		case 0:
			ptr, ok := pointer4(q.Pointer)
			return icmpHead{typ: 12, code: 0, rest: ptr << 24}, ok
		case 1:
			return icmpHead{typ: 3, code: 2}, true
		}
	}
	return icmpHead{}, false
}

// pointer6 maps a byte of the IPv4 header to the IPv6 header (RFC 7915 figure 3).
func pointer6(p uint32) (uint32, bool) {
	switch {
	case p <= 1:
		return p, true
	case p == 2 || p == 3:
		return 4, true
	case p == 8:
		return 7, true
	case p == 9:
		return 6, true
	case p >= 12 && p <= 15:
		return 8, true
	case p >= 16 && p <= 19:
		return 24, true
	}
	return 0, false
}

// pointer4 maps a byte of the IPv6 header to the IPv4 header (RFC 7915 figure 6).
func pointer4(p uint32) (uint32, bool) {
	switch {
	case p <= 1:
		return p, true
	case p == 4 || p == 5:
		return 2, true
	case p == 6:
		return 9, true
	case p == 7:
		return 8, true
	case p >= 8 && p <= 23:
		return 12, true
	case p >= 24 && p <= 39:
		return 16, true
	}
	return 0, false
}
