package session

import (
	"waymark/svr/packet"
	"waymark/svr/secure"
)

// sealsPairs says whether two packets of a plan are better sealed at once.
func (e *Engine) sealsPairs(o *outgoing) bool {
	return o.seal && !o.g.signal && o.pol.Pairs() && !o.pol.Cipher().GCM()
}

// pairToPeer sends two packets that are no super-packets, a before b, as
// sendToPeer would one by one.
func (e *Engine) pairToPeer(a, b *packet.Packet, o *outgoing) {
	if !e.sealable(a, o) || !e.sealable(b, o) {
		e.sendToPeer(a, o)
		e.sendToPeer(b, o)
		return
	}
	switch ta, tb := e.transform(a, o), e.transform(b, o); {
	case ta && tb:
		e.sealPair(a, b, o)
		e.dress(a, o, false, true)
		e.dress(b, o, false, true)
	case ta:
		e.finishBuild(a, o, false)
	case tb:
		e.finishBuild(b, o, false)
	}
}

// sealable says whether p leaves in one piece, and has room to be sealed.
func (e *Engine) sealable(p *packet.Packet, o *outgoing) bool {
	n, _ := dataSize(p, o.change)
	return n > 0 && p.VerifyL4() && e.bareSize(p, o) <= o.mtu &&
		p.End+secure.CBCOverhead+o.pol.DigestSize() <= len(p.Buf)
}

// sealPair encrypts and signs the data of a and b.
func (e *Engine) sealPair(a, b *packet.Packet, o *outgoing) {
	iv := &e.meta.ivs
	e.cfg.IV.Next(&iv[0])
	e.cfg.IV.Next(&iv[1])
	x, y := o.pol.SealCBCPair(a.Buf[a.Data:], b.Buf[b.Data:], a.End-a.Data, b.End-b.Data, iv, e.unix)
	a.End, b.End = a.Data+len(x), b.Data+len(y)
}
