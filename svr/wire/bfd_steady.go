package wire

import "encoding/binary"

// Steady is TLV 0x8003, the metadata of BFD once both sides know each other.
type Steady struct {
	Counter uint32 // rises with every packet of an epoch
	Echo    uint32 // newest counter of the peer
	Held    uint16 // ms between that packet's arrival and this one; HeldLong: longer
	Flags   uint16
}

// Flags of the steady form. With FlagLifetime or FlagAnswer the frame is no BFD: a
// question about the lifetime of a NAT's binding, sent by a source port of its
// own, or the answer to it, and WaitMask covers the wait before the answer in
// tenths of a second. FlagNoData: the data that its sender sends does not arrive.
// FlagShedding: its sender loses data that arrives, or is late with it, itself.
const (
	FlagLifetime = 0x8000
	FlagAnswer   = 0x4000
	FlagNoData   = 0x2000
	FlagShedding = 0x1000
	WaitMask     = 0x0fff
)

// HeldLong in Steady.Held means 65,535 ms or more.
const HeldLong = 65535

func parseSteady(v []byte) Steady {
	return Steady{
		Counter: binary.BigEndian.Uint32(v),
		Echo:    binary.BigEndian.Uint32(v[4:]),
		Held:    binary.BigEndian.Uint16(v[8:]),
		Flags:   binary.BigEndian.Uint16(v[10:]),
	}
}

func (s *Steady) append(dst []byte) []byte {
	dst = appendHead(dst, TypeBFDSteady, 12)
	dst = binary.BigEndian.AppendUint32(dst, s.Counter)
	dst = binary.BigEndian.AppendUint32(dst, s.Echo)
	dst = binary.BigEndian.AppendUint16(dst, s.Held)
	return binary.BigEndian.AppendUint16(dst, s.Flags)
}
