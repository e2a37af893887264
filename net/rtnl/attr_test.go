package rtnl_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"waymark/net/rtnl"
)

func TestAttrsRoundTrip(t *testing.T) {
	m := rtnl.NewBody([]byte{1, 2, 3, 4}).U8(1, 7).U32(2, 0x01020304).String(3, "eth0").
		Addr(4, netip.MustParseAddr("10.0.0.1")).Nest(5, rtnl.NewBody(nil).U8(6, 8))
	if len(m.Data())%4 != 0 {
		t.Errorf("length %d is not padded", len(m.Data()))
	}
	var got []string
	rtnl.Attrs(m.Data(), 4, func(typ uint16, data []byte) { got = append(got, fmt.Sprintf("%d %x", typ, data)) })
	want := []string{"1 07", fmt.Sprintf("2 %x", rtnl.NewBody(nil).U32(2, 0x01020304).Data()[4:]), "3 6574683000", "4 0a000001"}
	if len(got) != 5 || !slices.Equal(got[:4], want) {
		t.Errorf("got %q, want %q and a nest", got, want)
	}
}

// Malformed attributes end the walk and never panic.
func FuzzAttrs(f *testing.F) {
	f.Add([]byte{8, 0, 1, 0, 1, 2, 3, 4}, 0)
	f.Add([]byte{3, 0, 1, 0}, 0)
	f.Add([]byte{255, 255, 1, 0}, 4)
	f.Fuzz(func(t *testing.T, b []byte, header int) {
		total := 0
		rtnl.Attrs(b, header&0xff, func(typ uint16, data []byte) {
			total += 4 + len(data)
			_, _ = rtnl.U32(data), rtnl.Addr(data)
		})
		if total > len(b) {
			t.Errorf("%d bytes of attributes in %d", total, len(b))
		}
	})
}
