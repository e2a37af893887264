package session

import (
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
)

// translate gives a breakout session an address and port of its egress
// interface: out becomes the tuple that the world sees. One inner endpoint
// keeps one outer port (RFC 4787 REQ-1), so that hairpins find it.
func (e *Engine) translate(i uint32, out *packet.Tuple) bool {
	r := &e.recs[i]
	g := &r.leg[1]
	addr, ok := e.ownAddress(g.ifc, out.Family)
	if !ok {
		e.stats.Add(DropNAT, 1)
		return false
	}
	t := *out
	t.Src = addr
	taken := func(port uint16) bool {
		t.SrcPort = port
		if isEcho(t.Proto) {
			t.DstPort = port
		}
		_, live := e.table.Lookup(&pool.Key{Tuple: t.Reverse(), If: g.ifc})
		return live
	}
	port, err := e.cfg.NAT.Acquire(e.now, g.ifc, r.proto, e.inner(r).Src, r.port[0], taken)
	if err != nil {
		e.stats.Add(DropNAT, 1)
		return false
	}
	taken(port)
	*out = t
	g.bits, r.natIf, r.natPort = legOf(kindNAT, roleNone), g.ifc, port
	return true
}

// freeNAT returns the port of a breakout session.
func (e *Engine) freeNAT(r *record) {
	if r.leg[1].kind() == kindNAT && r.natPort != 0 {
		e.cfg.NAT.Release(e.now, r.natIf, r.proto, e.inner(r).Src, r.port[0], r.natPort)
		r.natPort = 0
	}
}

// hairpin connects two hosts behind us when one calls the outer port of the
// other (RFC 4787 REQ-9): the callee sees the caller's outer address and port.
func (e *Engine) hairpin(p *packet.Packet) {
	wan, ok := e.own[addrKey(p.T.Dst, p.T.Family)]
	if !ok || wan == p.If || !e.ifs[wan].nat {
		e.stats.Add(DropStranger, 1)
		return
	}
	svc, ok := e.classify(p, e.tables.ClassifyTenant(policy.IfID(p.If), p.T.Src, p.T.Family))
	if !ok {
		return
	}
	dst, port, ok := e.cfg.NAT.LookupExternal(wan, p.T.Proto, p.T.DstPort)
	if !ok {
		e.stats.Add(DropStranger, 1)
		return
	}
	if p.TTL() <= 1 {
		e.replyError(p, packet.ErrTTL, 0)
		e.stats.Add(DropTTL, 1)
		return
	}
	if midflow(p) && !e.admitMidflow(p, svc, &policy.Choice{Kind: policy.RouteLocal}) {
		return
	}
	e.openHairpin(p, svc, wan, dst, port)
}

// openHairpin makes the session of a hairpin; both legs may be on one LAN.
func (e *Engine) openHairpin(p *packet.Packet, svc policy.ServiceID, wan uint16, dst [16]byte, port uint16) {
	in, ok := e.connected(dst, p.T.Family)
	if !ok {
		e.stats.Add(DropNoRoute, 1)
		return
	}
	i, ok := e.allocate(&p.T)
	if !ok {
		return
	}
	r := &e.recs[i]
	r.uuid = e.cfg.Random.UUID()
	r.service = svc
	// The outer port belongs to the WAN interface, the packets to the LAN.
	r.leg[1].ifc = wan
	out := p.T
	out.Dst, out.DstPort = dst, port
	if !e.translate(i, &out) {
		e.remove(i)
		return
	}
	r.leg[0].ifc, r.leg[1].ifc = p.If, in
	hop0, ok0 := e.nextHop(p.If, p.T.Src, p.T.Family, e.noGateway)
	hop1, ok1 := e.nextHop(in, dst, p.T.Family, e.noGateway)
	r.leg[0].hop, r.leg[1].hop = hop0, hop1
	if !ok0 || !ok1 {
		e.stats.Add(DropHop, 1)
		e.remove(i)
		return
	}
	key := [2]pool.Key{{Tuple: p.T, If: p.If}, {Tuple: out.Reverse(), If: in}}
	if e.publish(i, &key) {
		e.stats.Add(SessionsOpened, 1)
		e.fromHost(p, i, 0)
	}
}

// connected returns the interface whose subnet holds addr.
func (e *Engine) connected(addr [16]byte, family uint8) (uint16, bool) {
	a := packet.ToAddr(addr, family)
	for i := range e.ifs {
		for k := range e.ifs[i].addrs {
			if e.ifs[i].addrs[k].prefix.Contains(a) {
				return uint16(i), true
			}
		}
	}
	return 0, false
}

func isEcho(proto uint8) bool { return proto == packet.ProtoICMP || proto == packet.ProtoICMPv6 }
