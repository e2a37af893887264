package wire

import "encoding/binary"

// BFDPort is the UDP port of BFD between routers.
const BFDPort = 1280

// BFDState is the state field of RFC 5880 4.1.
type BFDState uint8

// The states of RFC 5880 4.1.
const (
	BFDAdminDown BFDState = 0
	BFDDown      BFDState = 1
	BFDInit      BFDState = 2
	BFDUp        BFDState = 3
)

// String names the state.
func (s BFDState) String() string {
	return [...]string{"admin-down", "down", "init", "up"}[s&3]
}

// Sizes of BFD on the wire, in bytes.
const (
	BFDSize     = 24 // mandatory section, RFC 5880 4.1
	BFDAuthSize = 28 // SHA1 authentication section, RFC 5880 4.4
	// BFDDigest is the HMAC at the end of BFD between routers.
	BFDDigest = 16
)

// Authentication types of RFC 5880 4.1 that we speak.
const (
	BFDAuthNone           = 0
	BFDAuthKeyedSHA1      = 4
	BFDAuthMeticulousSHA1 = 5
)

// BFD is a control packet of RFC 5880 4.1. Intervals are microseconds.
type BFD struct {
	Diag       uint8 // 5 bits
	State      BFDState
	Poll       bool
	Final      bool
	CPI        bool // control plane independent
	Demand     bool
	Multiplier uint8

	MyDisc, YourDisc      uint32
	MinTx, MinRx, MinEcho uint32

	// The SHA1 authentication section, absent while AuthType is BFDAuthNone.
	// The digest is made over the packet with the padded key in its place
	// (RFC 5880 6.7.4); the codec only carries it.
	AuthType, AuthKeyID uint8
	AuthSeq             uint32
	AuthDigest          [20]byte
}

// Flag bits beside the state.
const (
	bfdPoll       = 0x20
	bfdFinal      = 0x10
	bfdCPI        = 0x08
	bfdAuth       = 0x04
	bfdDemand     = 0x02
	bfdMultipoint = 0x01
)

// ParseBFD reads the control packet at the start of b and returns its length
// (24, or 52 with SHA1). It makes the checks of RFC 5880 6.8.6 that need no
// state; ErrBFD for every failure, p is of no use then.
func ParseBFD(b []byte, p *BFD) (int, error) {
	*p = BFD{}
	if len(b) < BFDSize || b[0]>>5 != 1 || b[1]&bfdMultipoint != 0 {
		return 0, ErrBFD
	}
	n := int(b[3])
	if n > len(b) || n < BFDSize {
		return 0, ErrBFD
	}
	p.Diag, p.State = b[0]&0x1f, BFDState(b[1]>>6)
	p.Poll, p.Final = b[1]&bfdPoll != 0, b[1]&bfdFinal != 0
	p.CPI, p.Demand = b[1]&bfdCPI != 0, b[1]&bfdDemand != 0
	p.Multiplier = b[2]
	p.MyDisc = binary.BigEndian.Uint32(b[4:])
	p.YourDisc = binary.BigEndian.Uint32(b[8:])
	p.MinTx = binary.BigEndian.Uint32(b[12:])
	p.MinRx = binary.BigEndian.Uint32(b[16:])
	p.MinEcho = binary.BigEndian.Uint32(b[20:])
	if p.Multiplier == 0 || p.MyDisc == 0 || p.YourDisc == 0 && p.State >= BFDInit {
		return 0, ErrBFD
	}
	return n, p.parseAuth(b[BFDSize:n], b[1]&bfdAuth != 0)
}

func (p *BFD) parseAuth(b []byte, present bool) error {
	if !present {
		if len(b) != 0 {
			return ErrBFD
		}
		return nil
	}
	if len(b) != BFDAuthSize || int(b[1]) != BFDAuthSize ||
		b[0] != BFDAuthKeyedSHA1 && b[0] != BFDAuthMeticulousSHA1 {
		return ErrBFD
	}
	p.AuthType, p.AuthKeyID = b[0], b[2]
	p.AuthSeq = binary.BigEndian.Uint32(b[4:])
	p.AuthDigest = [20]byte(b[8:])
	return nil
}

// AppendBFD appends the control packet.
func AppendBFD(dst []byte, p *BFD) []byte {
	n := byte(BFDSize)
	if p.AuthType != BFDAuthNone {
		n += BFDAuthSize
	}
	dst = append(dst, 1<<5|p.Diag&0x1f, p.flags(), p.Multiplier, n)
	dst = binary.BigEndian.AppendUint32(dst, p.MyDisc)
	dst = binary.BigEndian.AppendUint32(dst, p.YourDisc)
	dst = binary.BigEndian.AppendUint32(dst, p.MinTx)
	dst = binary.BigEndian.AppendUint32(dst, p.MinRx)
	dst = binary.BigEndian.AppendUint32(dst, p.MinEcho)
	if p.AuthType == BFDAuthNone {
		return dst
	}
	dst = append(dst, p.AuthType, BFDAuthSize, p.AuthKeyID, 0)
	dst = binary.BigEndian.AppendUint32(dst, p.AuthSeq)
	return append(dst, p.AuthDigest[:]...)
}

func (p *BFD) flags() byte {
	f := byte(p.State) << 6
	for _, x := range [...]struct {
		on  bool
		bit byte
	}{
		{p.Poll, bfdPoll}, {p.Final, bfdFinal}, {p.CPI, bfdCPI},
		{p.AuthType != BFDAuthNone, bfdAuth}, {p.Demand, bfdDemand},
	} {
		if x.on {
			f |= x.bit
		}
	}
	return f
}
