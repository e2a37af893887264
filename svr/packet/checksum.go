package packet

import (
	"encoding/binary"
	"math/bits"
)

var (
	be = binary.BigEndian
	le = binary.LittleEndian
)

// Sums are kept as 64-bit one's complement accumulators of big-endian 16-bit
// words (RFC 1071). add never loses a carry, fold brings them down to 16 bits.
// A nonzero accumulator never folds to zero.

// add is one's complement addition of 64-bit accumulators.
func add(a, b uint64) uint64 {
	s, c := bits.Add64(a, b, 0)
	return s + c
}

// fold reduces an accumulator to 16 bits.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s)
}

// sumBytes returns the folded one's complement sum of b as big-endian words; an
// odd last byte counts as the upper half of a word. It adds up little-endian
// words and swaps once at the end (RFC 1071 2.B).
func sumBytes(b []byte) uint16 {
	var s, c uint64
	for len(b) >= 64 {
		s, c = bits.Add64(s, le.Uint64(b[0:8]), 0)
		s, c = bits.Add64(s, le.Uint64(b[8:16]), c)
		s, c = bits.Add64(s, le.Uint64(b[16:24]), c)
		s, c = bits.Add64(s, le.Uint64(b[24:32]), c)
		s, c = bits.Add64(s, le.Uint64(b[32:40]), c)
		s, c = bits.Add64(s, le.Uint64(b[40:48]), c)
		s, c = bits.Add64(s, le.Uint64(b[48:56]), c)
		s, c = bits.Add64(s, le.Uint64(b[56:64]), c)
		s += c
		b = b[64:]
	}
	return bits.ReverseBytes16(fold(sumTail(s, b)))
}

// sumTail adds fewer than 64 bytes to the little-endian accumulator s.
func sumTail(s uint64, b []byte) uint64 {
	for len(b) >= 8 {
		s = add(s, le.Uint64(b))
		b = b[8:]
	}
	if len(b) >= 4 {
		s = add(s, uint64(le.Uint32(b)))
		b = b[4:]
	}
	if len(b) >= 2 {
		s = add(s, uint64(le.Uint16(b)))
		b = b[2:]
	}
	if len(b) == 1 {
		s = add(s, uint64(b[0]))
	}
	return s
}

// Checksum returns the Internet checksum of b (RFC 1071), complemented, as it
// stands in a header field.
func Checksum(b []byte) uint16 { return ^sumBytes(b) }

// addrSum adds up an address as the tuple holds it; the unused bytes of an IPv4
// address are zero and add nothing.
func addrSum(a *[16]byte) uint64 {
	return add(be.Uint64(a[:8]), be.Uint64(a[8:]))
}

// addrPair adds up both addresses of a tuple.
func addrPair(t *Tuple) uint64 {
	return add(addrSum(&t.Src), addrSum(&t.Dst))
}

// pseudo returns the folded sum of the pseudo-header of t for n bytes of L4
// (RFC 9293 3.1 and RFC 8200 8.1; both families add up alike).
func pseudo(t *Tuple, n int) uint16 {
	return fold(add(addrPair(t), uint64(t.Proto)+uint64(n)))
}

// updateFull applies a change to a full checksum field (RFC 1624 equation 3):
// minus and plus are the sums of what went away and what came.
func updateFull(field uint16, minus, plus uint64) uint16 {
	return ^fold(add(uint64(^field), add(^minus, plus)))
}

// updatePartial applies a change to a field that holds a pseudo-header sum.
func updatePartial(field uint16, minus, plus uint64) uint16 {
	return fold(add(uint64(field), add(^minus, plus)))
}
