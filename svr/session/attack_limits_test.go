package session_test

import (
	"bytes"
	"fmt"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/session"
	"waymark/svr/wire"
)

// newBystander watches a town whose flows are open and quiet.
func newBystander(t testing.TB, replace ...string) *bystander {
	b := watch(t, newTown(t, replace...))
	b.w.open()
	b.w.speak(t)
	return b
}

// recent makes the main dialog shake hands again and returns what was seen of
// that, a kind at a time.
func (b *bystander) recent(kind string) capture {
	b.w.s.advance(2100e6)
	mark := len(b.tape)
	b.send(b.craft(b.w.main.outer(b), b.enable()))
	b.w.main.chat(b.t)
	c := b.last(kind, b.tape[mark:])
	b.w.speak(b.t)
	return c
}

// answersOf counts what routers sent in an attack, by kind.
func answersOf(answers []capture) map[string]int {
	n := map[string]int{}
	for _, c := range answers {
		n[c.kind]++
	}
	return n
}

// TestWrongMetadata: metadata with a good digest that is wrong in itself makes
// no session and is counted for what it is.
func TestWrongMetadata(t *testing.T) {
	for _, row := range []struct {
		name string
		want session.Counter
		warp func(b *bystander, m *message)
	}{
		{"right", session.SessionsAccepted, func(b *bystander, m *message) {}},
		{"own router name", session.DropOwnRouter, func(b *bystander, m *message) { m.body.SetRouter([]byte("hub1")) }},
		{"unknown router", session.DropUnknownPeer, func(b *bystander, m *message) { m.body.SetRouter([]byte("branch9")) }},
		{"no router", session.DropUnknownPeer, func(b *bystander, m *message) { m.body.SetRouter(nil) }},
		{"unknown tenant", session.DropUnknownTenant, func(b *bystander, m *message) { m.body.SetTenant([]byte("nobody")) }},
		{"unknown service", session.DropUnknownService, func(b *bystander, m *message) { m.body.SetService([]byte("nothing")) }},
		{"service that encrypts", session.DropSecurityMismatch, func(b *bystander, m *message) { m.body.SetService([]byte("payroll")) }},
		{"says encrypted", session.DropSecurityMismatch, func(b *bystander, m *message) { m.body.SetEncrypted() }},
		{"security id 7", session.DropSecurityID, func(b *bystander, m *message) { m.head.SetSecurityID(7) }},
		{"no security id", session.DropSecurityID, func(b *bystander, m *message) { m.head.SetSecurityID(0) }},
		{"ten ticks early", session.DropDigestLate, func(b *bystander, m *message) { m.unix = b.w.s.unix + 20 }},
		{"ten ticks late", session.DropDigestLate, func(b *bystander, m *message) { m.unix = b.w.s.unix - 20 }},
		{"an hour late", session.DropDigestBad, func(b *bystander, m *message) { m.unix = b.w.s.unix - 3600 }},
		{"other key", session.DropDigestBad, func(b *bystander, m *message) { m.pol = keyOf(b.t, b.w.hub.tables, "internal", 0xff) }},
		{"no context", session.DropDirection, func(b *bystander, m *message) {
			m.body.Has &^= wire.SetOf(wire.TypeForwardIPv4)
			m.body.Forward = false
		}},
		{"reverse context", session.DropDirection, func(b *bystander, m *message) { m.body.SetReverse(m.body.Context) }},
		{"no UUID", session.DropMetadata, func(b *bystander, m *message) { m.body.Has &^= wire.SetOf(wire.TypeUUID) }},
		{"TCP inside UDP of another protocol", session.DropMetadata, func(b *bystander, m *message) {
			c := m.body.Context
			c.Proto = 47
			m.body.SetForward(c)
		}},
		{"echo with two identifiers", session.DropMetadata, func(b *bystander, m *message) {
			c := m.body.Context
			c.Proto, c.SrcPort = packet.ProtoICMP, 1
			m.body.SetForward(c)
		}},
		{"enable", session.DropControl, func(b *bystander, m *message) { m.head.SetControl(wire.ControlEnable) }},
		{"disable", session.DropControl, func(b *bystander, m *message) { m.head.SetControl(wire.ControlDisable) }},
		{"delete", session.DropControl, func(b *bystander, m *message) { m.head.SetControl(wire.ControlDelete) }},
		{"keep-alive", session.DropControl, func(b *bystander, m *message) { m.head.SetControl(wire.ControlKeepAlive) }},
		{"keep-alive with a guessed echo", session.DropControl, func(b *bystander, m *message) {
			m.head.SetControl(wire.ControlKeepAlive)
			m.body.SetChallenge([8]byte{1})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBystander(t)
			w := b.w
			live, before := w.hub.e.Live(), w.hub.count(row.want)
			ctx := tuple(packet.ProtoUDP, "192.168.1.90:999", "10.20.0.5:999")
			m := message{data: []byte("data")}
			m.head.SetSecurityID(1)
			m.body.SetForward(ctx)
			m.body.SetUUID([16]byte{9})
			m.body.SetTenant([]byte("corp"))
			m.body.SetService([]byte("datacenter"))
			m.body.SetRouter([]byte("branch1"))
			row.warp(b, &m)
			b.begin()
			b.send(b.craft(tuple(packet.ProtoUDP, "203.0.113.2:30000", "198.51.100.2:20001"), m))
			delivered, answers := b.end()
			if got := w.hub.count(row.want) - before; got != 1 {
				t.Errorf("%v = %d, want 1\n%s", row.want, got, w.hub.explain())
			}
			want := 0
			if row.want == session.SessionsAccepted {
				want = 1
			}
			if w.hub.e.Live() != live+want || len(delivered) != want || len(answers) != 0 {
				t.Errorf("%d sessions more, %d packets delivered, %d answers; want %d, %d, 0",
					w.hub.e.Live()-live, len(delivered), len(answers), want, want)
			}
			w.speak(t)
		})
	}
}

// TestUnboundControl: control messages that name another session, another
// direction or nothing end and change nothing, on whichever side.
func TestUnboundControl(t *testing.T) {
	b := newBystander(t)
	w := b.w
	toBranch := w.main.outer(b)
	uuid, other := b.uuid(w.main), b.uuid(w.all[1])
	ctx, foreign := w.main.out, w.all[1].out
	for _, row := range []struct {
		name string
		to   packet.Tuple
		uuid [16]byte
		ctx  packet.Tuple
		fwd  bool
	}{
		{"other UUID", toBranch, other, ctx.Reverse(), false},
		{"other context", toBranch, uuid, foreign.Reverse(), false},
		{"another session's all", toBranch, other, foreign.Reverse(), false},
		{"wrong direction", toBranch, uuid, ctx.Reverse(), true},
		{"the receiver's context", toBranch, uuid, ctx, false},
		{"reflected", toBranch, uuid, ctx, true},
		{"other UUID", toBranch.Reverse(), other, ctx, true},
		{"other context", toBranch.Reverse(), uuid, foreign, true},
		{"wrong direction", toBranch.Reverse(), uuid, ctx, false},
		{"reflected", toBranch.Reverse(), uuid, ctx.Reverse(), false},
	} {
		for _, kind := range []string{"delete", "disable", "health"} {
			t.Run(kind+" "+row.name, func(t *testing.T) {
				b.attackWith(t, kind, row.to, row.uuid, row.ctx, row.fwd)
			})
		}
	}
}

func (b *bystander) attackWith(t *testing.T, kind string, to packet.Tuple, uuid [16]byte, ctx packet.Tuple, fwd bool) {
	w := b.w
	n := w.branch
	if to.DstAddr() != n.tables.Interfaces[n.ifc("fiber")].Addresses[0].Prefix.Addr() {
		n = w.hub
	}
	branch, hub, unbound := state(w.branch), state(w.hub), n.count(session.DropUnbound)
	var m message
	switch kind {
	case "delete":
		wire.Delete(&m.head, &m.body, 1, uuid, ctx, fwd)
	case "health":
		wire.HealthAnswer(&m.head, &m.body, 1, uuid, ctx, fwd)
	default:
		wire.Disable(&m.head, &m.body, 1, uuid, ctx)
		if fwd {
			m.body.SetForward(ctx)
		}
	}
	b.begin()
	b.send(b.craft(to, m))
	if delivered, answers := b.end(); len(delivered)+len(answers) != 0 {
		t.Errorf("%d packets delivered, %d answers", len(delivered), len(answers))
	}
	if got := n.count(session.DropUnbound) - unbound; got != 1 {
		t.Errorf("drop/unbound = %d, want 1\n%s", got, n.explain())
	}
	if state(w.branch) != branch || state(w.hub) != hub {
		t.Error("a router changed")
	}
	w.speak(t)
}

// uuid returns the UUID of a dialog's session.
func (b *bystander) uuid(d *dialog) [16]byte {
	for _, c := range b.tape {
		if c.body.Forward && c.body.Context == d.out {
			return c.body.UUID
		}
	}
	b.t.Fatal("no UUID was seen")
	return [16]byte{}
}

// TestChallengeFlood: forward metadata from 4,000 places brings 1,000 challenges
// a second at most, five a second to one place, and no memory (docs/wire.md 3).
func TestChallengeFlood(t *testing.T) {
	for _, row := range []struct {
		name  string
		place func(k int, t packet.Tuple) packet.Tuple
		most  int
	}{
		{"4000 addresses", func(k int, t packet.Tuple) packet.Tuple {
			t.Src[2], t.Src[3] = byte(k>>8), byte(k)
			return t
		}, 1000},
		{"4000 ports", func(k int, t packet.Tuple) packet.Tuple { t.SrcPort -= uint16(1 + k); return t }, 1000}, // never the flow's own
		{"one place", func(k int, t packet.Tuple) packet.Tuple { t.SrcPort ^= 2; return t }, 5},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBystander(t)
			c := b.recent("forward with data")
			branch, hub, sent := state(b.w.branch), state(b.w.hub), b.w.hub.count(session.SentChallenge)
			b.begin()
			for k := range 4000 {
				b.send(retuple(c.p, row.place(k, c.p.T)))
				b.w.s.now += 237500 // 4,000 in 950 ms
			}
			delivered, answers := b.end()
			got := int(b.w.hub.count(session.SentChallenge) - sent)
			if got == 0 || got > row.most || len(answers) != answersOf(answers)["challenge"] || len(delivered) != 0 {
				t.Errorf("%d challenges, answers %v, %d delivered; want at most %d challenges only", got, answersOf(answers), len(delivered), row.most)
			}
			b.w.speak(t)
			if state(b.w.branch) != branch || state(b.w.hub) != hub {
				t.Error("a router changed")
			}
		})
	}
}

// TestEnableFlood: bare packets from a proven address on pairs that nobody has
// bring 100 enables a second at most, one to a pair; from elsewhere none.
func TestEnableFlood(t *testing.T) {
	for _, row := range []struct {
		name, from  string
		pairs, most int
	}{
		{"many pairs", "203.0.113.2", 500, 100},
		{"one pair", "203.0.113.2", 1, 1},
		{"a stranger", "203.0.113.77", 500, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBystander(t)
			branch, hub := state(b.w.branch), state(b.w.hub)
			b.begin()
			for k := range 500 {
				out := tuple(packet.ProtoUDP, fmt.Sprintf("%s:%d", row.from, 50000+2*(k%row.pairs)), "198.51.100.2:30001")
				b.send(udp(out, []byte("who am I")))
				b.w.s.now += 19e5
			}
			delivered, answers := b.end()
			got := answersOf(answers)
			if got["enable-metadata"] > row.most || row.most > 0 && len(answers) == 0 || len(answers) != got["enable-metadata"] || len(delivered) != 0 {
				t.Errorf("answers %v, %d delivered; want at most %d enables only", got, len(delivered), row.most)
			}
			b.w.speak(t)
			if state(b.w.branch) != branch || state(b.w.hub) != hub {
				t.Error("a router changed")
			}
		})
	}
}

// TestEnableOnFlows: an enable on a live flow brings one handshake in two
// seconds, whoever is asked.
func TestEnableOnFlows(t *testing.T) {
	for _, initiator := range []bool{true, false} {
		b := newBystander(t)
		w := b.w
		to, n := w.main.outer(b), w.branch
		if !initiator {
			to, n = to.Reverse(), w.hub
		}
		w.s.advance(3e9)
		limited := n.count(session.DropRateLimit)
		for range 95 {
			b.send(b.craft(to, b.enable()))
			w.speak(t)
		}
		if got := n.count(session.DropRateLimit) - limited; got < 85 {
			t.Errorf("initiator %v: %d of 95 enables refused, want all but one in two seconds", initiator, got)
		}
	}
}

// TestReplayFlood: 1,000 copies of forward metadata a second on its own flow
// bring 20 control packets a second at most, and no worse state.
func TestReplayFlood(t *testing.T) {
	b := newBystander(t, protections[2].replace...)
	c := b.recent("forward")
	branch, hub := state(b.w.branch), state(b.w.hub)
	b.begin()
	for range 100 {
		for range 10 {
			b.send(c.p)
		}
		b.w.s.advance(10e6)
	}
	_, answers := b.end()
	if got := answersOf(answers); got["disable-metadata"] > 21 || len(answers) != got["disable-metadata"] {
		t.Errorf("answers %v, want at most 21 disables", got)
	}
	b.w.speak(t)
	if state(b.w.branch) != branch || state(b.w.hub) != hub {
		t.Error("a router changed")
	}
}

// TestOldKeys: metadata with a key that was replaced does not bring it back,
// and what was sealed with it is not delivered again.
func TestOldKeys(t *testing.T) {
	for _, kind := range []string{"forward with data", "reverse with data"} {
		b := newBystander(t, protections[2].replace...)
		old := b.recent(kind)
		if len(old.body.Key) != 16 {
			t.Fatalf("%s carries a key of %d bytes, want 16", kind, len(old.body.Key))
		}
		n := b.w.hub
		if old.body.Reverse {
			n = b.w.branch
			b.send(b.craft(old.p.T.Reverse(), b.enable())) // only a new handshake of the hub makes it a new key
			b.w.speak(t)
		}
		b.w.s.advance(2100e6)
		if old.body.Forward {
			b.send(b.craft(old.p.T.Reverse(), b.enable()))
			b.w.speak(t)
		}
		replayed := n.count(session.DropReplay) + n.count(session.DropDigestLate)
		b.begin()
		b.send(old.p)
		if delivered, _ := b.end(); len(delivered) != 0 {
			t.Errorf("%s: %d packets delivered again", kind, len(delivered))
		}
		if got := n.count(session.DropReplay) + n.count(session.DropDigestLate) - replayed; got != 1 {
			t.Errorf("%s: %d counted as replayed, want 1\n%s", kind, got, n.explain())
		}
		b.w.speak(t)
	}
}

// TestAfterTheEnd: metadata of a session that is over brings it back neither at
// the router that accepted it nor at the one that opened it.
func TestAfterTheEnd(t *testing.T) {
	for _, prot := range protections {
		t.Run(prot.name, func(t *testing.T) {
			b := newBystander(t, prot.replace...)
			w := b.w
			w.s.advance(2100e6)
			uuid := b.uuid(w.main)
			b.send(b.craft(w.main.outer(b).Reverse(), b.enable())) // the hub names everything
			b.send(b.craft(w.main.outer(b), b.enable()))
			mark := len(b.tape)
			w.main.chat(t)
			forward, reverse := b.last("forward with data", b.tape[mark:]), b.last("reverse", b.tape[mark:])
			if !bytes.Equal(reverse.body.Router, []byte("hub1")) {
				t.Fatalf("reverse metadata does not name its router: %+v", reverse.body)
			}
			for _, n := range []*node{w.hub, w.branch} {
				var m message
				to, ctx := w.main.outer(b), w.main.out
				wire.Delete(&m.head, &m.body, 1, uuid, ctx.Reverse(), false)
				if n == w.hub {
					to = to.Reverse()
					wire.Delete(&m.head, &m.body, 1, uuid, ctx, true)
				}
				b.send(b.craft(to, m))
			}
			w.all = w.all[1:]
			branch, hub := state(w.branch), state(w.hub)
			b.begin()
			for range 20 {
				b.send(forward.p)
				b.send(reverse.p)
			}
			delivered, answers := b.end()
			if got := answersOf(answers); len(delivered) != 0 || len(answers) > 1 || got["challenge"] != len(answers) {
				t.Errorf("%d delivered, answers %v; want a challenge at most", len(delivered), got)
			}
			if state(w.branch) != branch || state(w.hub) != hub {
				t.Errorf("a router changed\n%s\n%s", w.branch.explain(), w.hub.explain())
			}
			w.speak(t)
		})
	}
}
