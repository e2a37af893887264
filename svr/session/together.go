package session

import (
	"waymark/svr/packet"
	"waymark/svr/secure"
)

// seals is the room in which segments of a super-packet are sealed together.
type seals struct {
	list    [secure.Most]*packet.Packet
	packets [secure.Most][]byte
	ivs     [secure.Most][16]byte
	pair    [2][16]byte
}

// sealsTogether says whether packets of a plan are better sealed several at once.
func (e *Engine) sealsTogether(o *outgoing) bool {
	return e.cfg.Later == nil && o.seal && !o.g.signal() && o.pol.Gathers() && !o.pol.Cipher().GCM()
}

// sealSegments sends all that cut makes, in groups.
func (e *Engine) sealSegments(cut *packet.Segmenter, o *outgoing) {
	for list := e.seals.list[:]; len(list) == secure.Most; {
		list = e.seals.list[:0]
		for len(list) < secure.Most {
			b := e.nextSegment(cut)
			if b == nil {
				break
			}
			list = append(list, b)
		}
		e.groupToPeer(list, o)
	}
}

// groupToPeer sends packets that are no super-packets, as sendToPeer would one by
// one: the same bytes but for the IVs, in the same order. Only the last one may be
// shorter than the others.
func (e *Engine) groupToPeer(list []*packet.Packet, o *outgoing) {
	if n := e.alike(list, o); o.pol.Many() && n >= o.pol.Least() {
		e.manyToPeer(list[:n], o)
		list = list[n:]
	}
	for ; len(list) > 1; list = list[2:] {
		e.pairToPeer(list[0], list[1], o)
	}
	if len(list) > 0 {
		e.sendToPeer(list[0], o)
	}
}

// alike is how many packets from the first on can be sealed together: of one
// length, and not longer than a Batch takes.
func (e *Engine) alike(list []*packet.Packet, o *outgoing) (n int) {
	for n < len(list) && e.sealable(list[n], o) && list[n].Len() == list[0].Len() &&
		list[n].Len()+secure.CBCOverhead+o.pol.DigestSize() <= secure.LongestInBatch {
		n++
	}
	return n
}

// sealable says whether p leaves in one piece and has room to be sealed and
// transformed.
func (e *Engine) sealable(p *packet.Packet, o *outgoing) bool {
	n, _ := dataSize(p, o.change)
	return n > 0 && p.VerifyL4() && (!o.change || p.Kind == packet.KindTCP) && p.Off >= packet.UDPSize &&
		e.bareSize(p, o) <= o.mtu && p.End+secure.CBCOverhead+o.pol.DigestSize() <= len(p.Buf)
}

// manyToPeer sends packets that are alike.
func (e *Engine) manyToPeer(list []*packet.Packet, o *outgoing) {
	s, n := &e.seals, 0
	for _, p := range list {
		if e.transform(p, o) {
			list[n], s.packets[n] = p, p.Buf[p.Data:]
			e.cfg.IV.Next(&s.ivs[n])
			n++
		}
	}
	if list = list[:n]; n == 0 {
		return
	}
	n = o.pol.SealCBCMany(&e.ahead.batch, s.packets[:n], list[0].End-list[0].Data, &s.ivs, e.unix)
	for _, p := range list {
		p.End = p.Data + n
		e.dress(p, o, false, true)
	}
}

// pairToPeer sends two packets, sealed at once if they can be.
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

// sealPair encrypts and signs the data of a and b.
func (e *Engine) sealPair(a, b *packet.Packet, o *outgoing) {
	iv := &e.seals.pair
	e.cfg.IV.Next(&iv[0])
	e.cfg.IV.Next(&iv[1])
	x, y := o.pol.SealCBCPair(a.Buf[a.Data:], b.Buf[b.Data:], a.End-a.Data, b.End-b.Data, iv, e.unix)
	a.End, b.End = a.Data+len(x), b.Data+len(y)
}
