package session

import (
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/wire"
)

// Inside-out: only the peer can open towards us, because it is behind a NAT.
// Who has a session for it asks it by BFD, the first packets wait, and the peer
// opens the outer flow: on that flow its port is even and ours odd, although we
// signal forward and it reverse (docs/wire.md 9).

const (
	requestSlots = 256
	requestTries = 3
	requestEvery = second / 5
	requestTime  = second // then the session, or its move, is given up
	// renewAfter is how long a handshake on such a flow may be unanswered before
	// the peer is asked to open it anew: its NAT may have forgotten the flow.
	renewAfter = 3 * second / 10
	// firstPackets is how many packets wait for peers to open their sessions.
	firstPackets = 64
)

// Requests carries session requests to peers, by BFD.
type Requests interface {
	// Ask sends a request, field 12 of the BFD message, on a path. It neither
	// waits nor keeps the bytes; what gets lost is asked again.
	Ask(id policy.PathID, request []byte)
}

// request is a session, or the move of one, that waits for the peer.
type request struct {
	used, answered bool
	tries          uint8
	path           policy.PathID
	tenant         policy.TenantID
	service        policy.ServiceID // that protects the payload
	ifc            uint16
	id             uint32
	session        uint32 // none: it is not there yet
	began, next    int64
	uuid           [16]byte
	inner          packet.Tuple
	outer          packet.Tuple // answered: as its packets arrive on ifc
}

// requestTable holds what we asked peers for. Memory for packets is taken when
// the first one waits.
type requestTable struct {
	slots   [requestSlots]request
	count   int
	lastID  uint32
	crowded bool // a move found no room
	packets []firstPacket
	buf     [wire.MaxRequest]byte
}

// firstPacket is a packet that waits for its session to be opened.
type firstPacket struct {
	request *request
	csum    packet.Csum
	ifc     uint16
	n       int // bytes kept, 0: free
	buf     [maxHeld]byte
}

func (t *requestTable) find(match func(*request) bool) *request {
	if t.count == 0 {
		return nil
	}
	for k := range t.slots {
		if q := &t.slots[k]; q.used && match(q) {
			return q
		}
	}
	return nil
}

// ready says whether the peer has opened the flow for a session of this tuple.
func (t *requestTable) ready(inner *packet.Tuple, id policy.PathID) bool {
	return t.find(func(q *request) bool { return q.answered && q.path == id && q.inner == *inner }) != nil
}

func (t *requestTable) put(q request) *request {
	for k := range t.slots {
		if s := &t.slots[k]; !s.used {
			t.count++
			t.lastID++
			*s = q
			s.used, s.id = true, t.lastID
			return s
		}
	}
	return nil
}

// drop forgets a request and what waits for it.
func (t *requestTable) drop(q *request) {
	q.used = false
	t.count--
	for k := range t.packets {
		if w := &t.packets[k]; w.request == q {
			w.request, w.n = nil, 0
		}
	}
}

// forget drops the request about session i, because it ends or is answered.
func (t *requestTable) forget(i uint32) {
	if q := t.find(func(q *request) bool { return q.session == i }); q != nil {
		t.drop(q)
	}
}

// keep lets a copy of p wait for q.
func (t *requestTable) keep(p *packet.Packet, q *request) bool {
	if p.Len() > maxHeld || p.GSO != packet.GSONone {
		return false
	}
	if t.packets == nil {
		t.packets = make([]firstPacket, firstPackets)
	}
	for k := range t.packets {
		if w := &t.packets[k]; w.n == 0 {
			w.request, w.csum, w.ifc = q, p.Csum, p.If
			w.n = copy(w.buf[:], p.Buf[p.Off:p.End])
			return true
		}
	}
	return false
}

// inside says whether the peer of a leg opened, or has to open, its flow from
// behind a NAT, or we did so for the peer.
func (g *leg) inside() bool { return g.kind() == kindSVR && (g.role() == roleResponder) == g.owned() }

// reaches says whether sessions may be opened over a path now, by us or, when
// only the peer can, by the peer.
func (e *Engine) reaches(id policy.PathID) bool {
	return (e.paths[id].family != 0 || e.tables.Paths[id].PeerOutbound) && e.cfg.Paths.Status(uint16(id)).Up
}

// mustAsk says whether only the peer can open what choice c leads to.
func (e *Engine) mustAsk(c *policy.Choice) bool {
	return c.Kind == policy.RoutePeer && e.tables.Paths[c.Path].PeerOutbound
}

// ask lets p, the first packet of a session, wait until the peer has opened the
// flow. keep: a copy of p is the session's when it did; else its sender will
// send again.
func (e *Engine) ask(p *packet.Packet, inner packet.Tuple, uuid [16]byte, tenant policy.TenantID,
	service policy.ServiceID, id policy.PathID, keep bool) {
	t := &e.asked
	q := t.find(func(q *request) bool { return q.session == none && q.path == id && q.inner == inner })
	if q == nil {
		q = t.put(request{session: none, path: id, inner: inner, uuid: uuid, tenant: tenant, service: service,
			began: e.now, next: e.now})
	}
	if q == nil {
		e.stats.Add(SessionRefusedFull, 1)
		return
	}
	if keep && t.keep(p, q) {
		e.stats.Add(WaitsForPeer, 1)
	}
	if q.tries == 0 {
		e.sendRequest(q)
	}
}

// askFor asks the peer to open the flow of session i over path id, again or for
// a move.
func (e *Engine) askFor(i uint32, id policy.PathID) {
	t, r := &e.asked, &e.recs[i]
	if t.find(func(q *request) bool { return q.session == i }) != nil {
		return
	}
	q := t.put(request{session: i, path: id, inner: e.inner(r), uuid: r.uuid, tenant: r.tenant, service: r.security,
		began: e.now, next: e.now})
	if q == nil {
		t.crowded = true
		return
	}
	e.sendRequest(q)
}

func (e *Engine) sendRequest(q *request) {
	q.tries++
	q.next = e.now + requestEvery
	w := wire.Request{ID: q.id, Context: q.inner, Service: e.serviceNames[q.service], UUID: q.uuid, Policy: e.sendNames[q.path]}
	if q.tenant != policy.Global {
		w.Tenant = e.tenantNames[q.tenant]
	}
	if id := e.tables.Services[q.service].Security; id != policy.NoSecurity && e.cfg.Payload[id] != nil {
		w.Encrypted = e.cfg.Payload[id].Encrypts()
	}
	b, ok := wire.AppendRequest(e.asked.buf[:0], &w)
	if !ok || e.cfg.Requests == nil {
		e.stats.Add(DropNoRoom, 1)
		return
	}
	e.cfg.Requests.Ask(q.path, b)
	e.stats.Add(SentRequest, 1)
}

// askAgain repeats what peers have not answered and gives up what they will not.
func (e *Engine) askAgain() {
	t := &e.asked
	if t.count == 0 && !t.crowded {
		return
	}
	for k := range t.slots {
		q := &t.slots[k]
		switch {
		case !q.used:
		case e.now-q.began >= requestTime:
			if !q.answered {
				e.stats.Add(HandshakeTimeout, 1)
			}
			t.drop(q)
		case !q.answered && q.tries < requestTries && e.now >= q.next:
			e.sendRequest(q)
		}
	}
	if t.crowded && t.count < requestSlots/2 {
		t.crowded = false
		e.Reroute(0, len(e.recs))
	}
}

// opened takes reverse metadata on an odd port without a session: the answer to
// a request, or the peer's packets come from another place than before.
func (e *Engine) opened(p *packet.Packet, m *receivedMeta) {
	from, ok := e.tables.PeerByName(m.p.Router)
	if !ok || !m.p.Has.Has(wire.TypeUUID) {
		e.stats.Add(DropDirection, 1)
		return
	}
	q := e.asked.find(func(q *request) bool { return q.uuid == m.p.UUID && !q.answered })
	if q == nil {
		e.elsewhere(p, from, m)
		return
	}
	pp := &e.paths[q.path]
	if pp.peer != from || pp.ifc != p.If || !pp.isProven(&p.T.Src) || m.p.Context != q.inner.Reverse() {
		e.stats.Add(DropUnbound, 1)
		return
	}
	if i := q.session; i != none {
		e.asked.drop(q)
		e.reseat(i, p, m)
		return
	}
	q.answered, q.outer, q.ifc = true, p.T, p.If
	e.admit(q)
}

// elsewhere: the peer signals a session that it opened for us from another
// place. It is asked by BFD; what it says then counts.
func (e *Engine) elsewhere(p *packet.Packet, from policy.PeerID, m *receivedMeta) {
	i := e.findUUID(&m.p.UUID, e.hashUUID(&m.p.UUID))
	if i == none || e.recs[i].leg[1].role() != roleInitiator || !e.recs[i].leg[1].inside() ||
		e.paths[e.recs[i].leg[1].path].peer != from || e.paths[e.recs[i].leg[1].path].ifc != p.If {
		e.stats.Add(DropDirection, 1)
		return
	}
	e.askFor(i, e.recs[i].leg[1].path)
}

// admit gives the packets that waited for q their session.
func (e *Engine) admit(q *request) {
	list := e.asked.packets
	for k := range list {
		if list[k].request == q {
			list[k].request = nil // its session takes the request, but not these
		}
	}
	for k := range list {
		w := &list[k]
		if w.request != nil || w.n == 0 {
			continue
		}
		n := w.n
		w.n = 0
		p := e.out.Buffer(false)
		if p == nil || len(p.Buf)-p.Off < n {
			e.stats.Add(DropBuffer, 1)
			continue
		}
		copy(p.Buf[p.Off:], w.buf[:n])
		p.Reset(p.Buf, p.Off, p.Off+n, w.ifc)
		p.Csum = w.csum
		if p.Parse() == nil {
			e.receiveFlow(p)
		}
	}
}

// leadInside makes leg 1 of session i the flow that the peer opened for it.
func (e *Engine) leadInside(i uint32, key *pool.Key, id policy.PathID) bool {
	r := &e.recs[i]
	q := e.asked.find(func(q *request) bool { return q.answered && q.path == id && q.inner == e.inner(r) })
	if q == nil {
		e.stats.Add(DropNoPath, 1)
		return false
	}
	r.uuid = q.uuid
	r.leg[1] = leg{bits: legOf(kindSVR, roleInitiator) | legSignal, path: id, ifc: q.ifc, hop: noHop, since: tickOf(e.now)}
	*key = pool.Key{If: q.ifc, Tuple: q.outer}
	e.asked.drop(q)
	if !e.protect(r) {
		return false
	}
	if r.leg[0].kind() != kindSVR {
		e.freshSalt(r, 0)
	}
	hop, ok := e.nextHop(key.If, key.Src, key.Family, e.noGateway)
	r.leg[1].hop = orNone(hop, ok)
	if !ok {
		e.stats.Add(DropHop, 1)
	}
	return ok
}

// reseat moves leg 1 of session i to the flow that the peer opened for it: p
// came by it.
func (e *Engine) reseat(i uint32, p *packet.Packet, m *receivedMeta) {
	r := &e.recs[i]
	id := e.pathOfAnswer(p, r)
	hop, ok := e.nextHop(p.If, p.T.Src, p.T.Family, e.noGateway)
	if !ok {
		e.stats.Add(DropHop, 1)
		return
	}
	key := pool.Key{Tuple: p.T, If: p.If}
	if e.place(i, id, key, hop, false, e.cfg.Paths.Status(uint16(r.leg[1].path)).Up) {
		e.takeSalt(r, 1, m)
		e.nudge(i)
	}
}

// pathOfAnswer is the path to the peer of session r whose peer proved itself at
// the source of p.
func (e *Engine) pathOfAnswer(p *packet.Packet, r *record) policy.PathID {
	now := r.leg[1].path
	for _, id := range e.tables.Peers[e.paths[now].peer].Paths {
		pp := &e.paths[id]
		if e.tables.Paths[id].PeerOutbound && pp.ifc == p.If && pp.isProven(&p.T.Src) {
			return id
		}
	}
	return now
}
