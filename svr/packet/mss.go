package packet

import "math/bits"

// TCP option kinds (RFC 9293 3.2).
const (
	optEnd = 0
	optNop = 1
	optMSS = 2
)

// mssAt returns the offset in Buf of the MSS value of a SYN, 0 without one.
func (p *Packet) mssAt() int {
	if p.Kind != KindTCP || p.TCPFlags&FlagSYN == 0 {
		return 0
	}
	for at := p.L4 + TCPSize; at < p.Data; {
		switch p.Buf[at] {
		case optEnd:
			return 0
		case optNop:
			at++
			continue
		}
		if at+2 > p.Data {
			return 0
		}
		n := int(p.Buf[at+1])
		if n < 2 || at+n > p.Data {
			return 0
		}
		if p.Buf[at] == optMSS && n == 4 {
			return at + 2
		}
		at += n
	}
	return 0
}

// MSS returns the maximum segment size that a SYN offers; ok is false for
// everything else and for a SYN without the option.
func (p *Packet) MSS() (mss uint16, ok bool) {
	at := p.mssAt()
	if at == 0 {
		return 0, false
	}
	return be.Uint16(p.Buf[at:]), true
}

// ClampMSS lowers the maximum segment size that a SYN offers to max; the
// checksum follows by delta. A SYN without the option stays as it is.
func (p *Packet) ClampMSS(max uint16) {
	at := p.mssAt()
	if at == 0 {
		return
	}
	old, now := be.Uint16(p.Buf[at:]), max
	if old <= max {
		return
	}
	be.PutUint16(p.Buf[at:], max)
	if (at-p.L4)&1 != 0 { // the value straddles two words of the sum
		old, now = bits.ReverseBytes16(old), bits.ReverseBytes16(now)
	}
	p.change(0, 0, uint64(old), uint64(now))
}
