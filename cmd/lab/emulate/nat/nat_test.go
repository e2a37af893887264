package nat_test

import (
	"net/netip"
	"testing"
	"time"

	"waymark/cmd/lab/emulate/nat"
	"waymark/svr/packet"
)

var (
	inside   = netip.MustParseAddrPort("100.64.0.10:1280")
	external = netip.MustParseAddr("198.18.0.2")
	hub      = netip.MustParseAddrPort("198.51.100.2:1280")
	sameHost = netip.MustParseAddrPort("198.51.100.2:20001")
	other    = netip.MustParseAddrPort("192.0.2.10:1280")
	start    = time.Unix(1000, 0)
)

// rig is a NAT and its clock.
type rig struct {
	*testing.T
	n   *nat.NAT
	now time.Time
}

func newRig(t *testing.T, c nat.Config) *rig {
	c.External = external
	return &rig{t, nat.New(c), start}
}

func build(t *testing.T, src, dst netip.AddrPort, proto uint8) *packet.Packet {
	t.Helper()
	var p packet.Packet
	p.Reset(make([]byte, 600), 14, 14, 0)
	if packet.Build(&p, packet.MakeTuple(src, dst, proto), 64, 0, 33) == nil {
		t.Fatal("not built")
	}
	p.FinishFull()
	return &p
}

// read is the tuple of a rewritten packet, whose checksums must be right.
func (r *rig) read(p *packet.Packet) packet.Tuple {
	r.Helper()
	var q packet.Packet
	q.Reset(p.Buf[:p.End], p.Off, p.End, 0)
	if err := q.Parse(); err != nil || !q.VerifyL4() {
		r.Fatalf("rewritten packet: %v, or its checksum", err)
	}
	return q.T
}

// out sends from inside and returns where it is seen to come from.
func (r *rig) out(src, dst netip.AddrPort, proto uint8) (netip.AddrPort, bool) {
	r.Helper()
	p := build(r.T, src, dst, proto)
	if !r.n.Out(p.Buf[:p.End], p.Off, r.now) {
		return netip.AddrPort{}, false
	}
	t := r.read(p)
	return netip.AddrPortFrom(t.SrcAddr(), t.SrcPort), true
}

// in sends from outside; where it arrives, or not.
func (r *rig) in(src, dst netip.AddrPort, proto uint8) (netip.AddrPort, bool) {
	r.Helper()
	p := build(r.T, src, dst, proto)
	if !r.n.In(p.Buf[:p.End], p.Off, r.now) {
		return netip.AddrPort{}, false
	}
	t := r.read(p)
	return netip.AddrPortFrom(t.DstAddr(), t.DstPort), true
}

// What a place outside depends on, and who may answer there.
func TestMappings(t *testing.T) {
	for _, row := range []struct {
		kind             nat.Kind
		sameHost, others bool // have the same place, and may answer
	}{{nat.Independent, true, true}, {nat.Address, true, false}, {nat.Symmetric, false, false}} {
		for _, proto := range []uint8{packet.ProtoUDP, packet.ProtoTCP} {
			t.Run(row.kind.String(), func(t *testing.T) {
				r := newRig(t, nat.Config{Mapping: row.kind, Seed: 5})
				seen, ok := r.out(inside, hub, proto)
				if !ok || seen.Addr() != external {
					t.Fatalf("seen as %v", seen)
				}
				for _, far := range []struct {
					from netip.AddrPort
					may  bool
				}{{hub, true}, {sameHost, row.sameHost}, {other, row.others}} {
					if to, ok := r.in(far.from, seen, proto); ok != far.may || ok && to != inside {
						t.Errorf("answer of %v: %v to %v, want %v", far.from, ok, to, far.may)
					}
				}
				for _, far := range []struct {
					to   netip.AddrPort
					same bool
				}{{hub, true}, {sameHost, row.sameHost}, {other, row.others}} {
					if again, ok := r.out(inside, far.to, proto); !ok || (again == seen) != far.same {
						t.Errorf("to %v seen as %v, to the hub as %v", far.to, again, seen)
					}
				}
				if _, ok := r.in(hub, netip.AddrPortFrom(external, seen.Port()+1), proto); ok {
					t.Error("a port that nobody has lets something in")
				}
				if _, ok := r.in(hub, netip.AddrPortFrom(other.Addr(), seen.Port()), proto); ok {
					t.Error("another address lets something in")
				}
			})
		}
	}
}

// Mappings end by their timers, and what renews them does.
func TestTimers(t *testing.T) {
	type step struct {
		after time.Duration
		in    bool // else out
		lives bool // out: the same place as before; in: it arrives
	}
	c := nat.Config{Mapping: nat.Symmetric, Unreplied: 5 * time.Second, Replied: 20 * time.Second, Seed: 1}
	for name, steps := range map[string][]step{
		"nobody answered":          {{5 * time.Second, true, false}},
		"answered at the end":      {{4999 * time.Millisecond, true, true}},
		"answered, then silent":    {{time.Second, true, true}, {19 * time.Second, true, true}, {20 * time.Second, true, false}},
		"sent again, not answered": {{4 * time.Second, false, true}, {4 * time.Second, true, true}},
		"sent too late":            {{6 * time.Second, false, false}},
		"kept by sending":          {{time.Second, true, true}, {15 * time.Second, false, true}, {15 * time.Second, false, true}, {15 * time.Second, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c)
			seen, _ := r.out(inside, hub, packet.ProtoUDP)
			for i, s := range steps {
				r.now = r.now.Add(s.after)
				if s.in {
					if _, ok := r.in(hub, seen, packet.ProtoUDP); ok != s.lives {
						t.Errorf("step %d: arrived %v", i, ok)
					}
				} else if again, _ := r.out(inside, hub, packet.ProtoUDP); (again == seen) != s.lives {
					t.Errorf("step %d: seen as %v, before %v", i, again, seen)
				}
			}
		})
	}
}

// The same seed gives the same ports, another one others; an address that changes
// takes the mappings with it; everything that is mapped has a place of its own.
func TestPortsAndAddresses(t *testing.T) {
	ports := func(seed uint64) (list [200]netip.AddrPort) {
		r := newRig(t, nat.Config{Mapping: nat.Symmetric, Seed: seed})
		taken := map[netip.AddrPort]bool{}
		for i := range list {
			list[i], _ = r.out(netip.AddrPortFrom(inside.Addr(), uint16(2000+i)), hub, packet.ProtoUDP)
			if taken[list[i]] {
				t.Fatalf("%v twice", list[i])
			}
			taken[list[i]] = true
		}
		return list
	}
	if first := ports(1); ports(1) != first || ports(2) == first {
		t.Error("seeds do not decide the ports")
	}
	r := newRig(t, nat.Config{})
	old, _ := r.out(inside, hub, packet.ProtoUDP)
	moved := netip.MustParseAddr("198.18.0.66")
	r.n.Move(moved)
	if _, ok := r.in(hub, old, packet.ProtoUDP); ok {
		t.Error("the old address lets something in")
	}
	if seen, ok := r.out(inside, hub, packet.ProtoUDP); !ok || seen.Addr() != moved {
		t.Errorf("seen as %v", seen)
	}
}

// Echo messages have one number for both ports.
func TestEcho(t *testing.T) {
	r := newRig(t, nat.Config{Mapping: nat.Symmetric})
	a, b := netip.AddrPortFrom(inside.Addr(), 77), netip.AddrPortFrom(hub.Addr(), 77)
	seen, ok := r.out(a, b, packet.ProtoICMP)
	if !ok {
		t.Fatal("does not pass")
	}
	back := netip.AddrPortFrom(b.Addr(), seen.Port())
	if to, ok := r.in(back, seen, packet.ProtoICMP); !ok || to != a {
		t.Errorf("arrives at %v, %v", to, ok)
	}
}

// What no NAT takes is lost; every port taken is no panic, and ports come back.
func TestLimits(t *testing.T) {
	r := newRig(t, nat.Config{Mapping: nat.Independent, Unreplied: time.Second})
	for i := range 1 << 16 {
		src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{100, 64, byte(i >> 14), 1}), uint16(i%(1<<14)+1))
		if _, ok := r.out(src, hub, packet.ProtoUDP); ok != (i < 65536-1024) {
			t.Fatalf("mapping %d: %v", i, ok)
		}
	}
	r.now = r.now.Add(time.Second)
	if n := r.n.Mappings(r.now); n != 0 {
		t.Errorf("%d alive", n)
	}
	if _, ok := r.out(inside, hub, packet.ProtoUDP); !ok {
		t.Error("ports do not come back")
	}
	if r.n.Out(make([]byte, 60), 14, r.now) || r.n.In([]byte{14: 0x45}, 14, r.now) {
		t.Error("nonsense passes")
	}
}

// A configuration survives its text; what means nothing is refused.
func TestParse(t *testing.T) {
	c := nat.Config{External: external, Mapping: nat.Address, Unreplied: 5 * time.Second, Replied: time.Minute, Seed: 9}
	if got, err := nat.Parse(c.String()); err != nil || got != c {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "x,symmetric,1s,1s,0", "::1,symmetric,1s,1s,0", "1.2.3.4,full,1s,1s,0", "1.2.3.4,address,1,1s,0",
		"1.2.3.4,address,-1s,1s,0", "1.2.3.4,address,1s,1s,x"} {
		if _, err := nat.Parse(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
