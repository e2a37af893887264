package session_test

import (
	"testing"

	"waymark/svr/packet"
	"waymark/svr/session"
	"waymark/svr/wire"
)

// claim is forward metadata of a session that branch1 opens anew, with an echo
// of a challenge, as a control packet when there is no data.
func (b *bystander) claim(ctx packet.Tuple, uuid [16]byte, echo *[8]byte, data []byte) (m message) {
	m.data = data
	m.head.SetSecurityID(1)
	if data == nil {
		m.head.SetControl(wire.ControlKeepAlive)
	}
	m.body.SetForward(ctx)
	m.body.SetUUID(uuid)
	m.body.SetTenant([]byte("corp"))
	m.body.SetService([]byte("datacenter"))
	m.body.SetRouter([]byte("branch1"))
	if echo != nil {
		m.body.SetChallenge(*echo)
	}
	return m
}

// TestContestedPair: a session keeps its pair until another one's sender proves
// that it is there; then the pair changes hands, with data or without.
func TestContestedPair(t *testing.T) {
	for _, data := range [][]byte{nil, []byte("first words")} {
		b := newBystander(t)
		w := b.w
		old := w.all[3] // clear UDP
		to := old.outer(b).Reverse()
		ctx, uuid := tuple(packet.ProtoUDP, "192.168.1.90:999", "10.20.0.5:999"), [16]byte{9}
		live := w.hub.e.Live()
		mark := len(b.tape)
		b.send(b.craft(to, b.claim(ctx, uuid, nil, []byte("hello"))))
		c := b.last("challenge", b.tape[mark:])
		if c.body.UUID != uuid || c.body.Context != ctx.Reverse() || c.p.T != to.Reverse() {
			t.Fatalf("challenge for %x %v on %v", c.body.UUID, c.body.Context, c.p.T)
		}
		nonce := c.body.Challenge
		elsewhere := to
		elsewhere.SrcPort += 2
		b.send(b.craft(elsewhere, b.claim(ctx, uuid, &nonce, data))) // a new session there, asked for nothing
		w.speak(t)
		for k := range nonce {
			guess := nonce
			guess[k] ^= 0x10
			b.send(b.craft(to, b.claim(ctx, uuid, &guess, data)))
		}
		w.speak(t)
		if got := w.hub.count(session.SessionsMoved); got != 0 {
			t.Errorf("%d sessions moved, want 0", got)
		}
		had := len(w.s.host("10.20.0.5").got)
		b.send(b.craft(to, b.claim(ctx, uuid, &nonce, data)))
		if data != nil && len(w.s.host("10.20.0.5").got) != had+1 {
			t.Errorf("the claimant's data did not arrive\n%s", w.hub.explain())
		}
		if got, want := w.hub.e.Live(), live; got != want {
			t.Errorf("%d sessions, want %d", got, want)
		}
		if s := w.hub.sessionOf(ctx); s == nil || s.Key.Tuple != to {
			t.Errorf("the claimant's session is %+v, want it on %v", s, to)
		}
		if s := w.hub.sessionOf(old.out); s != nil {
			t.Errorf("the old session still has %v", s.Key.Tuple)
		}
	}
}

// sessionOf returns the forward direction of the session that carries ctx.
func (n *node) sessionOf(ctx packet.Tuple) (found *session.Row) {
	n.e.Sessions(func(r *session.Row) bool {
		if !r.Reverse && (r.To == ctx || r.Key.Tuple == ctx) {
			c := *r
			found = &c
		}
		return found == nil
	})
	return found
}

// TestMove: a session follows its initiator behind a NAT that changes ports,
// by the challenge, and an answer from elsewhere moves nothing.
func TestMove(t *testing.T) {
	b := newBystander(t)
	w := b.w
	uuid, ctx := b.uuid(w.all[3]), w.all[3].out
	place := w.all[3].outer(b).Reverse()
	place.SrcPort += 2
	other := place
	other.SrcPort += 2
	mark := len(b.tape)
	b.send(b.craft(place, b.claim(ctx, uuid, nil, []byte("from a new place"))))
	nonce := b.last("challenge", b.tape[mark:]).body.Challenge
	before := state(w.hub)
	b.send(b.craft(other, b.claim(ctx, uuid, &nonce, nil)))
	b.send(b.craft(other, b.claim(ctx, uuid, &nonce, []byte("elsewhere"))))
	if state(w.hub) != before {
		t.Fatal("an answer from elsewhere moved the session")
	}
	w.s.now += 17e9 // a challenge is good for 8 s
	w.s.unix += 17
	b.send(b.craft(place, b.claim(ctx, uuid, &nonce, nil)))
	if got := w.hub.count(session.SessionsMoved); got != 0 {
		t.Fatal("an old answer moved the session")
	}
	nonce = b.last("challenge", b.tape[mark:]).body.Challenge
	b.send(b.craft(place, b.claim(ctx, uuid, &nonce, nil)))
	if s := w.hub.sessionOf(ctx); w.hub.count(session.SessionsMoved) != 1 || s == nil || s.Key.Tuple != place {
		t.Errorf("the session is %+v, want it at %v\n%s", s, place, w.hub.explain())
	}
	if got := b.tape[len(b.tape)-1]; got.kind != "disable-metadata" || got.p.T != place.Reverse() {
		t.Errorf("answered by %s on %v, want a disable there", got.kind, got.p.T)
	}
}

// TestEndedComesBack: a session that the accepting router gave up lives on when
// the opening one still has it: asked by an enable, proven by a challenge.
func TestEndedComesBack(t *testing.T) {
	b := newBystander(t)
	w := b.w
	d := w.all[3]
	var m message
	wire.Delete(&m.head, &m.body, 1, b.uuid(d), d.out, true)
	b.send(b.craft(d.outer(b).Reverse(), m))
	if w.hub.sessionOf(d.out) != nil {
		t.Fatal("the session did not end")
	}
	for range 4 {
		w.s.now += 300e6
		d.forth(udp(d.out, []byte("anybody there?")))
	}
	if got := w.hub.count(session.SentChallenge); got == 0 {
		t.Errorf("no challenge\n%s", w.hub.explain())
	}
	w.speak(t)
}

// TestOutOfStep: when the metadata with a new key is lost and the handshake
// ends without it, the receiver asks for another one.
func TestOutOfStep(t *testing.T) {
	for _, initiator := range []bool{true, false} {
		b := newBystander(t, protections[2].replace...)
		w := b.w
		to := w.main.outer(b)
		if !initiator {
			to = to.Reverse()
		}
		w.s.advance(2100e6)
		b.send(b.craft(to, b.enable()))
		w.s.tamper = func(f *flight) []flight {
			if signalled(&f.p) && f.p.T == to.Reverse() {
				return nil
			}
			return []flight{*f}
		}
		const flags = packet.FlagACK | packet.FlagPSH
		talk := func() {
			w.s.now += 50e6
			w.main.forth(tcp(w.main.out, flags, w.main.seq, w.main.ack, []byte("hear me")))
			w.main.back(tcp(w.main.out.Reverse(), flags, w.main.ack, w.main.seq, []byte("and me")))
		}
		talk()
		// The handshake ends without the lost packet: by what the peer said before.
		if initiator {
			var m message
			wire.Disable(&m.head, &m.body, 1, b.uuid(w.main), w.main.out.Reverse())
			b.send(b.craft(to, m))
		}
		talk()
		w.s.tamper = nil
		for range 60 {
			talk()
		}
		w.s.advance(2100e6)
		for range 12 {
			talk()
		}
		w.speak(t)
		n := w.hub
		if !initiator {
			n = w.branch
		}
		if n.count(session.SentEnable) == 0 {
			t.Errorf("initiator %v: no enable was sent\n%s", initiator, n.explain())
		}
	}
}

// TestSYNInConnection: a copy of the SYN, or an invented one, does not make the
// router forget where the connection is.
func TestSYNInConnection(t *testing.T) {
	b := newBystander(t)
	w := b.w
	d := w.all[2]
	for _, seq := range []uint32{999, d.seq + 1<<30, 0x80000000} {
		b.send(retuple(small(ptr(tcp(d.out, packet.FlagSYN, seq, 0, nil))), d.outer(b).Reverse()))
	}
	w.speak(t)
	d.forth(tcp(d.out, packet.FlagACK|packet.FlagFIN, d.seq, d.ack, nil))
	d.back(tcp(d.out.Reverse(), packet.FlagACK|packet.FlagFIN, d.ack, d.seq+1, nil))
	if s := w.hub.sessionOf(d.out); s == nil || !s.Closed {
		t.Errorf("the session is %+v, want it closed", s)
	}
}

func ptr(p packet.Packet) *packet.Packet { return &p }

// TestRefusedInTheMiddle: a session that a transit router cannot take over, for
// its key is none, leaves no wayports behind there.
func TestRefusedInTheMiddle(t *testing.T) {
	s := chain(t)
	b := watch(t, &town{s: s, branch: s.nodes["a"], hub: s.nodes["b"]})
	out := tuple(packet.ProtoUDP, "10.1.0.7:5000", "10.3.0.14:443")
	s.nodes["a"].receive(udp(out, []byte("first")), 0)
	s.run()
	c := b.tape[0]
	if c.kind != "forward with data" || len(c.body.Key) != 16 {
		t.Fatalf("%s with a key of %d bytes", c.kind, len(c.body.Key))
	}
	pairs := func() (n int) {
		for _, id := range b.w.hub.parts.Pathway {
			n += b.w.hub.parts.Wayports.Stats(id).InUse
		}
		return n
	}
	for k := range 20 {
		m := message{head: c.head, body: c.body, data: []byte("data")}
		m.body.SetUUID([16]byte{byte(k + 1)})
		ctx := out
		ctx.SrcPort += uint16(k + 1)
		m.body.SetForward(ctx)
		m.body.SetKey([]byte("8 bytes!"))
		place := c.p.T
		place.SrcPort += uint16(2 * (k + 1))
		b.send(b.craft(place, m))
	}
	if got := b.w.hub.count(session.DropMetadata); got != 20 {
		t.Errorf("drop/metadata-malformed = %d, want 20\n%s", got, b.w.hub.explain())
	}
	if used, _ := b.w.hub.e.KeysInUse(); b.w.hub.e.Live() != 1 || pairs() != 1 || used != 1 {
		t.Errorf("%d sessions, %d pairs, %d keys; want one of each", b.w.hub.e.Live(), pairs(), used)
	}
}
