package session_test

import (
	"net/netip"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/router"
	"waymark/svr/session"
)

// small pools, in the proportions of the profiles: two slots to a session, and
// room for the IPv6 flow of a town.
var smallPools = router.Profile{Name: "small", Sessions: 512, Slots: 1032, Wayports: 4096, Mappings: 128, Hops: 1024}

var simPools = router.Profile{Name: "sim", Sessions: 4096, Slots: 16384, Wayports: 16384, Mappings: 1024, Hops: 256}

// idleEnd is longer than every idle timeout of acme, in seconds.
const idleEnd = 8000

// poolTown is a town whose routers have pools of the given sizes.
func poolTown(t testing.TB, branch, hub router.Profile, replace ...string) *town {
	s := newSim(t)
	a := acmeAuthority(t, replace...)
	return &town{s: s, branch: s.bootSized(a, "branch1", false, branch), hub: s.bootSized(a, "hub1", false, hub)}
}

// stray is a first packet of a flow of its own, number k.
func stray(proto uint8, k int, dst netip.AddrPort) packet.Packet {
	src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 1, byte(100 + k%100)}), uint16(1024+k/100))
	t := packet.MakeTuple(src, dst, proto)
	if proto == packet.ProtoTCP {
		return shrink(tcp(t, packet.FlagSYN, uint32(k), 0, nil))
	}
	return shrink(udp(t, []byte("stray")))
}

func shrink(p packet.Packet) packet.Packet { return small(&p) }

// drain lets time pass in steps of a second until all sessions are over.
func (s *sim) drain(seconds int) {
	for range seconds {
		s.now += 1e9
		s.unix++
		for _, n := range s.nodes {
			n.e.Begin(s.now, s.unix)
			n.e.Tick()
		}
		s.run()
	}
}

// empty says that a router holds nothing of any session any more.
func (n *node) empty(t testing.TB) {
	t.Helper()
	if got := n.e.Live(); got != 0 {
		t.Errorf("%s: %d sessions, want 0\n%s", n.name, got, state(n))
	}
	for i, id := range n.parts.Pathway {
		if s := n.parts.Wayports.Stats(id); s.InUse != 0 || s.Unknown != 0 {
			t.Errorf("%s: path %d has %d pairs in use, %d freed twice", n.name, i, s.InUse, s.Unknown)
		}
	}
	if s := n.parts.NAT.Stats(); s.InUse != 0 || s.Unknown != 0 {
		t.Errorf("%s: %d mappings in use, %d freed twice", n.name, s.InUse, s.Unknown)
	}
	if s := n.parts.Table.Stats(); s.Directions != 0 || s.Used != 0 {
		t.Errorf("%s: %d directions in %d slots, want none", n.name, s.Directions, s.Used)
	}
	if got := n.held(); got != 0 {
		t.Errorf("%s: sessions hold %d next-hops, want none", n.name, got)
	}
	if used, _ := n.e.KeysInUse(); used != 0 {
		t.Errorf("%s: %d keys in use, want 0", n.name, used)
	}
	if used, _ := n.e.Fragments(); used != 0 {
		t.Errorf("%s: %d packets in pieces, want none", n.name, used)
	}
}

// TestDrain: sessions of every sort end by time and leave nothing behind.
func TestDrain(t *testing.T) {
	for _, prot := range protections {
		t.Run(prot.name, func(t *testing.T) {
			w := newTown(t, prot.replace...)
			w.open()
			w.speak(t)
			for k := range 20 {
				w.branch.from("lan", stray(packet.ProtoTCP, k, netip.MustParseAddrPort("10.20.0.80:8443")))
				w.branch.from("lan", stray(packet.ProtoUDP, k, netip.MustParseAddrPort("10.20.0.5:99")))
				w.branch.from("lan", stray(packet.ProtoTCP, k, netip.MustParseAddrPort("192.0.2.1:80")))
			}
			if live := w.branch.e.Live(); live != 67 {
				t.Fatalf("%d sessions at branch1, want 67", live)
			}
			w.s.drain(idleEnd)
			w.branch.empty(t)
			w.hub.empty(t)
		})
	}
}

// TestFullAtOnce: when everything in a full pool is younger than a second or
// answered, the new session is refused and counted, and nothing else changes.
func TestFullAtOnce(t *testing.T) {
	for _, full := range []string{"branch1", "hub1"} {
		t.Run(full, func(t *testing.T) {
			branch, hub := smallPools, simPools
			if full == "hub1" {
				branch, hub = hub, branch
			}
			w := poolTown(t, branch, hub)
			w.open()
			w.speak(t)
			n := w.s.nodes[full]
			room := smallPools.Sessions - n.e.Capacity().Entries
			before := state(n)
			for k := range room + 100 {
				w.branch.from("lan", stray(packet.ProtoTCP, k, netip.MustParseAddrPort("10.20.0.5:80")))
			}
			if got := n.count(session.SessionRefusedFull); got != 100 || n.count(session.SessionGaveWay) != 0 {
				t.Errorf("%d refused, %d gave way; want 100 and 0\n%s", got, n.count(session.SessionGaveWay), n.explain())
			}
			c := n.e.Capacity()
			if c.Entries != smallPools.Sessions || c.Highest != smallPools.Sessions || c.Refused != 100 {
				t.Errorf("capacity %+v", c)
			}
			w.speak(t)
			w.s.drain(60)
			w.speak(t)
			if got := state(n); len(got) != len(before) {
				t.Errorf("sessions changed:\n%s\nwas\n%s", got, before)
			}
			w.s.drain(idleEnd)
			w.branch.empty(t)
			w.hub.empty(t)
		})
	}
}

// TestFlood: SYNs that nobody answers, ten times as many as the pool holds. The
// oldest give way, live flows do not notice, and who retries gets in.
func TestFlood(t *testing.T) {
	for _, full := range []string{"branch1", "hub1"} {
		t.Run(full, func(t *testing.T) {
			branch, hub := smallPools, router.Profile{Name: "large", Sessions: 1 << 15, Slots: 1 << 16, Wayports: 1 << 16, Mappings: 64, Hops: 1024}
			if full == "hub1" {
				branch, hub = hub, branch
			}
			w := poolTown(t, branch, hub)
			w.open()
			w.speak(t)
			n := w.s.nodes[full]
			rows := sessionRows(n, w)
			guest := tuple(packet.ProtoTCP, "192.168.1.99:5000", "10.20.0.5:80")
			tries, answered := 0, false
			w.s.host("10.20.0.5").answer = func(p *packet.Packet) { answered = answered || p.T == guest }
			for k := range 10 * smallPools.Sessions {
				w.branch.from("lan", stray(packet.ProtoTCP, k, netip.MustParseAddrPort("10.20.0.5:80")))
				w.s.now += 1e6
				if k%100 == 99 {
					w.s.advance(1)
				}
				if k%500 == 250 {
					for _, d := range w.all {
						d.speak(t)
					}
				}
				if k > 2000 && k%1000 == 0 && !answered { // the guest's SYN, sent again every second
					tries++
					w.branch.from("lan", tcp(guest, packet.FlagSYN, 1, 0, nil))
				}
			}
			if !answered || tries > 3 {
				t.Errorf("in the flood a guest got in: %v, after %d tries\n%s", answered, tries, n.explain())
			}
			if n.count(session.SessionGaveWay) == 0 {
				t.Errorf("nothing gave way\n%s", n.explain())
			}
			if got := sessionRows(n, w); got != rows {
				t.Errorf("live sessions changed:\n%s\nwere\n%s", got, rows)
			}
			w.s.host("10.20.0.5").answer = nil
			w.s.drain(idleEnd)
			w.branch.empty(t)
			w.hub.empty(t)
		})
	}
}

// sessionRows is where the sessions of a town's flows are at router n.
func sessionRows(n *node, w *town) (text string) {
	for _, d := range w.all {
		if r := n.sessionOf(d.out); r != nil {
			text += r.Key.Tuple.String() + " to " + r.To.String() + "\n"
		} else {
			text += "lost " + d.out.String() + "\n"
		}
	}
	return text
}

// TestPoolsRunOut: wayports, NAT mappings and GCM keys end one by one; the
// sessions that do not get one are refused and counted, the others go on.
func TestPoolsRunOut(t *testing.T) {
	few := func(change func(p *router.Profile)) router.Profile {
		p := simPools
		change(&p)
		return p
	}
	for _, row := range []struct {
		name    string
		pools   router.Profile
		replace []string
		dst     string
		proto   uint8
		count   session.Counter
		fit     int // more sessions at most
	}{
		{"wayport memory", few(func(p *router.Profile) { p.Wayports = 100 }), nil,
			"10.20.0.5:80", packet.ProtoTCP, session.DropWayports, 95},
		{"NAT mappings", few(func(p *router.Profile) { p.Mappings = 30 }), nil,
			"192.0.2.1:80", packet.ProtoTCP, session.DropNAT, 30},
		{"keys", simPools, protections[2].replace,
			"10.20.0.80:8443", packet.ProtoTCP, session.SessionRefusedFull, 1022},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := poolTown(t, row.pools, simPools, row.replace...)
			w.open()
			w.speak(t)
			rows, live := sessionRows(w.branch, w), w.branch.e.Live()
			for k := range row.fit + 50 {
				w.branch.from("lan", stray(row.proto, k, netip.MustParseAddrPort(row.dst)))
			}
			if got := w.branch.e.Live() - live; got != row.fit {
				t.Errorf("%d sessions more, want %d\n%s", got, row.fit, w.branch.explain())
			}
			if got := w.branch.count(row.count); got != 50 {
				t.Errorf("%v = %d, want 50\n%s", row.count, got, w.branch.explain())
			}
			w.speak(t)
			if got := sessionRows(w.branch, w); got != rows {
				t.Errorf("live sessions changed:\n%s\nwere\n%s", got, rows)
			}
			w.s.drain(idleEnd)
			w.branch.empty(t)
			w.hub.empty(t)
		})
	}
}

// TestKeysByNeed: a router whose services use no GCM has no memory for its keys.
func TestKeysByNeed(t *testing.T) {
	for _, row := range []struct {
		name    string
		replace []string
		want    int
	}{{"clear and CBC", nil, 0}, {"GCM", protections[2].replace, 1024}} {
		w := newTown(t, row.replace...)
		if _, limit := w.branch.e.KeysInUse(); limit != row.want {
			t.Errorf("%s: %d entries, want %d", row.name, limit, row.want)
		}
	}
}
