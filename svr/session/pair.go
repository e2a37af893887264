package session

import (
	"waymark/svr/packet"
	"waymark/svr/pool"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

// Two packets at once: the CPU makes two digests in little more than the time of
// one. What a packet leads to, and in which order, is as if each came alone.

// behind is the packet that is handled right after the one at hand.
type behind struct {
	p       *packet.Packet // not looked at yet, nil: none
	parsed  bool
	judged  *packet.Packet // was looked at: its digest is known
	pol     *secure.Policy
	size    int // bytes of its payload then, and so what the verdict is about
	verdict secure.Verdict
}

// Pair takes two packets that arrived one after the other, as Receive(a) and
// Receive(b) would. Nothing but Receive(b) may change the bytes of b.
func (e *Engine) Pair(a, b *packet.Packet) {
	e.next = behind{p: b}
	e.Receive(a)
	e.next.p = nil
	if e.next.parsed {
		e.receive(b)
	} else {
		e.Receive(b)
	}
	e.next = behind{}
}

// verify checks the digest of n bytes at the end of p, a packet of the payload
// policy pol.
func (e *Engine) verify(p *packet.Packet, pol *secure.Policy, n int) secure.Verdict {
	x, b := &e.next, p.Payload()
	if x.judged == p && x.pol == pol && x.size == len(b) {
		return x.verdict
	}
	at := len(b) - n
	if x.p == nil || !pol.Pairs() || !e.sameWay(x, pol, n) {
		return pol.Verify(b[:at], b[at:], e.unix)
	}
	q := x.judged.Payload()
	end := len(q) - n
	x.pol, x.size = pol, len(q)
	var v secure.Verdict
	v, x.verdict = pol.VerifyPair(b[:at], b[at:], q[:end], q[end:], e.unix)
	return v
}

// sameWay says whether the packet behind will be verified under pol as well, and
// notes that. It parses it, once.
func (e *Engine) sameWay(x *behind, pol *secure.Policy, n int) bool {
	q := x.p
	x.p = nil
	if q.GSO != packet.GSONone || q.Parse() != nil {
		return false
	}
	x.parsed = true
	if q.Kind != packet.KindTCP && q.Kind != packet.KindUDP || q.TTL() <= 1 {
		return false
	}
	s, ok := e.table.Lookup(&pool.Key{Tuple: q.T, If: q.If})
	if !ok {
		return false
	}
	owner := e.table.Owner(s)
	r := &e.recs[owner>>1]
	if r.leg[owner&1].kind != kindSVR || !e.protected(r) || e.payload(r) != pol {
		return false
	}
	b := q.Payload()
	if len(b) <= n || wire.HasCookie(b) || !q.VerifyL4() {
		return false
	}
	x.judged = q
	return true
}
