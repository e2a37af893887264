package icmp

import (
	"context"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"waymark/net/netns/nstest"
)

// quote is an ICMP error of a type about an echo request of ours.
func quote(typ, code byte, six bool, id, seq uint16) []byte {
	request, _ := marshal(six, id, seq, 4)
	head := make([]byte, 20)
	head[0], head[9] = 0x45, proto4
	if six {
		head = make([]byte, 40)
		head[0], head[6] = 0x60, proto6
	}
	return append(append([]byte{typ, code, 0, 0, 0, 0, 0, 0}, head...), request...)
}

func reply(typ byte, id, seq uint16) []byte {
	b := []byte{typ, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	return b
}

func TestParse(t *testing.T) {
	for _, row := range []struct {
		name string
		six  bool
		b    []byte
		want answer
		ok   bool
	}{
		{"echo", false, reply(0, 7, 3), answer{Echo, 0, 3, 12}, true},
		{"echo of IPv6", true, reply(129, 7, 3), answer{Echo, 0, 3, 12}, true},
		{"echo of another", false, reply(0, 8, 3), answer{}, false},
		{"our own request", false, reply(8, 7, 3), answer{}, false},
		{"hop limit", false, quote(11, 0, false, 7, 2), answer{Exceeded, 0, 2, 40}, true},
		{"hop limit of IPv6", true, quote(3, 0, true, 7, 2), answer{Exceeded, 0, 2, 60}, true},
		{"prohibited", false, quote(3, 13, false, 7, 2), answer{Unreachable, 13, 2, 40}, true},
		{"no route, IPv6", true, quote(1, 0, true, 7, 2), answer{Unreachable, 0, 2, 60}, true},
		{"error about another", false, quote(3, 13, false, 8, 2), answer{}, false},
		{"error about another family", false, quote(3, 13, true, 7, 2), answer{}, false},
		{"cut", false, quote(3, 13, false, 7, 2)[:30], answer{}, false},
		{"empty", false, nil, answer{}, false},
	} {
		got, ok := parse(row.six, row.b, 7)
		if ok != row.ok || ok && got != row.want {
			t.Errorf("%s: %+v, %v, want %+v, %v", row.name, got, ok, row.want, row.ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range [][]byte{reply(0, 7, 3), quote(11, 0, false, 7, 2), quote(3, 1, true, 7, 2), {3, 0, 0, 0, 0, 0, 0, 0, 0x4f}} {
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, six bool) {
		if a, ok := parse(six, b, 7); ok && a.kind == Nothing {
			t.Errorf("%x says nothing", b)
		}
	})
}

func TestPingLoopback(t *testing.T) {
	nstest.In(t, nstest.New(t), func() error { pingLoopback(t); return nil })
}

func pingLoopback(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "::1"} {
		var got []Reply
		err := Ping(t.Context(), netip.MustParseAddr(addr), Options{Count: 2, Interval: time.Millisecond, Size: 100}, func(r Reply) { got = append(got, r) })
		if err != nil || len(got) != 2 || got[1].Kind != Echo || got[1].Seq != 2 || got[1].From.String() != addr || got[1].Bytes != 108 || got[1].TTL == 0 {
			t.Errorf("ping %s: %v, %+v", addr, err, got)
		}
	}
	var hops []Reply
	if err := Trace(t.Context(), netip.MustParseAddr("127.0.0.1"), Options{Count: 1}, func(r Reply) { hops = append(hops, r) }); err != nil || len(hops) != 1 || hops[0].Hop != 1 {
		t.Errorf("trace: %v, %+v", err, hops)
	}
}

func TestPingInterrupted(t *testing.T) {
	nstest.In(t, nstest.New(t), func() error { pingInterrupted(t); return nil })
}

func pingInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	began := time.Now()
	err := Ping(ctx, netip.MustParseAddr("127.0.0.1"), Options{Count: 100, Interval: time.Hour}, func(Reply) { n++; cancel() })
	if err != nil || n != 1 || time.Since(began) > 10*time.Second {
		t.Errorf("%d replies in %v: %v", n, time.Since(began), err)
	}
}
