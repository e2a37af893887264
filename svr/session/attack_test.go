package session_test

import (
	"bytes"
	"crypto/rand"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/wire"
)

// collect makes the routers say everything they can say on the flow of the
// town's main dialog, and returns one packet of each kind. What they do not
// say without a reason is built with their key.
func (b *bystander) collect() []capture {
	w := b.w
	main, other := w.main.outer(b), w.all[3].outer(b)
	w.s.advance(2100e6) // an enable counts once in two seconds
	mark := len(b.tape)
	b.send(b.craft(main, b.enable())) // the caller's router signals again
	b.send(b.craft(other, b.enable()))
	w.s.now += 5e6
	w.all[3].forth(udp(w.all[3].out, noise(1472)))
	w.main.chat(b.t)
	w.speak(b.t)
	tape := b.tape[mark:]
	var on []capture
	for _, c := range tape {
		if c.p.T == main || c.p.T == main.Reverse() {
			on = append(on, c)
		}
	}
	kinds := []capture{
		b.last("forward", on), b.last("forward with data", on), b.last("reverse", on),
		b.last("reverse with data", on), b.last("fragment", tape),
	}
	kinds = append(kinds, on[len(on)-2:]...) // bare, one of each direction
	uuid, ctx := kinds[1].body.UUID, w.main.out
	craft := func(t packet.Tuple, fill func(m *message)) {
		var m message
		fill(&m)
		p := b.craft(t, m)
		kinds = append(kinds, b.read(&p))
	}
	craft(main, func(m *message) { *m = b.enable() })
	craft(main, func(m *message) { wire.Disable(&m.head, &m.body, 1, uuid, ctx.Reverse()) })
	craft(main, func(m *message) { wire.KeepAlive(&m.head, &m.body, 1) })
	craft(main, func(m *message) { wire.HealthAnswer(&m.head, &m.body, 1, uuid, ctx.Reverse(), false) })
	craft(main, func(m *message) { wire.Delete(&m.head, &m.body, 1, uuid, ctx.Reverse(), false) })
	craft(main, func(m *message) { wire.Challenge(&m.head, &m.body, 1, uuid, ctx.Reverse(), [8]byte{7}) })
	craft(main.Reverse(), func(m *message) { // the answer to a challenge for another place
		m.head, m.body = kinds[1].head, kinds[1].body
		m.head.SetControl(wire.ControlKeepAlive)
		m.body.SetChallenge([8]byte{7})
	})
	return kinds
}

// enable is the message that asks for a new handshake.
func (b *bystander) enable() (m message) {
	wire.Enable(&m.head, &m.body, 1)
	return m
}

// outer is the tuple with which the called host's router sends on d.
func (d *dialog) outer(b *bystander) packet.Tuple {
	b.t.Helper()
	for _, c := range b.tape {
		if c.body.Forward && c.body.Context == d.out {
			return c.p.T.Reverse()
		}
	}
	b.t.Fatalf("nothing was seen of %v", d.out)
	return packet.Tuple{}
}

// misuse is what a bystander does with a captured packet.
type misuse struct {
	name string
	// intact: a good copy to the very place it was meant for, which deletes
	// when it says so; what routers may do then is checked elsewhere.
	intact bool
	make   func(b *bystander, c capture) []packet.Packet
}

var misuses = []misuse{
	{"bit flips", false, func(b *bystander, c capture) (all []packet.Packet) {
		data := c.p.Payload()
		for i := range data {
			changed := bytes.Clone(data)
			changed[i] ^= 1 << (i % 8)
			all = append(all, withData(c.p, changed))
		}
		return all
	}},
	{"cut short", false, func(b *bystander, c capture) (all []packet.Packet) {
		for n := range c.p.Payload() {
			all = append(all, withData(c.p, c.p.Payload()[:n]))
		}
		return all
	}},
	{"grown", false, func(b *bystander, c capture) (all []packet.Packet) {
		for _, n := range []int{1, 8, 16, 64} {
			all = append(all, withData(c.p, append(bytes.Clone(c.p.Payload()), noise(n)...)))
		}
		return all
	}},
	{"wrong checksum", false, func(b *bystander, c capture) []packet.Packet {
		p := small(&c.p)
		p.Buf[p.End-1] ^= 1
		return []packet.Packet{p}
	}},
	{"wrong key", false, func(b *bystander, c capture) []packet.Packet {
		data := bytes.Clone(c.p.Payload())
		rand.Read(data[max(0, len(data)-16):])
		return []packet.Packet{withData(c.p, data)}
	}},
	{"again at once", true, func(b *bystander, c capture) []packet.Packet { return []packet.Packet{c.p} }},
	{"again and again", true, func(b *bystander, c capture) (all []packet.Packet) {
		for range 50 {
			all = append(all, c.p)
		}
		return all
	}},
	{"after three ticks", true, func(b *bystander, c capture) []packet.Packet {
		b.w.s.advance(3 * 2e9)
		return []packet.Packet{c.p}
	}},
	{"from other addresses", false, func(b *bystander, c capture) (all []packet.Packet) {
		for k := range 20 {
			t := c.p.T
			t.Src[3] ^= byte(k + 1)
			all = append(all, retuple(c.p, t))
		}
		return all
	}},
	{"from other ports", false, func(b *bystander, c capture) (all []packet.Packet) {
		for k := range 20 {
			t := c.p.T
			t.SrcPort += uint16(k + 1)
			all = append(all, retuple(c.p, t))
		}
		return all
	}},
	{"to other wayports", false, func(b *bystander, c capture) (all []packet.Packet) {
		for k := range 20 {
			t := c.p.T
			t.DstPort += uint16(k + 1)
			all = append(all, retuple(c.p, t))
		}
		return all
	}},
	{"to ports of the host", false, func(b *bystander, c capture) (all []packet.Packet) {
		for _, port := range []uint16{22, 1280, 1283, 2048, 12000} {
			t := c.p.T
			t.DstPort = port
			all = append(all, retuple(c.p, t))
		}
		return all
	}},
	{"on other flows", false, func(b *bystander, c capture) (all []packet.Packet) {
		for _, d := range b.w.all[1:] {
			t := d.outer(b)
			if t.Proto != c.p.T.Proto {
				continue
			}
			if t.Dst != c.p.T.Dst {
				t = t.Reverse()
			}
			all = append(all, retuple(c.p, t))
		}
		return all
	}},
	{"reflected", false, func(b *bystander, c capture) []packet.Packet {
		return []packet.Packet{retuple(c.p, c.p.T.Reverse())}
	}},
	{"reflected on other flows", false, func(b *bystander, c capture) (all []packet.Packet) {
		for _, d := range b.w.all[1:] {
			t := d.outer(b)
			if t.Proto != c.p.T.Proto {
				continue
			}
			if t.Src != c.p.T.Dst {
				t = t.Reverse()
			}
			all = append(all, retuple(c.p, t))
		}
		return all
	}},
}

// TestBystander: whatever was captured, however it is misused, no session, pair
// or next-hop changes, hosts get nothing new, and the flows go on (row 9).
//
// Two things a bystander can do by design of the protocol, and the test lets
// him: what he sends bare on a live clear flow is data of that flow; and bytes
// with a CBC digest may be delivered again, for that digest binds no flow. GCM
// lets neither happen.
func TestBystander(t *testing.T) {
	for _, prot := range protections {
		t.Run(prot.name, func(t *testing.T) {
			for _, m := range misuses {
				b := watch(t, newTown(t, prot.replace...))
				b.w.open()
				b.w.speak(t)
				for k := range b.collect() {
					b.t = t
					c := b.collect()[k] // no older than the clock of a digest allows
					t.Run(m.name+"/"+c.kind, func(t *testing.T) { b.attack(t, m, c, prot.name) })
				}
			}
		})
	}
}

// attack runs one misuse of one packet and looks at what it did.
func (b *bystander) attack(t *testing.T, m misuse, c capture, protection string) {
	if m.intact && c.kind == "delete-session" {
		return // would be the peer's own wish
	}
	w := b.w
	b.t = t
	w.speak(t)
	branch, hub := state(w.branch), state(w.hub)
	packets := m.make(b, c)
	b.begin()
	for _, p := range packets {
		b.send(p)
	}
	delivered, answers := b.end()
	for i := range delivered {
		b.judge(t, &delivered[i], c.kind, packets, protection)
	}
	if len(answers) > len(packets) {
		t.Errorf("%d packets brought about %d answers", len(packets), len(answers))
	}
	w.s.advance(300e6) // what waited for a reverse packet is answered now
	w.speak(t)
	if got := state(w.branch); got != branch {
		t.Errorf("branch1 changed:\n%s\nwas\n%s\n%s", got, branch, w.branch.explain())
	}
	if got := state(w.hub); got != hub {
		t.Errorf("hub1 changed:\n%s\nwas\n%s\n%s", got, hub, w.hub.explain())
	}
}

// judge decides whether a host may get q in an attack.
func (b *bystander) judge(t *testing.T, q *packet.Packet, kind string, sent []packet.Packet, protection string) {
	t.Helper()
	if q.Kind == packet.KindICMPError || q.End == q.Data {
		return // says nothing, and no digest covers a native TCP header
	}
	guarded := q.T.SrcPort == 8443 || q.T.DstPort == 8443
	if guarded && protection == "GCM" {
		t.Errorf("%s: %v got %q", kind, q.T, q.Payload())
		return
	}
	if !guarded || protection == "clear" {
		for i := range sent {
			if !signalled(&sent[i]) {
				return
			}
		}
	}
	for a, h := range b.w.s.hosts {
		for i := range h.got[:b.heard[a]] {
			if bytes.Equal(h.got[i].Payload(), q.Payload()) {
				return
			}
		}
	}
	t.Errorf("%s: %v got %q, which nobody said", kind, q.T, q.Payload())
}
