package wire

import (
	"encoding/binary"
	"iter"
)

// Multicast is TLV 50. Profile 1 never sends it. An IPv4 address fills the
// first four bytes.
type Multicast struct {
	Family, Flags uint8 // family 4 or 6
	Source, Group [16]byte
	Proto         uint8
}

func addrLen(family uint8) int {
	switch family {
	case 4:
		return 4
	case 6:
		return 16
	}
	return -1
}

func parseMulticast(v []byte) (m Multicast, ok bool) {
	m.Family, m.Flags = v[0], v[1]
	n := addrLen(m.Family)
	if n < 0 || len(v) != 2+2*n+1 {
		return Multicast{}, false
	}
	copy(m.Source[:], v[2:2+n])
	copy(m.Group[:], v[2+n:2+2*n])
	m.Proto = v[2+2*n]
	return m, true
}

func (m *Multicast) append(dst []byte) []byte {
	n := 4
	if m.Family == 6 {
		n = 16
	}
	dst = appendHead(dst, TypeMulticast, 2+2*n+1)
	dst = append(dst, m.Family, m.Flags)
	dst = append(append(dst, m.Source[:n]...), m.Group[:n]...)
	return append(dst, m.Proto)
}

func (m *Multicast) size() int {
	if m.Family == 6 {
		return tlvHead + 35
	}
	return tlvHead + 11
}

// EgressList is the value of TLV 51: a count (u16) and as many router names,
// each behind one byte of length. Profile 1 never sends it.
type EgressList []byte

// valid reports whether the list walks exactly to its end.
func (l EgressList) valid() bool {
	if len(l) < 2 {
		return false
	}
	count, rest := int(binary.BigEndian.Uint16(l)), l[2:]
	for ; count > 0; count-- {
		if len(rest) == 0 || 1+int(rest[0]) > len(rest) {
			return false
		}
		rest = rest[1+int(rest[0]):]
	}
	return len(rest) == 0
}

// All yields the names of a list that was parsed; each aliases the list.
func (l EgressList) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !l.valid() {
			return
		}
		for rest := l[2:]; len(rest) > 0; rest = rest[1+int(rest[0]):] {
			if !yield(rest[1 : 1+int(rest[0])]) {
				return
			}
		}
	}
}
