package peer_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"waymark/svr/path/peer"
	"waymark/svr/wire"
)

var bystander = netip.MustParseAddrPort("192.0.2.66:1280")

// recorded runs a network through a life and returns what a bystander captured
// of it: handshakes, a restart of each side, a Down, steady packets.
func recorded(t testing.TB) (n *network, tape []packet) {
	n = newNetwork(t).up()
	n.run(30 * sec)
	n.branch.path.Machine().SetAdminDown(true, n.now)
	n.run(5 * sec)
	n.branch.path.Machine().SetAdminDown(false, n.now)
	n.run(20 * sec)
	for _, s := range []*side{n.hub, n.branch} {
		n.run(sec)
		n.start(s)
		n.run(20 * sec)
	}
	n.run(10 * sec)
	n.branch.is(peer.Up)
	n.hub.is(peer.Up)
	n.wire = nil
	return n, n.record
}

// Every packet that ever was on the wire, from either place, changes nothing
// when it comes again: not the Down, not another epoch's first words.
func TestReplayIsNotBelieved(t *testing.T) {
	n, tape := recorded(t)
	downs := 0
	for _, s := range []*side{n.branch, n.hub} {
		for _, from := range []netip.AddrPort{bystander, netip.AddrPortFrom(branchAddr, 1280), netip.AddrPortFrom(hubAddr, 1280)} {
			before := s.path.Believed()
			for i, p := range tape {
				var f wire.Frame
				if wire.ParseFrame(p.data, &f) == nil && f.BFD.State <= wire.BFDDown {
					downs++
				}
				p.from = from
				if got := s.receive(p); got == peer.None {
					t.Fatalf("%s took packet %d of the tape: %+v", s.name, i, f.BFD)
				}
			}
			if s.path.Believed() != before {
				t.Errorf("%s believes something else after the tape from %v", s.name, from)
			}
		}
	}
	if downs < 100 {
		t.Fatalf("only %d Downs on the tape: it proves nothing", downs)
	}
}

// What a side sent itself does not come back to it.
func TestReflectionIsNotBelieved(t *testing.T) {
	n, _ := recorded(t)
	for _, s := range []*side{n.branch, n.hub} {
		before := s.path.Believed()
		for _, p := range s.sent {
			if s.receive(packet{data: p.data, from: p.from}) == peer.None {
				t.Fatalf("%s took its own packet", s.name)
			}
		}
		if s.path.Believed() != before {
			t.Errorf("%s: reflections changed the path", s.name)
		}
	}
}

// 10⁶ packets without the key: forged, cut, replayed, reflected. The state is
// the same to the byte, the table of endpoints included.
func TestForgedPacketsChangeNothing(t *testing.T) {
	n, tape := recorded(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	s := n.hub
	before := s.path.Believed()
	buf := make([]byte, 0, 2048)
	sources := make([]netip.AddrPort, 64)
	for i := range sources {
		sources[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), uint16(1000+i))
	}
	sources[0] = netip.AddrPortFrom(branchAddr, 1280)
	for i := range 1_000_000 {
		p := tape[rnd.IntN(len(tape))]
		buf = append(buf[:0], p.data...)
		switch i % 4 {
		case 0:
			buf[rnd.IntN(len(buf))] ^= byte(1 + rnd.IntN(255))
		case 1:
			buf = buf[:rnd.IntN(len(buf))]
		case 2:
			for range 4 {
				buf[rnd.IntN(len(buf))] = byte(rnd.Uint32())
			}
		}
		d := peer.Datagram{To: netip.AddrPortFrom(s.addr, wire.BFDPort), From: sources[rnd.IntN(len(sources))], Data: buf}
		if s.set.Receive(&d, n.now) == peer.None {
			t.Fatalf("packet %d was taken", i)
		}
	}
	if s.path.Believed() != before {
		t.Error("the state changed")
	}
}

// An unknown epoch makes us say little: ten answers a second.
func TestAnswersAreBounded(t *testing.T) {
	n, tape := recorded(t)
	n.hub.sent = nil
	for range 10 {
		for _, p := range tape {
			n.hub.receive(p)
		}
	}
	if got := len(n.hub.sent); got == 0 || got > 10 {
		t.Errorf("%d answers at one moment, want 1 to 10", got)
	}
}

// A relay between the two cannot keep the path: valid packets from its address
// evict no proven endpoint, and the direct way is used as soon as it works.
func TestRelayEvictsNobody(t *testing.T) {
	n := newNetwork(t).up()
	direct, _ := n.hub.path.Remote()
	for i := range 40 { // packets of the branch reach the hub through a relay, from ever new ports
		n.nat = netip.AddrPortFrom(bystander.Addr(), uint16(20000+i))
		n.run(2 * sec)
	}
	n.nat = netip.AddrPort{}
	n.run(10 * sec)
	if got, _ := n.hub.path.Remote(); got != direct {
		t.Errorf("the hub sends to %v, want %v", got, direct)
	}
	st := n.hub.path.Status()
	if st.Endpoints > 8 {
		t.Errorf("%d endpoints", st.Endpoints)
	}
}

func TestReceiveAllocatesNothing(t *testing.T) {
	steady, full := recordOf(t, 300)
	for name, list := range map[string][][]byte{"steady": steady.tape, "full": full.tape} {
		s := map[string]*side{"steady": steady.hub, "full": full.hub}[name]
		s.sent = nil
		s.mute = true
		d := peer.Datagram{To: netip.AddrPortFrom(s.addr, wire.BFDPort), From: netip.AddrPortFrom(branchAddr, 1280), Wall: s.wall()}
		i, taken, now := 0, 0, s.net.now
		if allocs := testing.AllocsPerRun(len(list)-2, func() {
			d.Data = list[i]
			now += ms
			if s.set.Receive(&d, now) == peer.None {
				taken++
			}
			s.set.Advance(now)
			i++
		}); allocs != 0 {
			t.Errorf("%s: %v allocations per packet, want 0", name, allocs)
		}
		if taken < len(list)/2 {
			t.Errorf("%s: only %d of %d packets were taken", name, taken, len(list))
		}
	}
}

// tapeOf is a network whose hub has yet to receive what the branch sent.
type tapeOf struct {
	*network
	tape [][]byte
}

// recordOf makes two networks: one whose branch has so many steady packets on
// the way, one with as many full ones.
func recordOf(t *testing.T, count int) (steady, full tapeOf) {
	for i, out := range []*tapeOf{&steady, &full} {
		out.network = newNetwork(t).up()
		out.cut = [2]bool{true, true}
		out.branch.sent = nil
		for range count {
			out.now += ms
			if i == 1 {
				out.branch.path.Full()
			}
			out.branch.path.Machine().Tell(out.now)
			out.branch.path.Wake(out.branch.set, out.now)
		}
		for _, p := range out.branch.sent {
			out.tape = append(out.tape, slices.Clone(p.data))
		}
	}
	return steady, full
}

// FuzzReceive: whatever arrives, nothing is taken that has no key, and nothing
// that is dropped changes what is believed.
func FuzzReceive(f *testing.F) {
	n, tape := recorded(f)
	for i := 0; i < len(tape); i += len(tape)/12 + 1 {
		f.Add(tape[i].data)
	}
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := n.hub.path.Believed()
		d := peer.Datagram{To: netip.AddrPortFrom(hubAddr, wire.BFDPort), From: bystander, Data: b}
		if n.hub.set.Receive(&d, n.now) == peer.None {
			t.Fatalf("taken: %x", b)
		}
		if n.hub.path.Believed() != before {
			t.Fatalf("the state changed by %x", b)
		}
	})
}
