package wire

import "encoding/binary"

// Fragment is TLV 1: one piece of a packet that was cut between two routers.
type Fragment struct {
	ID      uint32 // counter of the router that cut; with the peer it names the packet
	OrigID  uint16 // IP identification of the packet that was cut
	DF, MF  bool   // as in the IPv4 header word; MF: more pieces follow
	Offset  int    // bytes, a multiple of 8, at most MaxFragmentOffset
	Largest uint16 // longest IP fragment that came from the host, 0 if none
}

// MaxFragmentOffset is the largest offset the 13-bit field can tell, in bytes.
const MaxFragmentOffset = 0x1fff * 8

const (
	flagDF = 0x4000
	flagMF = 0x2000
)

// parseFragment reads 10 bytes; the reserved bit is ignored.
func parseFragment(v []byte) Fragment {
	word := binary.BigEndian.Uint16(v[6:])
	return Fragment{
		ID:      binary.BigEndian.Uint32(v),
		OrigID:  binary.BigEndian.Uint16(v[4:]),
		DF:      word&flagDF != 0,
		MF:      word&flagMF != 0,
		Offset:  int(word&0x1fff) * 8,
		Largest: binary.BigEndian.Uint16(v[8:]),
	}
}

func (f *Fragment) append(dst []byte) []byte {
	word := uint16(f.Offset/8) & 0x1fff
	if f.DF {
		word |= flagDF
	}
	if f.MF {
		word |= flagMF
	}
	dst = appendHead(dst, TypeFragment, 10)
	dst = binary.BigEndian.AppendUint32(dst, f.ID)
	dst = binary.BigEndian.AppendUint16(dst, f.OrigID)
	dst = binary.BigEndian.AppendUint16(dst, word)
	return binary.BigEndian.AppendUint16(dst, f.Largest)
}
