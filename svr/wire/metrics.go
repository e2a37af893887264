package wire

import "encoding/binary"

// PathMetrics is TLV 26, the marks of in-line performance monitoring
// (alternate marking in the manner of RFC 9341).
type PathMetrics struct {
	TxColour, RxColour uint8  // 4 bits each
	TxTime, RxTime     uint32 // ms, 28 bits each
	Drop               bool   // the packet was made for its metrics only: read, then drop
	Count              uint16 // packets of the previous colour received, 15 bits
}

func parseMetrics(v []byte) PathMetrics {
	tx, rx := binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
	word := binary.BigEndian.Uint16(v[8:])
	return PathMetrics{
		TxColour: uint8(tx >> 28), TxTime: tx & 0x0fffffff,
		RxColour: uint8(rx >> 28), RxTime: rx & 0x0fffffff,
		Drop: word&0x8000 != 0, Count: word & 0x7fff,
	}
}

func (m *PathMetrics) append(dst []byte) []byte {
	word := m.Count & 0x7fff
	if m.Drop {
		word |= 0x8000
	}
	dst = appendHead(dst, TypeMetrics, 10)
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.TxColour)<<28|m.TxTime&0x0fffffff)
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.RxColour)<<28|m.RxTime&0x0fffffff)
	return binary.BigEndian.AppendUint16(dst, word)
}
