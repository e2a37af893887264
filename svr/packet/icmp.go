package packet

// ErrKind names an ICMP error independent of family.
type ErrKind uint8

// ICMP errors the data plane sends (RFC 792, RFC 1812, RFC 4443).
const (
	ErrTTL             ErrKind = iota // time to live ran out
	ErrTooBig                         // too big for the next link (with its MTU)
	ErrNoRoute                        // network unreachable
	ErrAdminProhibited                // communication administratively prohibited
	ErrPortUnreachable                // nobody listens there
	ErrHostUnreachable                // the neighbour does not answer
	ErrReassembly                     // fragments did not arrive in time
)

// code is type and code of an error in both families.
type code struct{ type4, code4, type6, code6 uint8 }

var codes = [...]code{
	ErrTTL:             {11, 0, 3, 0},
	ErrTooBig:          {3, 4, 2, 0},
	ErrNoRoute:         {3, 0, 1, 0},
	ErrAdminProhibited: {3, 13, 1, 1},
	ErrPortUnreachable: {3, 3, 1, 4},
	ErrHostUnreachable: {3, 1, 1, 3},
	ErrReassembly:      {11, 1, 3, 1},
}

// Longest ICMP errors, IP header included (RFC 1812 4.3.2.3, RFC 4443 2.4 c).
const (
	maxError4 = 576
	maxError6 = 1280
)

// controlTOS is DSCP CS6: what RFC 1812 4.3.2.5 wants of ICMP errors.
const controlTOS = 0xc0

// BuildICMPError writes to dst.Buf at dst.Off an ICMP error of family and
// towards the source of the packet about, from address src, quoting as much of
// it as the RFCs allow. mtu counts for ErrTooBig only. False for what must not
// be answered: ICMP errors and redirects, later fragments, packets to or from
// anything but a unicast address, and when dst is too small.
func BuildICMPError(dst, about *Packet, kind ErrKind, mtu int, src [16]byte) bool {
	if int(kind) >= len(codes) || !answerable(&about.T) || about.noAnswer() {
		return false
	}
	c, limit := codes[kind], maxError4-IPv4Size-ICMPSize
	typ, sub := c.type4, c.code4
	if about.V6() {
		typ, sub, limit = c.type6, c.code6, maxError6-IPv6Size-ICMPSize
	}
	rest := uint32(0)
	if kind == ErrTooBig {
		rest = mtuField(about.T.Family, mtu)
	}
	quote := about.IP()
	quote = quote[:min(len(quote), limit)]
	t := errorTuple(about.T.Family, src, about.T.Src)
	if !lay(dst, KindICMPError, &t, 64, controlTOS, len(quote)) {
		return false
	}
	copy(dst.Buf[dst.Data:], quote)
	dst.putICMP(typ, sub, rest)
	dst.Finish()
	return true
}

// mtuField bounds an MTU to what the field of the family holds.
func mtuField(family uint8, mtu int) uint32 {
	if family == 4 {
		return uint32(min(max(mtu, 0), MaxLen))
	}
	return uint32(max(mtu, 0))
}

// errorTuple is the tuple of an ICMP error.
func errorTuple(family uint8, src, dst [16]byte) Tuple {
	t := Tuple{Src: src, Dst: dst, Proto: ProtoICMP, Family: family}
	if family == 6 {
		t.Proto = ProtoICMPv6
	}
	return t
}

// putICMP writes type, code and the second word of an ICMP header.
func (p *Packet) putICMP(typ, code uint8, rest uint32) {
	h := p.Buf[p.L4:p.Data]
	h[0], h[1] = typ, code
	be.PutUint32(h[4:], rest)
}

// noAnswer tells that RFC 1122 3.2.2 and RFC 4443 2.4 e forbid an error about p.
func (p *Packet) noAnswer() bool {
	switch p.Kind {
	case KindICMPError:
		return true
	case KindFragment:
		_, offset, _ := p.fragKey()
		if offset != 0 {
			return true
		}
	case KindOther:
	default:
		return false
	}
	if p.T.Proto != ProtoICMP && p.T.Proto != ProtoICMPv6 {
		return false
	}
	if p.L4 >= p.End {
		return true
	}
	typ := p.Buf[p.L4]
	if p.V6() {
		return typ < 128 || typ == 137 // errors, redirect
	}
	return typ != 0 && typ != 8 && typ < 13 // errors, redirect, the obsolete
}

// answerable tells whether a packet of this tuple may be answered by an error
// or a reset: its source is one host, its destination no group.
func answerable(t *Tuple) bool {
	if t.Family == 4 {
		s, d := t.Src[0], t.Dst[0]
		return s != 0 && s != 127 && s < 224 && d < 224
	}
	if t.Src[0] == 0xff || t.Dst[0] == 0xff {
		return false
	}
	// neither :: nor ::1
	return be.Uint64(t.Src[:8]) != 0 || be.Uint64(t.Src[8:]) > 1
}
