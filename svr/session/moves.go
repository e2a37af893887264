package session

import (
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/wire"
)

// moveTable holds the challenges that we have to echo: a few sessions at a
// time, each for the handshake it is in.
type moveTable struct {
	slots [64]move
	next  int
	count int // slots in use
}

type move struct {
	session uint32
	nonce   [8]byte
	used    bool
}

func (t *moveTable) put(i uint32, nonce [8]byte) {
	for k := range t.slots {
		if t.slots[k].used && t.slots[k].session == i {
			t.slots[k].nonce = nonce
			return
		}
	}
	if t.slots[t.next].used {
		t.count--
	}
	t.slots[t.next] = move{session: i, nonce: nonce, used: true}
	t.next = (t.next + 1) % len(t.slots)
	t.count++
}

// echo returns the challenge that session i must echo.
func (t *moveTable) echo(i uint32) (nonce [8]byte, ok bool) {
	if t.count == 0 {
		return nonce, false
	}
	for k := range t.slots {
		if t.slots[k].used && t.slots[k].session == i {
			return t.slots[k].nonce, true
		}
	}
	return nonce, false
}

func (t *moveTable) forget(i uint32) {
	if t.count == 0 {
		return
	}
	for k := range t.slots {
		if t.slots[k].used && t.slots[k].session == i {
			t.slots[k].used = false
			t.count--
		}
	}
}

// moved: forward metadata of a known session from another place. Nothing
// changes until the sender echoes our challenge from there (docs/wire.md 3).
func (e *Engine) moved(p *packet.Packet, i uint32, l int, id policy.PathID, m *receivedMeta) {
	r := &e.recs[i]
	if m.p.Context != e.ctx(r, l) {
		e.stats.Add(DropUnbound, 1)
		return
	}
	if e.keepsOwn(r, l) {
		e.stats.Add(DropUnbound, 1)
		return
	}
	if !e.sameProtection(r, m) {
		e.stats.Add(DropSecurityMismatch, 1)
		return
	}
	if !e.echoes(p, m) {
		e.challenge(p, id, m)
		return
	}
	if !e.retie(p, i, l, id, m) {
		return
	}
	e.stats.Add(SessionsMoved, 1)
	if m.h.Has.Has(wire.TypeControl) {
		e.sendDisable(i, l)
		return
	}
	e.deliver(p, i, l, m)
}

// sameProtection says whether metadata names the payload protection that the
// session has: a move never weakens it.
func (e *Engine) sameProtection(r *record, m *receivedMeta) bool {
	svc, ok := e.tables.ServiceByName(m.p.Service)
	if !ok {
		return false
	}
	pol := e.securityOf(svc)
	return pol == e.payload(r) && (pol == nil || m.p.Encrypted() == pol.Encrypts())
}

// keepsOwn settles glare: both routers lost the session and both opened it
// again. The one with the lower name keeps its own.
func (e *Engine) keepsOwn(r *record, l int) bool {
	g := &r.leg[l]
	if g.role() != roleInitiator || !g.signal() || r.heard(l) {
		return false
	}
	return e.tables.RouterName < e.tables.Peers[e.paths[g.path].peer].Name
}

// nonce is the challenge for this session at this place. It is made from a
// secret of the engine and needs no memory, so that replayed metadata cannot
// push out the challenge of an honest peer. It changes every 8 s and is good
// for that long.
func (e *Engine) nonce(p *packet.Packet, uuid *[16]byte) [8]byte {
	m := &e.meta
	b := append(m.nonceIn[:0], uuid[:]...)
	b = append(b, p.T.Src[:]...)
	b = append(b, byte(p.T.SrcPort>>8), byte(p.T.SrcPort), byte(p.T.DstPort>>8), byte(p.T.DstPort))
	b = append(b, byte(p.If>>8), byte(p.If))
	for s, t := 0, uint64(e.now/(8*second)); s < 64; s += 8 {
		b = append(b, byte(t>>s))
	}
	return [8]byte(e.secret.AppendDigest(b, b, 0)[len(b):])
}

// echoes says whether m answers our challenge for the place that p came from.
func (e *Engine) echoes(p *packet.Packet, m *receivedMeta) bool {
	return m.p.Has.Has(wire.TypeChallenge) && m.p.Challenge == e.nonce(p, &m.p.UUID)
}

// contest: forward metadata of one session on the pair of another. Either the
// peer gave the pair to a new session, or a bystander sends what it captured to
// where it does not belong: the session that has the pair keeps it until the
// sender echoes a challenge from there.
func (e *Engine) contest(p *packet.Packet, m *receivedMeta) belief {
	id := policy.NoPath
	if from, ok := e.tables.PeerByName(m.p.Router); ok {
		id = e.pathFrom(p, from)
	}
	if id == policy.NoPath {
		e.stats.Add(DropUnknownPeer, 1)
		return beliefDrop
	}
	if e.echoes(p, m) {
		return beliefReplace
	}
	e.challenge(p, id, m)
	return beliefDrop
}

// replace ends session i, whose pair was proven to be another session's.
func (e *Engine) replace(p *packet.Packet, i uint32, m *receivedMeta) {
	e.remove(i)
	e.arriveWith(p, m)
}

// challenge answers forward metadata m from an unproven place, there.
func (e *Engine) challenge(p *packet.Packet, id policy.PathID, m *receivedMeta) {
	if !e.challenges.allow(e, p, id, second/5) {
		e.stats.Add(DropRateLimit, 1)
		return
	}
	hop, ok := e.nextHop(p.If, p.T.Src, p.T.Family, e.noGateway)
	if !ok {
		e.stats.Add(DropHop, 1)
		return
	}
	e.lend(hop)
	g := leg{path: id, ifc: p.If, hop: hop}
	nonce, s := e.nonce(p, &m.p.UUID), &e.meta
	wire.Challenge(&s.head, &s.body, keyIndex, m.p.UUID, m.p.Context.Reverse(), nonce)
	seq, ack := answerNumbers(p)
	if e.sendMessage(p.T.Reverse(), &g, seq, ack) {
		e.stats.Add(SentChallenge, 1)
	}
}

// answerNumbers are plausible TCP numbers for a packet in answer to p.
func answerNumbers(p *packet.Packet) (seq, ack uint32) {
	if p.Kind != packet.KindTCP {
		return 0, 0
	}
	h := readTCP(p)
	return h.ack, h.seq
}

// retie moves leg l of session i to the place that p came from: new flow, new
// way back, and only then the old pair rests.
func (e *Engine) retie(p *packet.Packet, i uint32, l int, id policy.PathID, m *receivedMeta) bool {
	r := &e.recs[i]
	g := &r.leg[l]
	hop, ok := e.nextHop(p.If, p.T.Src, p.T.Family, e.noGateway)
	if !ok {
		e.stats.Add(DropHop, 1)
		return false
	}
	k := pool.Key{Tuple: p.T, If: p.If}
	s, err := e.table.Insert(k, e.table.Action(r.slot[l]), i<<1|uint32(l))
	if err != nil {
		e.out.Release(hop)
		e.stats.Add(SessionRefusedFull, 1)
		return false
	}
	old := e.table.Key(r.slot[l])
	e.freeWayports(r, l, &old)
	e.table.Remove(r.slot[l], e.now)
	if g.hop != noHop {
		e.out.Release(g.hop)
	}
	r.slot[l] = s
	e.setSimple(r, shortNone)
	*g = leg{
		bits: legOf(kindSVR, roleResponder) | legSignal, count: 1,
		path: id, ifc: p.If, hop: hop, due: tickOf(e.now + answerWithin),
	}
	e.redirect(r, 1-l, p.T.Reverse())
	e.rebridge(r, l, p.T.Proto)
	e.rename(i, &m.p.UUID)
	e.paths[id].prove(&p.T.Src)
	e.takeSalt(r, l, m)
	if e.ends(r, 1-l) {
		e.freshSalt(r, 1-l)
	}
	e.arm(i)
	return true
}

// redirect lets direction d leave as tuple to. A slot without room for IPv6
// addresses moves. What was sent as another tuple leaves before.
func (e *Engine) redirect(r *record, d int, to packet.Tuple) {
	if e.cfg.Later != nil && e.table.Action(r.slot[d]).To != to {
		e.cfg.Later.Await(newest)
	}
	a := e.action(r, d, to)
	if err := e.table.Update(r.slot[d], a); err == nil {
		return
	}
	s, err := e.table.Move(r.slot[d], a, e.now)
	if err != nil {
		e.stats.Add(SessionRefusedFull, 1)
		return
	}
	r.slot[d] = s
}

// rename gives session i the UUID of the peer that opened it anew.
func (e *Engine) rename(i uint32, uuid *[16]byte) {
	r := &e.recs[i]
	if r.uuid == *uuid {
		return
	}
	e.byUUID.Remove(e.hashUUID(&r.uuid), i)
	r.uuid = *uuid
	e.byUUID.Add(e.hashUUID(&r.uuid), i)
}

// answerChallenge proves to the peer of leg d that we are where we say: the
// next forward metadata echoes the nonce, and it leaves now.
func (e *Engine) answerChallenge(i uint32, d int, nonce [8]byte) {
	r := &e.recs[i]
	g := &r.leg[d]
	if !g.signal() {
		e.stats.Add(DropUnbound, 1)
		return
	}
	e.moves.put(i, nonce)
	if d == 1 && e.resend(i) {
		return
	}
	o := outgoing{i: i, d: 1 - d, r: r, g: g, a: e.table.Action(r.slot[1-d])}
	e.compose(&o)
	e.meta.head.SetControl(wire.ControlKeepAlive)
	if e.sendControl(i, d) {
		e.stats.Add(SentKeepAlive, 1)
	}
}
