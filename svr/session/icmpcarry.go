package session

import (
	"net/netip"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/wire"
)

// Networks that drop ICMP drop the errors about sessions, too. Where the
// neighborhood says encapsulate-icmp-error-messages an error travels between
// routers as a datagram on the session's addresses and ports instead
// (docs/wire.md 7): metadata with the place where it arose, bound to the session
// as control messages are, then the ICMP message about the session's inner packet.

// controlTOS is DSCP CS6, which RFC 1812 4.3.2.5 wants of ICMP errors.
const controlTOS = 0xc0

// carries says whether errors for the peer of leg l go in datagrams.
func (e *Engine) carries(i uint32, l int) bool {
	r := &e.recs[i]
	g := &r.leg[l]
	return g.kind() == kindSVR && g.path != noPath && r.slot[l] != none && e.carriesOn(g.path, e.table.Proto(r.slot[l]))
}

// carriesOn says whether errors go in datagrams on a path, about a flow of outer
// protocol proto. One whose own flow is TCP has no binding for them where a NAT is
// in between.
func (e *Engine) carriesOn(id policy.PathID, proto uint8) bool {
	t := &e.tables.Paths[id]
	return t.ICMPErrors && (proto == packet.ProtoUDP || !t.PeerOutbound && !t.OutboundOnly)
}

// carrier is the flow that an error goes with.
type carrier struct {
	t        packet.Tuple // outer, as we send
	uuid     [16]byte
	ctx      packet.Tuple // inner, as we send
	forward  bool         // we are the initiator
	path     policy.PathID
	ifc, hop uint16
}

// carrierOf is that of session i on leg l.
func (e *Engine) carrierOf(i uint32, l int) carrier {
	r := &e.recs[i]
	g := &r.leg[l]
	return carrier{t: e.table.Key(r.slot[l]).Reverse(), uuid: r.uuid, ctx: e.ctx(r, 1-l), forward: g.role() == roleInitiator,
		path: g.path, ifc: g.ifc, hop: g.hop}
}

// carrierTo is the flow back to the initiator of p, which made no session here.
func carrierTo(p *packet.Packet, id policy.PathID, m *receivedMeta) carrier {
	return carrier{t: p.T.Reverse(), uuid: m.p.UUID, ctx: m.p.Context.Reverse(), path: id, ifc: p.If, hop: noHop}
}

// carry sends error p, about a packet that left session i natively, to the
// peer of leg l. mtu is what a too-big tells.
func (e *Engine) carry(p *packet.Packet, q *packet.Quote, i uint32, l, mtu int) {
	quoted := e.ctx(&e.recs[i], l)
	b := e.out.Buffer(false)
	if b == nil || !e.errors.take(e.now) {
		e.stats.Add(DropICMP, 1)
		return
	}
	q.End = min(q.End, q.L4+packet.UDPSize)
	q.Data = min(q.Data, q.End)
	if !packet.BuildICMPFromQuote(b, p, q, p.T.Src, quoted.Src, quoted, mtu) {
		e.stats.Add(DropICMP, 1)
		return
	}
	c := e.carrierOf(i, l)
	e.sendCarried(b.Buf[b.L4:b.End], packet.ToAddr(p.T.Src, p.T.Family), &c)
}

// errorAbout tells the peer, whose packet p ends here, of an error, in a datagram or
// in ICMP. c is the flow back; a hop of noHop is looked up.
func (e *Engine) errorAbout(p *packet.Packet, kind packet.ErrKind, c carrier) {
	if !e.carriesOn(c.path, p.T.Proto) || !e.carryOwn(p, kind, &c) {
		e.replyError(p, kind, 0)
	}
}

// carryOwn is errorAbout for datagrams; false: what the packet was cannot be told.
func (e *Engine) carryOwn(p *packet.Packet, kind packet.ErrKind, c *carrier) bool {
	quoted := c.ctx.Reverse()
	src, ok := e.ownAddress(p.If, quoted.Family)
	about, b := e.out.Buffer(false), e.out.Buffer(false)
	if !ok || p.T.Proto != quoted.Proto || about == nil || b == nil || packet.Build(about, quoted, p.TTL(), p.TOS(), 0) == nil {
		return false
	}
	if p.Kind == packet.KindTCP {
		copy(about.Buf[about.L4+4:about.L4+8], p.Buf[p.L4+4:])
	}
	about.Finish()
	if c.hop == noHop {
		if c.hop, ok = e.nextHop(p.If, p.T.Src, p.T.Family, e.noGateway); !ok {
			return false
		}
		e.lend(c.hop)
	}
	if !e.errors.take(e.now) || !packet.BuildICMPError(b, about, kind, 0, src) {
		return false
	}
	e.sendCarried(b.Buf[b.L4:min(b.End, b.Data+about.L4-about.Off+packet.UDPSize)], packet.ToAddr(src, quoted.Family), c)
	return true
}

// sendCarried sends ICMP message msg, which arose at a place, with a flow.
func (e *Engine) sendCarried(msg []byte, place netip.Addr, c *carrier) {
	m, send := &e.meta, e.paths[c.path].send
	c.t.Proto = packet.ProtoUDP
	wire.ICMPError(&m.head, &m.body, keyIndex, c.uuid, c.ctx, c.forward, place)
	head := e.sealMetadata(wire.AppendMetadata(m.buf[:0], &m.head, &m.body), send)
	n, encrypts := len(msg), send != nil && send.Encrypts()
	if encrypts {
		n = encryptedLen(send, n)
	}
	p := e.out.Buffer(false)
	if p == nil {
		e.stats.Add(DropBuffer, 1)
		return
	}
	room := packet.Build(p, c.t, 64, controlTOS, len(head)+n)
	if room == nil {
		e.stats.Add(DropNoRoom, 1)
		return
	}
	data := room[copy(room, head):]
	copy(data, msg)
	data[2], data[3] = 0, 0 // the checksum is made anew
	if encrypts {
		e.cfg.IV.Next(&m.iv)
		send.EncryptCBC(data, len(msg), &m.iv)
	}
	if !e.appendDigest(p, send) {
		return
	}
	p.Finish()
	e.stats.Add(SentCarriedICMP, 1)
	e.out.Send(p, c.ifc, c.hop)
}

// isCarried says whether metadata brings an ICMP error.
func isCarried(m *receivedMeta) bool {
	return m.h.Has.Has(wire.TypeICMPIPv4) || m.h.Has.Has(wire.TypeICMPIPv6)
}

// carriedAside takes an error that came as a datagram on the ports of a session
// whose own flow is TCP.
func (e *Engine) carriedAside(p *packet.Packet, m *receivedMeta) {
	k := pool.Key{Tuple: p.T, If: p.If}
	k.Proto = packet.ProtoTCP
	s, ok := e.table.Lookup(&k)
	if !ok {
		e.stats.Add(DropICMP, 1)
		return
	}
	owner := e.table.Owner(s)
	if i, d := owner>>1, int(owner&1); e.recs[i].leg[d].kind() == kindSVR {
		e.takeError(p, i, d, m)
	}
}

// takeError takes an ICMP error that the peer of leg d sent about session i. It is
// believed as one that came by itself is: only about a packet of the session.
func (e *Engine) takeError(p *packet.Packet, i uint32, d int, m *receivedMeta) {
	r := &e.recs[i]
	if !e.bound(r, d, m) {
		return
	}
	a, ok := e.unpackError(p, r, d, m)
	if !ok {
		e.stats.Add(DropICMP, 1)
		return
	}
	q, ok := a.Quote()
	if !ok || q.T != e.ctx(r, 1-d) || q.T.Proto == packet.ProtoTCP && (!q.HasSeq || !e.quoted(r, q.Seq, 1-d)) {
		e.stats.Add(DropICMP, 1)
		return
	}
	e.stats.Add(ReceivedCarriedICMP, 1)
	if e.carries(i, 1-d) {
		e.carry(a, &q, i, 1-d, q.MTU)
		return
	}
	e.passQuote(a, &q, i, d, q.MTU)
}

// unpackError makes the ICMP error in p a packet, which comes from the place where
// the error arose, or from us where its family cannot name that.
func (e *Engine) unpackError(p *packet.Packet, r *record, d int, m *receivedMeta) (a *packet.Packet, ok bool) {
	msg := p.Payload()[m.size:]
	if pol := e.ifs[p.If].recv; pol.Encrypts() {
		var err error
		if msg, err = pol.DecryptCBC(msg); err != nil {
			return nil, false
		}
	}
	inner := e.ctx(r, 1-d)
	t := packet.Tuple{Src: inner.Dst, Dst: inner.Src, Family: inner.Family, Proto: packet.ProtoICMP}
	switch {
	case inner.Family == 6 && m.h.Has.Has(wire.TypeICMPIPv6):
		t.Proto, t.Src = packet.ProtoICMPv6, m.h.ICMPIPv6
	case inner.Family == 4 && m.h.Has.Has(wire.TypeICMPIPv4):
		t.Src = [16]byte{}
		copy(t.Src[:], m.h.ICMPIPv4[:])
	default:
		if inner.Family == 6 {
			t.Proto = packet.ProtoICMPv6
		}
		if t.Src, ok = e.ownAddress(r.leg[1-d].ifc, inner.Family); !ok {
			return nil, false
		}
	}
	if a = e.out.Buffer(false); a == nil || len(msg) < packet.ICMPSize {
		return nil, false
	}
	if packet.Build(a, t, p.TTL(), p.TOS(), len(msg)-packet.ICMPSize) == nil {
		return nil, false
	}
	copy(a.Buf[a.L4:a.End], msg)
	return a, a.Parse() == nil && a.Kind == packet.KindICMPError
}
