package session_test

import (
	"testing"

	"waymark/svr/packet"
	"waymark/svr/router"
	"waymark/svr/session"
)

// stillPools hold every session that an allocation test opens.
var stillPools = router.Profile{Name: "still", Sessions: 16384, Slots: 65536, Wayports: 65536, Mappings: 4096, Hops: 256}

// Changes of acme's configuration: the payload of service datacenter protected,
// and waypoints with IPv6 addresses.
const datacenter = "\"fd00:20::/64\"],\n       \"security\": "

var (
	allCBC = []string{datacenter + `"clear"`, datacenter + `"payload-cbc"`}
	allGCM = append(allCBC, protections[2].replace...)
	outer6 = []string{
		`{"ip-address": "203.0.113.2", "prefix-length": 24, "gateway": "203.0.113.1"}`,
		`{"ip-address": "2001:db8:1::2", "prefix-length": 64, "gateway": "2001:db8:1::1"}`,
		`{"ip-address": "198.51.100.2", "prefix-length": 24, "gateway": "198.51.100.1"}`,
		`{"ip-address": "2001:db8:2::2", "prefix-length": 64, "gateway": "2001:db8:2::1"}`,
	}
)

// worlds are the ways in which packets travel.
var worlds = []struct {
	name    string
	replace []string
}{
	{"clear", nil},
	{"CBC", allCBC},
	{"GCM", allGCM},
	{"clear over IPv6", outer6},
	{"CBC over IPv6", append(outer6[:4:4], allCBC...)},
	{"GCM over IPv6", append(outer6[:4:4], allGCM...)},
}

// flows are a packet there and one back, as hosts send them.
func stillFlows() []struct {
	name        string
	forth, back packet.Packet
} {
	v4, v6 := tuple(packet.ProtoUDP, "192.168.1.77:40000", "10.20.0.5:443"), tuple(packet.ProtoUDP, "[fd00:1::77]:40000", "[fd00:20::5]:443")
	e4, e6 := tuple(packet.ProtoICMP, "192.168.1.77:7", "10.20.0.5:7"), tuple(packet.ProtoICMPv6, "[fd00:1::77]:7", "[fd00:20::5]:7")
	data := make([]byte, 1200)
	pair := func(t packet.Tuple) (f, b packet.Packet) {
		if t.Proto == packet.ProtoTCP {
			return shrink(tcp(t, packet.FlagACK, 101, 901, data)), shrink(tcp(t.Reverse(), packet.FlagACK, 901, 101, data))
		}
		return shrink(udp(t, data)), shrink(udp(t.Reverse(), data))
	}
	type row = struct {
		name        string
		forth, back packet.Packet
	}
	var rows []row
	add := func(name string, t packet.Tuple) {
		f, b := pair(t)
		rows = append(rows, row{name, f, b})
	}
	add("UDP", v4)
	add("UDP of IPv6", v6)
	v4.Proto, v6.Proto = packet.ProtoTCP, packet.ProtoTCP
	add("TCP", v4)
	add("TCP of IPv6", v6)
	rows = append(rows, row{"echo", shrink(echo(e4, false, 1)), shrink(echo(e4.Reverse(), true, 1))},
		row{"echo of IPv6", shrink(echo(e6, false, 1)), shrink(echo(e6.Reverse(), true, 1))})
	return rows
}

// TestNoAllocations: packets of established sessions cost no memory, whatever
// their protection and families, in both directions (row 11).
func TestNoAllocations(t *testing.T) {
	for _, w := range worlds {
		for _, f := range stillFlows() {
			t.Run(w.name+"/"+f.name, func(t *testing.T) {
				p := newStillPair(t, stillPools, w.replace...)
				p.shake(&f.forth, &f.back)
				got := testing.AllocsPerRun(500, func() {
					p.now += 1e6
					p.forth(&f.forth)
					p.must(1)
					p.back(&f.back)
					p.must(1)
				})
				if got != 0 {
					t.Errorf("%v allocations for a packet there and back, want 0", got)
				}
			})
		}
	}
}

// must says how many packets the last carry brought to a host.
func (p *stillPair) must(n int) {
	if p.arrived != n {
		p.t.Fatalf("%d packets arrived, want %d\n%s\n%s", p.arrived, n, explain(p.branch.e), explain(p.hub.e))
	}
}

func explain(e *session.Engine) string { return (&node{e: e}).explain() }

// shake opens the session of a flow and ends its handshake.
func (p *stillPair) shake(forth, back *packet.Packet) {
	p.t.Helper()
	if forth.Kind == packet.KindTCP {
		syn, ack := shrink(tcp(forth.T, packet.FlagSYN, 100, 0, nil)), shrink(tcp(back.T, packet.FlagSYN|packet.FlagACK, 900, 101, nil))
		p.forth(&syn)
		p.back(&ack)
	}
	for range 4 {
		p.tick(5e6)
		p.forth(forth)
		p.tick(5e6)
		p.back(back)
	}
	p.must(1)
}

// TestNoAllocationsOfFirstPackets: new sessions cost no memory either: first
// packet with metadata, acceptance, answer, end of handshake, and the removal of
// sessions that nobody answers. The totals are counted, not rounded down to a
// number for each session.
func TestNoAllocationsOfFirstPackets(t *testing.T) {
	for _, w := range worlds {
		for _, f := range stillFlows()[:4] {
			t.Run(w.name+"/"+f.name, func(t *testing.T) {
				p := newStillPair(t, stillPools, w.replace...)
				forth, back := f.forth, f.back
				if forth.Kind == packet.KindTCP {
					forth = shrink(tcp(f.forth.T, packet.FlagSYN, 100, 0, nil))
					back = shrink(tcp(f.back.T, packet.FlagSYN|packet.FlagACK, 900, 101, nil))
				}
				for range 10 { // memory that is made once
					p.fresh(&forth, &back, true)
				}
				for answered, many := range map[bool]int{true: 500, false: 1000} {
					got := allocations(func() {
						for range many {
							p.fresh(&forth, &back, answered)
						}
					})
					if got != 0 {
						t.Errorf("%v allocations for %d sessions, answered: %v, want 0", got, many, answered)
					}
				}
				if gone := p.branch.e.Stats()[session.HandshakeTimeout]; gone < 400 {
					t.Errorf("%d sessions ended by time, want many\n%s", gone, explain(p.branch.e))
				}
			})
		}
	}
}

// allocations counts those of one call, after another that may make what is kept.
func allocations(f func()) float64 { return testing.AllocsPerRun(1, f) }

// fresh opens another session.
func (p *stillPair) fresh(forth, back *packet.Packet, answered bool) {
	next := forth.T
	if next.SrcPort++; next.SrcPort < 1024 {
		next.SrcPort = 1024
	}
	forth.Rewrite(next)
	back.Rewrite(next.Reverse())
	p.tick(20e6)
	p.forth(forth)
	p.must(1)
	if !answered {
		return
	}
	p.tick(2e6)
	p.back(back)
	p.must(1)
}

// rareThings are what a stranger, a fault or a bad path brings about.
var rareThings = []struct {
	name  string
	count session.Counter // of either router, once each time
	scene func(t *testing.T, p *stillPair) func()
}{
	{"forged metadata", session.DropDigestBad, func(t *testing.T, p *stillPair) func() {
		first := p.firstPacket(&stillFlows()[0].forth)
		bad := withData(first, append(first.Payload()[:first.End-first.Data-1:first.End-first.Data-1], 0))
		return func() { p.hub.take(&bad, p.wan, p.now) }
	}},
	{"replayed metadata", session.MetadataRemoved, func(t *testing.T, p *stillPair) func() {
		first := p.firstPacket(&stillFlows()[0].forth)
		return func() { p.hub.take(&first, p.wan, p.now) }
	}},
	{"metadata from elsewhere", session.SentChallenge, func(t *testing.T, p *stillPair) func() {
		first := p.firstPacket(&stillFlows()[0].forth)
		out := first.T
		out.SrcPort += 2
		first = retuple(first, out)
		return func() { p.tick(200e6); p.hub.take(&first, p.wan, p.now) }
	}},
	{"strangers", session.SentEnable, func(t *testing.T, p *stillPair) func() {
		first := p.firstPacket(&stillFlows()[0].forth)
		out := first.T
		out.SrcPort += 2
		bare := shrink(udp(out, []byte("bare")))
		return func() { p.tick(1e9); p.hub.take(&bare, p.wan, p.now) }
	}},
	{"long first packets", session.FabricJoined, func(t *testing.T, p *stillPair) func() {
		long := shrink(udp(stillFlows()[0].forth.T, make([]byte, 1472)))
		return func() {
			next := long.T
			next.SrcPort++
			long.Rewrite(next)
			p.tick(1e6)
			p.branch.take(&long, p.lan, p.now)
			if p.branch.n != 2 {
				t.Fatalf("%d fragments, want 2", p.branch.n)
			}
			for i := range p.branch.n {
				f := &p.branch.sent[i]
				f.CompleteCsum()
				p.hub.take(f, p.wan, p.now)
			}
			if p.hub.n != 1 {
				t.Fatalf("%d packets arrived, want 1\n%s", p.hub.n, explain(p.hub.e))
			}
		}
	}},
	{"too big", session.DropTooBig, func(t *testing.T, p *stillPair) func() {
		q := shrink(udp(tuple(packet.ProtoUDP, "[fd00:1::77]:40000", "[fd00:20::5]:443"), make([]byte, 1200)))
		q.Buf = append(q.Buf, make([]byte, 1000)...)
		big := withData(q, make([]byte, 1500))
		return func() { p.tick(5e6); p.branch.take(&big, p.lan, p.now) }
	}},
	{"no route", session.DropNoRoute, func(t *testing.T, p *stillPair) func() {
		q := shrink(udp(tuple(packet.ProtoUDP, "[fd00:1::77]:40000", "[2001:db8:9::1]:443"), []byte("x")))
		return func() { p.tick(5e6); p.branch.take(&q, p.lan, p.now) }
	}},
	{"TTL 1", session.DropTTL, func(t *testing.T, p *stillPair) func() {
		q := small(&stillFlows()[0].forth)
		q.SetTTL(1)
		return func() { p.tick(5e6); p.branch.take(&q, p.lan, p.now) }
	}},
	{"breakout", session.SessionsOpened, func(t *testing.T, p *stillPair) func() {
		q := shrink(tcp(tuple(packet.ProtoTCP, "192.168.1.77:2000", "192.0.2.1:80"), packet.FlagSYN, 1, 0, nil))
		return func() {
			next := q.T
			next.SrcPort++
			q.Rewrite(next)
			p.tick(1e6)
			p.branch.take(&q, p.lan, p.now)
			if p.branch.n != 1 {
				t.Fatalf("%d packets left\n%s", p.branch.n, explain(p.branch.e))
			}
		}
	}},
	{"super-packets with metadata", session.MetadataAdded, func(t *testing.T, p *stillPair) func() {
		q := tcp(tuple(packet.ProtoTCP, "192.168.1.77:2000", "10.20.0.5:80"), packet.FlagSYN, 1, 0, nil)
		p.forth(&q)
		q = tcp(q.T, packet.FlagACK, 2, 1, make([]byte, 20000))
		q.Finish()
		q.GSO, q.GSOSize = packet.GSOTCP4, 1300
		return func() { p.tick(1e6); p.branch.take(&q, p.lan, p.now) }
	}},
}

// TestNoAllocationsOfRareThings: they cost no memory.
func TestNoAllocationsOfRareThings(t *testing.T) {
	for _, row := range rareThings {
		t.Run(row.name, func(t *testing.T) {
			p := newStillPair(t, stillPools, `"hmac-mode": "time-based"`, `"hmac-mode": "regular"`)
			scene := row.scene(t, p)
			scene()
			if got := testing.AllocsPerRun(200, scene); got != 0 {
				t.Errorf("%v allocations, want 0", got)
			}
			if got := p.branch.e.Stats()[row.count] + p.hub.e.Stats()[row.count]; got < 90 {
				t.Errorf("%v = %d, want 90 at least\n%s\n%s", row.count, got, explain(p.branch.e), explain(p.hub.e))
			}
		})
	}
}

// firstPacket opens the session of a flow and returns what went to the hub.
func (p *stillPair) firstPacket(forth *packet.Packet) packet.Packet {
	p.t.Helper()
	p.forth(forth)
	p.must(1)
	return small(&p.branch.sent[0])
}
