package policy

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"

	"waymark/svr/packet"
)

// lpmKey is one prefix in one view; view and kind keep tables apart that share
// one map. An IPv4 address fills the first four bytes, as in packet.Tuple.
type lpmKey struct {
	addr [16]byte
	view uint16
	kind uint8 // even: IPv4, odd: IPv6; the rest is the owner's
	bits uint8
}

// lpm finds prefixes by hashing the address once per prefix length in use,
// longest first. It is filled at build time and only read afterwards.
type lpm struct {
	m    map[lpmKey]uint32
	lens [][]uint8 // [view*kinds+kind], descending
	n    int       // kinds per view
}

func newLPM(views, kinds int) lpm {
	return lpm{m: map[lpmKey]uint32{}, lens: make([][]uint8, views*kinds), n: kinds}
}

// kindOf returns the kind of step for a family: steps are even numbers apart.
func kindOf(step int, family uint8) uint8 {
	if family == 6 {
		return uint8(step*2 + 1)
	}
	return uint8(step * 2)
}

// prefixKey returns the key of p and its kind.
func prefixKey(view uint16, step int, p netip.Prefix) lpmKey {
	addr, family := packet.FromAddr(p.Addr())
	bits := uint8(p.Bits())
	return lpmKey{mask(addr, bits), view, kindOf(step, family), bits}
}

// insert adds value at k unless k is there already, and returns what is there.
func (l *lpm) insert(k lpmKey, value uint32) uint32 {
	if old, ok := l.m[k]; ok {
		return old
	}
	l.m[k] = value
	lens := &l.lens[int(k.view)*l.n+int(k.kind)]
	if !slices.Contains(*lens, k.bits) {
		*lens = append(*lens, k.bits)
		sort.Slice(*lens, func(i, j int) bool { return (*lens)[i] > (*lens)[j] })
	}
	return value
}

// lengths returns the prefix lengths of one table, longest first.
func (l *lpm) lengths(view uint16, kind uint8) []uint8 {
	i := int(view)*l.n + int(kind)
	if i >= len(l.lens) {
		return nil
	}
	return l.lens[i]
}

// longest returns the value of the longest prefix that contains addr, and its
// length.
func (l *lpm) longest(view uint16, kind uint8, addr [16]byte) (value uint32, bits int, ok bool) {
	for _, n := range l.lengths(view, kind) {
		if v, ok := l.m[lpmKey{mask(addr, n), view, kind, n}]; ok {
			return v, int(n), true
		}
	}
	return 0, -1, false
}

// mask clears all but the first bits of a.
func mask(a [16]byte, bits uint8) [16]byte {
	hi, lo := binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])
	if bits < 64 {
		hi &= ^uint64(0) << (64 - bits)
		lo = 0
	} else {
		lo &= ^uint64(0) << (128 - bits)
	}
	binary.BigEndian.PutUint64(a[:8], hi)
	binary.BigEndian.PutUint64(a[8:], lo)
	return a
}
