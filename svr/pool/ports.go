package pool

import "fmt"

// Range is an inclusive range of ports.
type Range struct{ First, Last uint16 }

// Ports of waypoints where the configuration names none (docs/wire.md 8),
// inclusive.
const (
	WayportFirst = 16385
	WayportLast  = 65533
)

// The default ranges: 24,574 even ports for us and 24,574 odd ones for the peer;
// the last is not used as a peer port.
var (
	defaultLocal = []Range{{WayportFirst, WayportLast}}
	defaultPeer  = []Range{{WayportFirst, WayportLast - 1}}
)

// Parities of a port set.
const (
	even = 0
	odd  = 1
)

// span is a run of ports of one parity: first, first+2 …
type span struct {
	first uint16
	count uint32
}

// portSet is the ports of one parity in some ranges, numbered from 0.
type portSet struct {
	spans []span
	count uint32
}

// newPortSet cuts ranges into spans. Port 0 and the BFD ports 1280 and 1283 are
// left out; overlapping or empty ranges are an error.
func newPortSet(ranges []Range, parity int) (s portSet, err error) {
	for i, r := range ranges {
		if r.First > r.Last {
			return s, fmt.Errorf("use ports %d-%d: %w", r.First, r.Last, ErrRange)
		}
		for _, q := range ranges[:i] {
			if r.First <= q.Last && q.First <= r.Last {
				return s, fmt.Errorf("use ports %d-%d and %d-%d: %w", q.First, q.Last, r.First, r.Last, ErrRange)
			}
		}
		s.add(int(r.First), int(r.Last), parity)
	}
	if s.count == 0 {
		return s, fmt.Errorf("use ports %v: none of the parity needed: %w", ranges, ErrRange)
	}
	return s, nil
}

func (s *portSet) add(first, last, parity int) {
	open := false
	for p := first + (first^parity)&1; p <= last; p += 2 {
		if p == 0 || p == 1280 || p == 1283 {
			open = false
			continue
		}
		if !open {
			s.spans = append(s.spans, span{first: uint16(p)})
			open = true
		}
		s.spans[len(s.spans)-1].count++
		s.count++
	}
}

// port returns port number i.
func (s *portSet) port(i uint32) uint16 {
	for _, sp := range s.spans {
		if i < sp.count {
			return sp.first + uint16(2*i)
		}
		i -= sp.count
	}
	return 0
}

// index reverses port.
func (s *portSet) index(port uint16) (i uint32, ok bool) {
	for _, sp := range s.spans {
		if d := uint32(port) - uint32(sp.first); port >= sp.first && d&1 == 0 && d/2 < sp.count {
			return i + d/2, true
		}
		i += sp.count
	}
	return 0, false
}
