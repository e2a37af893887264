package session

import "waymark/svr/packet"

// A transit router leaves encrypted data alone: the ends hold the keys. There
// is one exception. An encrypted TCP session that is native on one leg and
// transformed on the other has its TCP header in the clear here and inside the
// ciphertext there, so the router that joins the two forms has to open and to
// close the payload: it is a bridge, and an end towards both sides.

// ends says whether packets that arrive on leg d are encrypted here, and those
// that leave on it decrypted.
func (e *Engine) ends(r *record, d int) bool { return r.leg[d].kind() != kindSVR || r.is(recBridge) }

// readable says whether a transit router sees the TCP headers of r.
func (e *Engine) readable(r *record) bool {
	return r.proto == packet.ProtoTCP && (r.is(recBridge) || !e.encrypted(r))
}

// encrypted says whether the payload of r is.
func (e *Engine) encrypted(r *record) bool {
	return r.is(recProtected) && e.payload(r).Encrypts()
}

// setBridge decides, from the outer protocols of its legs, whether r is a
// bridge, and gets the keys that it needs then.
func (e *Engine) setBridge(r *record, proto0, proto1 uint8) bool {
	was := r.is(recBridge)
	r.put(recBridge, r.leg[0].kind() == kindSVR && r.leg[1].kind() == kindSVR && proto0 != proto1 &&
		r.proto == packet.ProtoTCP && e.encrypted(r))
	if r.is(recBridge) == was || r.key == none {
		return true
	}
	k := e.keys.at(r.key)
	if was {
		e.keys.put(k.twin - 1)
		k.twin = 0
		return true
	}
	twin, ok := e.keys.take()
	if !ok {
		e.stats.Add(SessionRefusedFull, 1)
		r.put(recBridge, false)
		return false
	}
	k.twin = twin + 1
	for d := range k.have {
		if k.have[d] && !k.gcm[d].Keyed() {
			_ = e.payload(r).SessionKey(&k.gcm[d], k.salt[d][:]) // right lengths, so it cannot fail
		}
		e.freshSalt(r, d)
	}
	return true
}

// rebridge follows a change of form of leg l, whose packets arrive as proto
// now. Both sides need to hear of the keys that count from here on.
func (e *Engine) rebridge(r *record, l int, proto uint8) {
	protos := [2]uint8{proto, proto}
	protos[1-l] = e.table.Proto(r.slot[1-l])
	was := r.is(recBridge)
	e.setBridge(r, protos[0], protos[1])
	if was != r.is(recBridge) {
		e.resignal(r, 0)
		e.resignal(r, 1)
	}
}

// fitting is the longest packet of the kind of p, as it arrived, that leaves
// inside the path of o.
func (e *Engine) fitting(p *packet.Packet, o *outgoing) int {
	n := o.mtu - e.lasting(p, o)
	k := e.table.Key(o.r.slot[o.d])
	if k.Family != p.T.Family {
		n += (packet.IPv6Size - packet.IPv4Size) * (int(k.Family) - int(p.T.Family)) / 2
	}
	if o.r.leg[o.d].kind() != kindSVR {
		return n
	}
	if k.Proto == packet.ProtoUDP && p.T.Proto == packet.ProtoTCP {
		n += transformCost(packet.ProtoTCP)
	}
	if o.pol != nil {
		n += o.pol.DigestSize()
		if o.r.is(recBridge) {
			n += encryptedLen(o.pol, 1) - 1 - e.slack(o)
		}
	}
	return n
}

// slack is by how much ciphertext of one length may exceed that of another for
// the same number of bytes.
func (e *Engine) slack(o *outgoing) int {
	if o.pol.Cipher().GCM() {
		return 0
	}
	return 15
}

// probe stands for a packet of direction d in the form that toPeer sees.
func (e *Engine) probe(r *record, d int) packet.Packet {
	t := e.table.Key(r.slot[d]).Tuple
	if r.leg[d].kind() == kindSVR && e.readable(r) {
		t.Proto = packet.ProtoTCP
	}
	return packet.Packet{T: t}
}

// refusable says whether telling the sender of p helps: a packet that its
// family must be able to send whole is cut instead.
func (e *Engine) refusable(p *packet.Packet, o *outgoing) bool {
	fits := e.fitting(p, o)
	arrived := p.Len() + fits - (o.mtu - e.lasting(p, o))
	return arrived > e.leastMTU(e.table.Key(o.r.slot[o.d]).Family, fits)
}

// tellClosed tells transit routers that a TCP connection is over whose header
// they cannot see; they would keep its session until it is idle for long.
func (e *Engine) tellClosed(i uint32) {
	r := &e.recs[i]
	if !r.tcp.closedBothWays() || !e.encrypted(r) {
		return
	}
	for l := range r.leg {
		if r.leg[l].role() == roleInitiator && e.table.Proto(r.slot[l]) == packet.ProtoUDP {
			e.sendDelete(i, l)
		}
	}
}
