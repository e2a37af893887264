package l2_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"waymark/svr/lane/l2"
)

const sec = int64(1e9)

// host records what a station sends and reports.
type host struct {
	*l2.Station
	frames []frame
	news   []string
}

type frame struct {
	dst l2.MAC
	typ uint16
	b   []byte
}

func newHost(mac l2.MAC, addrs ...string) *host {
	h := &host{}
	var list []netip.Prefix
	for _, a := range addrs {
		list = append(list, netip.MustParsePrefix(a))
	}
	h.Station = l2.NewStation(mac, list,
		func(dst l2.MAC, typ uint16, b []byte) { h.frames = append(h.frames, frame{dst, typ, slices.Clone(b)}) },
		func(id uint16, mac l2.MAC, ok bool) { h.news = append(h.news, fmt.Sprintf("%d %x %t", id, mac, ok)) })
	return h
}

// pass hands what from sent to the host to, and forgets it.
func pass(now int64, from, to *host, src l2.MAC) {
	for _, f := range from.frames {
		to.Input(now, src, f.typ, f.b)
	}
	from.frames = nil
}

func a4(b ...byte) (a [16]byte) { copy(a[:], b); return a }

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestResolve(t *testing.T) {
	for _, tt := range []struct {
		name   string
		addr   [16]byte
		family uint8
		group  l2.MAC
	}{
		{"IPv4", a4(10, 0, 0, 2), 4, l2.Broadcast},
		{"IPv6", addr6(2), 6, l2.MAC{0x33, 0x33, 0xff, 0, 0, 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newHost(macA, "10.0.0.1/24", "fd01::1/64")
			b := newHost(macB, "10.0.0.2/24", "fd01::2/64")
			a.Resolve(1, 7, tt.addr, tt.family)
			if len(a.frames) != 1 || a.frames[0].dst != tt.group {
				t.Fatalf("question: got %+v, want one to %x", a.frames, tt.group)
			}
			pass(2, a, b, macA)
			if len(b.frames) != 1 || b.frames[0].dst != macA {
				t.Fatalf("answer: got %+v, want one to %x", b.frames, macA)
			}
			pass(3, b, a, macB)
			want(t, "news", a.news, "7 02000000000b true")
		})
	}
}

// Three questions a second apart, then failure, then again with rising pauses;
// a late answer ends it.
func TestResolveFailsAndRecovers(t *testing.T) {
	a := newHost(macA, "10.0.0.1/24")
	a.Resolve(1, 7, a4(10, 0, 0, 2), 4)
	var asked, failed []int64
	for now := int64(1); now < 60*sec; {
		next := a.Tick(now)
		if len(a.frames) > 0 {
			asked = append(asked, now/sec)
		}
		if len(a.news) > 0 {
			failed = append(failed, now/sec)
		}
		a.frames, a.news = nil, nil
		now = next
	}
	if w := []int64{0, 1, 2, 5, 6, 7, 12, 13, 14, 23, 24, 25, 42, 43, 44}; !slices.Equal(asked, w) {
		t.Errorf("asked at %v, want %v", asked, w)
	}
	if w := []int64{3, 8, 15, 26, 45}; !slices.Equal(failed, w) {
		t.Errorf("failed at %v, want %v", failed, w)
	}
	b := newHost(macB, "10.0.0.2/24")
	b.Announce()
	pass(61*sec, b, a, macB)
	want(t, "after announcement", a.news, "7 02000000000b true")
}

// A known neighbour is asked alone after 30 s, then everybody, then given up.
func TestProbe(t *testing.T) {
	a := newHost(macA, "10.0.0.1/24")
	a.Resolve(1, 7, a4(10, 0, 0, 2), 4)
	b := newHost(macB, "10.0.0.2/24")
	pass(1, a, b, macA)
	pass(1, b, a, macB)
	a.news = nil
	var dsts []l2.MAC
	now := a.Tick(2)
	if now != 30*sec+1 {
		t.Fatalf("first probe at %d, want 30 s", now)
	}
	for len(a.news) == 0 {
		now = a.Tick(now)
		for _, f := range a.frames {
			dsts = append(dsts, f.dst)
		}
		a.frames = nil
	}
	if w := []l2.MAC{macB, macB, macB, l2.Broadcast, l2.Broadcast, l2.Broadcast}; !slices.Equal(dsts, w) {
		t.Errorf("asked %x, want %x", dsts, w)
	}
	want(t, "news", a.news, "7 000000000000 false")
}

func TestForget(t *testing.T) {
	a := newHost(macA, "10.0.0.1/24")
	a.Resolve(1, 7, a4(10, 0, 0, 2), 4)
	a.Forget(a4(10, 0, 0, 2), 4)
	if next := a.Tick(100 * sec); next != 0 || len(a.news) != 0 {
		t.Errorf("after Forget: next %d, news %q", next, a.news)
	}
}

func TestMovedNeighbour(t *testing.T) {
	a := newHost(macA, "10.0.0.1/24")
	a.Resolve(1, 7, a4(10, 0, 0, 2), 4)
	newHost(macB, "10.0.0.2/24").give(1, a)
	moved := l2.MAC{2, 0, 0, 0, 0, 0xcc}
	newHost(moved, "10.0.0.2/24").give(2, a)
	want(t, "news", a.news, "7 02000000000b true", "7 0200000000cc true")
}

func (h *host) give(now int64, to *host) {
	h.Announce()
	pass(now, h, to, l2.MAC{})
}

// Duplicate address detection of others for our addresses is answered, nothing
// is learned from it, and theirs for other addresses is left alone.
func TestOthersDAD(t *testing.T) {
	a := newHost(macA, "10.0.0.1/24", "fd01::1/64")
	probe := l2.ARP{Op: l2.ARPRequest, SenderMAC: macB, Target: [4]byte{10, 0, 0, 1}}
	a.Input(1, macB, l2.TypeARP, l2.AppendARP(nil, probe))
	if len(a.frames) != 1 || a.frames[0].dst != macB {
		t.Errorf("ARP probe: got %+v, want one answer to the asker", a.frames)
	}
	a.frames = nil
	ask := func(last byte) []byte {
		return l2.AppendND(nil, l2.ND{Type: l2.NDSolicit, Dst: l2.SolicitedNode(addr6(last)), Target: addr6(last)})
	}
	a.Input(2, macB, l2.TypeIPv6, ask(1))
	if len(a.frames) != 1 || a.frames[0].dst != l2.MulticastMAC(l2.AllNodes) {
		t.Fatalf("ND probe: got %+v, want one answer to all nodes", a.frames)
	}
	n, err := l2.ParseND(a.frames[0].b)
	if err != nil || n.Flags&l2.NDSolicited != 0 || n.Dst != l2.AllNodes {
		t.Errorf("ND answer: got %+v, %v", n, err)
	}
	a.frames = nil
	a.Input(3, macB, l2.TypeIPv6, ask(9))
	if len(a.frames) != 0 {
		t.Errorf("somebody else's address: got %+v, want silence", a.frames)
	}
}

func TestConflictIsCountedOnly(t *testing.T) {
	a := newHost(macA, "10.0.0.1/24", "fd01::1/64")
	newHost(macB, "10.0.0.1/24", "fd01::1/64").give(1, a)
	if got := a.Stats().Conflicts; got != 2 {
		t.Errorf("conflicts: got %d, want 2", got)
	}
	if len(a.frames) != 0 {
		t.Errorf("got %+v, want silence", a.frames)
	}
}

// A station never learns from strangers what it did not ask for, and its
// memory does not grow with what is on the wire.
func TestStrangersLeaveNoTrace(t *testing.T) {
	a := newHost(macA, "10.0.0.1/16")
	for i := range 10000 {
		p := l2.ARP{Op: l2.ARPReply, SenderMAC: macB, Sender: [4]byte{10, 0, byte(i >> 8), byte(i)}, TargetMAC: macA}
		if p.Sender == [4]byte{10, 0, 0, 1} {
			continue
		}
		a.Input(1, macB, l2.TypeARP, l2.AppendARP(nil, p))
	}
	if next := a.Tick(2); next != 0 || len(a.news) != 0 || len(a.frames) != 0 {
		t.Errorf("got next %d, news %q, frames %d", next, a.news, len(a.frames))
	}
}

func TestInputPassesTraffic(t *testing.T) {
	a := newHost(macA, "10.0.0.1/24")
	if a.Input(1, macB, l2.TypeIPv4, unhex(t, echo4)) != true || len(a.frames) != 1 || a.frames[0].dst != macB {
		t.Errorf("echo to us: got %+v, want an answer", a.frames)
	}
	other := newHost(macA, "10.0.0.9/24")
	if other.Input(1, macB, l2.TypeIPv4, unhex(t, echo4)) {
		t.Error("echo to another host was kept, want it forwarded")
	}
	if a.Input(1, macB, l2.TypeIPv4, unhex(t, reply4)) {
		t.Error("echo reply was kept, want it forwarded")
	}
}

func FuzzInput(f *testing.F) {
	for _, s := range []string{echo4, echo4Opt, echo6, solicitation, advertisement} {
		f.Add(uint16(l2.TypeIPv6), unhex(f, s))
		f.Add(uint16(l2.TypeIPv4), unhex(f, s))
	}
	f.Add(uint16(l2.TypeARP), unhex(f, "0001080006040001"+"02000000000a"+"0a000001"+"000000000000"+"0a000002"))
	f.Fuzz(func(t *testing.T, typ uint16, b []byte) {
		a := newHost(macB, "10.0.0.1/24", "fd01::1/64")
		a.Resolve(1, 1, a4(10, 0, 0, 2), 4)
		a.Resolve(1, 2, addr6(2), 6)
		a.frames = nil
		before := slices.Clone(b)
		a.Input(2, macA, typ, b)
		if !slices.Equal(b, before) {
			t.Error("input was changed")
		}
		if len(a.frames) > 1 {
			t.Errorf("%d frames for one", len(a.frames))
		}
		for _, f := range a.frames {
			if len(f.b) > 1500 || len(f.b) > len(b)+64 {
				t.Errorf("%d bytes for %d", len(f.b), len(b))
			}
		}
	})
}
