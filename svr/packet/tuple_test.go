package packet_test

import (
	"net/netip"
	"testing"

	. "waymark/svr/packet"
)

func TestTuple(t *testing.T) {
	for _, c := range []struct{ src, dst, want, back string }{
		{"10.0.0.1:5", "192.0.2.9:80", "6 10.0.0.1:5>192.0.2.9:80", "6 192.0.2.9:80>10.0.0.1:5"},
		{"[2001:db8::1]:5", "[2001:db8::2]:80", "6 [2001:db8::1]:5>[2001:db8::2]:80", "6 [2001:db8::2]:80>[2001:db8::1]:5"},
		{"[::ffff:10.0.0.1]:5", "192.0.2.9:80", "6 10.0.0.1:5>192.0.2.9:80", "6 192.0.2.9:80>10.0.0.1:5"},
	} {
		tu := MakeTuple(netip.MustParseAddrPort(c.src), netip.MustParseAddrPort(c.dst), ProtoTCP)
		if got := tu.String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
		if got := tu.Reverse().String(); got != c.back {
			t.Errorf("reverse: got %s, want %s", got, c.back)
		}
		if tu.Reverse().Reverse() != tu {
			t.Error("twice reversed is another tuple")
		}
	}
}
