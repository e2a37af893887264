package session_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/secure"
	"waymark/svr/session"
	"waymark/svr/wire"
)

// bystander sees every packet between two routers of a town and can send what
// he likes to either; he has no key. (The test has, to tell what it captured
// and to make what honest routers do not send by themselves.)
type bystander struct {
	t       testing.TB
	w       *town
	tape    []capture // what was seen, newest last
	rewind  bool      // seen packets are answers to what he sent: reactions
	answers []capture
	heard   map[netip.Addr]int // what hosts had when he began
}

// capture is a packet between routers and what it was.
type capture struct {
	kind string
	p    packet.Packet
	head wire.Header
	body wire.Payload
	data int // bytes behind the metadata
}

func watch(t testing.TB, w *town) *bystander {
	b := &bystander{t: t, w: w}
	w.s.seen = func(f *flight) {
		c := b.read(&f.p)
		if b.rewind {
			b.answers = append(b.answers, c)
		} else {
			b.tape = append(b.tape, c)
		}
	}
	return b
}

// key returns the policy with which the routers protect metadata.
func (b *bystander) key() *secure.Policy { return keyOf(b.t, b.w.hub.tables, "internal", 0) }

// keyOf is a security element of the configuration with CBC-256; warp changes
// its HMAC key.
func keyOf(t testing.TB, tables *policy.Tables, name string, warp byte) *secure.Policy {
	for i := range tables.Security {
		s := &tables.Security[i]
		if s.Name != name {
			continue
		}
		key := slices.Clone(s.HMACKey)
		key[0] ^= warp
		modes := map[string]secure.Mode{"regular": secure.ModeRegular, "time-based": secure.ModeTimeBased}
		p, err := secure.New(secure.Config{
			Name: name, Encrypt: s.Encrypt, Cipher: secure.CBC256, Key: s.Key,
			Mode: modes[string(s.HMACMode)], Digest: secure.DigestSHA256128, HMACKey: key,
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Fatalf("no security %s", name)
	return nil
}

// read tells what a packet between routers is.
func (b *bystander) read(p *packet.Packet) capture {
	c := capture{kind: "bare", p: small(p)}
	if !signalled(&c.p) {
		return c
	}
	body := slices.Clone(c.p.Payload())
	if err := wire.ParseHeader(body, &c.head); err != nil {
		b.t.Fatalf("read %v: %v", c.p.T, err)
	}
	size := c.head.Len + c.head.PayloadLen
	if c.head.Has.Has(wire.TypeFragment) {
		c.kind = "fragment"
		return c
	}
	pol := b.key()
	c.data = len(body) - size - pol.DigestSize()
	section := body[c.head.Len:size]
	if len(section) > 0 {
		var err error
		if section, err = pol.DecryptCBC(section); err != nil {
			b.t.Fatalf("read %v: %v", c.p.T, err)
		}
	}
	if err := wire.ParsePayload(section, &c.body); err != nil {
		b.t.Fatalf("read %v: %v", c.p.T, err)
	}
	c.kind = c.name()
	return c
}

func (c *capture) name() string {
	switch {
	case c.head.Has.Has(wire.TypeControl):
		return c.head.Control.String()
	case c.body.Has.Has(wire.TypeChallenge) && c.body.Reverse:
		return "challenge"
	case c.body.Forward && c.data > 0:
		return "forward with data"
	case c.body.Forward:
		return "forward"
	case c.data > 0:
		return "reverse with data"
	}
	return "reverse"
}

// small is a copy of p in a buffer of its own with some room on both sides.
func small(p *packet.Packet) packet.Packet {
	c := *p
	c.Buf = make([]byte, p.Len()+1024)
	copy(c.Buf[512:], p.Buf[p.Off:p.End])
	c.L4, c.Data = p.L4-p.Off+512, p.Data-p.Off+512
	c.Off, c.End = 512, 512+p.Len()
	return c
}

// last returns the newest packet of a kind on the outer tuple of a dialog, in
// the given direction; an empty kind is any.
func (b *bystander) last(kind string, tape []capture) capture {
	b.t.Helper()
	for _, c := range slices.Backward(tape) {
		if c.kind == kind {
			return c
		}
	}
	b.t.Fatalf("no %s was seen", kind)
	return capture{}
}

// send delivers a packet to the router that owns its destination, or nowhere.
func (b *bystander) send(p packet.Packet) {
	p.Csum = packet.CsumUnknown
	for _, n := range []*node{b.w.branch, b.w.hub} {
		for i := range n.tables.Interfaces {
			for _, a := range n.tables.Interfaces[i].Addresses {
				if a.Prefix.Addr() == p.T.DstAddr() {
					n.receive(p, uint16(i))
					b.w.s.run()
					return
				}
			}
		}
	}
}

// begin notes what there is before an attack.
func (b *bystander) begin() {
	b.rewind, b.answers = true, nil
	b.heard = map[netip.Addr]int{}
	for a, h := range b.w.s.hosts {
		b.heard[a] = len(h.got)
	}
}

// end returns what hosts got since begin, and what routers sent each other.
func (b *bystander) end() (delivered []packet.Packet, answers []capture) {
	b.rewind = false
	for a, h := range b.w.s.hosts {
		delivered = append(delivered, h.got[b.heard[a]:]...)
	}
	return delivered, b.answers
}

// message is metadata as the test builds it.
type message struct {
	head wire.Header
	body wire.Payload
	data []byte
	unix int64          // 0: now
	pol  *secure.Policy // nil: the right one
}

// craft builds a packet of tuple t that carries m, with a good digest.
func (b *bystander) craft(t packet.Tuple, m message) packet.Packet {
	pol, unix := m.pol, m.unix
	if pol == nil {
		pol = b.key()
	}
	if unix == 0 {
		unix = b.w.s.unix
	}
	buf := wire.AppendMetadata(nil, &m.head, &m.body)
	if n := m.head.PayloadLen; n > 0 && pol.Encrypts() {
		section := append(make([]byte, 0, n+64), buf[m.head.Len:]...)
		sealed := pol.EncryptCBC(section, n, &[16]byte{1, 2, 3})
		wire.SetPayloadLen(buf, len(sealed))
		buf = append(buf[:m.head.Len], sealed...)
	}
	buf = append(buf, m.data...)
	buf = pol.AppendDigest(buf, buf, unix)
	var p packet.Packet
	if t.Proto == packet.ProtoTCP {
		p = tcp(t, packet.FlagACK, 1, 1, buf)
	} else {
		p = udp(t, buf)
	}
	return small(&p)
}

// retuple gives p another outer tuple, as a forger of headers does.
func retuple(p packet.Packet, t packet.Tuple) packet.Packet {
	c := small(&p)
	if !c.Rewrite(t) {
		panic("cannot rewrite " + p.T.String())
	}
	return c
}

// withData gives p another L4 payload and a right checksum.
func withData(p packet.Packet, data []byte) packet.Packet {
	c := small(&p)
	if n := len(data) - (c.End - c.Data); n < 0 {
		c.Trim(-n)
	} else if n > 0 {
		c.Extend(n)
	}
	copy(c.Buf[c.Data:c.End], data)
	c.FinishFull()
	return c
}

// state is all of a router that an attack must not change: its sessions, its
// pools, its next-hops.
func state(n *node) string {
	var rows []string
	n.e.Sessions(func(r *session.Row) bool {
		rows = append(rows, fmt.Sprintf("%x reverse %v: %v if %d to %v egress %d path %d encrypted %v recovered %v answered %v closed %v metadata %v",
			r.UUID, r.Reverse, r.Key.Tuple, r.Key.If, r.To, r.Egress, r.Path, r.Encrypted, r.Recovered, r.Answered, r.Closed, r.Signal))
		return true
	})
	slices.Sort(rows)
	for i, id := range n.parts.Pathway {
		s := n.parts.Wayports.Stats(id)
		rows = append(rows, fmt.Sprintf("path %d: %d pairs live, %d resting", i, s.InUse, s.Resting))
	}
	used, _ := n.e.KeysInUse()
	rows = append(rows, fmt.Sprintf("%d live, %d NAT mappings, %d keys, %d next-hops held", n.e.Live(),
		n.parts.NAT.Stats().InUse, used, n.held()))
	return strings.Join(rows, "\n")
}

// held is how many references on next-hops sessions have.
func (n *node) held() int {
	refs := -n.e.Lent()
	for _, k := range n.refs {
		refs += k
	}
	return refs
}
