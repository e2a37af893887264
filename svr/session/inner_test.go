package session

import (
	"net/netip"
	"testing"

	"waymark/svr/packet"
)

// A record gives back the tuple that it took, IPv6 ones with a second record,
// whatever lay there before; and a pair of records that does not fit together,
// as a torn file might have it, is seen.
func TestInner(t *testing.T) {
	e := &Engine{recs: make([]record, 4)}
	for _, row := range []struct{ src, dst string }{
		{"192.0.2.1:40000", "198.51.100.255:443"}, {"0.0.0.0:0", "255.255.255.255:65535"},
		{"[2001:db8::1]:40000", "[2001:db8:ffff:ffff:ffff:ffff:ffff:fffe]:443"}, {"[::]:1", "[fd00:20::5]:80"},
		{"203.0.113.7:1", "203.0.113.8:2"},
	} {
		want := packet.MakeTuple(netip.MustParseAddrPort(row.src), netip.MustParseAddrPort(row.dst), packet.ProtoTCP)
		e.recs[1] = record{bits: recUsed}
		e.setInner(1, 3, &want)
		if got := e.inner(&e.recs[1]); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		if !e.whole(1) {
			t.Errorf("%v: not whole", want)
		}
		if recordsOf(want.Family) == 1 {
			continue
		}
		if e.orphan(3) {
			t.Errorf("%v: its addresses belong to nobody", want)
		}
		for name, spoil := range map[string]func(){
			"no second record": func() { e.recs[3].bits = 0 },
			"of another":       func() { e.recs[3].addr[0] = 2 },
			"outside":          func() { e.recs[1].addr[0] = 4 },
		} {
			kept := [2]record{e.recs[1], e.recs[3]}
			if spoil(); e.whole(1) {
				t.Errorf("%s: whole", name)
			}
			e.recs[1], e.recs[3] = kept[0], kept[1]
		}
		if e.recs[1].bits = 0; !e.orphan(3) {
			t.Errorf("%v: addresses of a session that ended belong to it", want)
		}
	}
}
