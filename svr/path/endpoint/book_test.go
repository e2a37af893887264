package endpoint

import (
	"net/netip"
	"testing"
)

func TestName(t *testing.T) {
	at := netip.MustParseAddrPort
	one, two, nat := at("192.0.2.1:1280"), at("192.0.2.2:1280"), at("198.51.100.7:4711")
	type step struct {
		do   string // name, proved
		addr netip.AddrPort
		now  int64
		best netip.AddrPort
	}
	for name, steps := range map[string][]step{
		"unknown until the book names it": {{"name", one, 1, one}},
		"follows the book at once":        {{"name", one, 1, one}, {"proved", one, 2, one}, {"name", two, 3, two}},
		"and back":                        {{"name", one, 1, one}, {"proved", one, 2, one}, {"name", two, 3, two}, {"name", one, 4, one}},
		"behind a NAT packets count more": {{"proved", nat, 1, nat}, {"name", one, 2, nat}, {"name", two, 3, nat}},
		"a NAT that fell silent":          {{"proved", nat, 1, nat}, {"name", one, 100 * second, one}},
		"BFD was quicker":                 {{"name", one, 1, one}, {"proved", one, 2, one}, {"proved", two, 3, one}, {"name", two, 4, two}},
		"nowhere changes nothing":         {{"name", one, 1, one}, {"name", netip.AddrPort{}, 2, one}},
	} {
		table := New(nil, second, 0)
		for i, s := range steps {
			before, _ := table.Best()
			changed := false
			if s.do == "name" {
				changed = table.Name(s.addr, s.now)
			} else {
				table.Proved(s.addr, ms, s.now)
				changed = before != s.best
			}
			if best, _ := table.Best(); best != s.best || changed != (before != best) {
				t.Errorf("%s, step %d: best %v, changed %v, want %v", name, i, best, changed, s.best)
			}
		}
	}
	// However many names come, the table stays in its bounds.
	table := New(nil, second, 0)
	for i := range 100 {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1280)
		table.Name(a, int64(i))
		if best, ok := table.Best(); !ok || best != a || table.count > Entries {
			t.Fatalf("name %d: best %v, %d entries", i, best, table.count)
		}
	}
}
