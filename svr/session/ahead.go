package session

import (
	"waymark/svr/packet"
	"waymark/svr/pool"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

// Digests of several packets at once take the CPU much less time than one after
// the other. So when the first bare packet of a batch is verified, those behind it
// that will be verified under the same policy are found, and their digests are
// judged with its. What a packet leads to, and in which order, is as if each came
// alone: it goes its way from the beginning, and only where its digest would be
// computed the verdict is there already.

// ahead is what is known of a batch. All belongs to the batch: the packets and
// their bytes stay as they are while it lasts, but for the one at hand.
type ahead struct {
	list   []*packet.Packet // nil: no batch
	now    int              // of list: the packet at hand
	pol    *secure.Policy   // the packets were looked at for this one; nil: not yet
	states [secure.Most]aheadState

	batch    secure.Batch
	which    [secure.Most]int // packets of list in batch
	packets  [secure.Most][]byte
	verdicts [secure.Most]secure.Verdict
}

// aheadState is what is known of one packet of a batch.
type aheadState struct {
	parsed  bool
	same    bool // will be verified under pol
	judged  bool // verdict holds for its payload of size bytes
	size    int
	verdict secure.Verdict
}

// ReceiveBatch takes packets that arrived one after the other, as Receive of each
// in turn would: at most secure.Most of them.
func (e *Engine) ReceiveBatch(list []*packet.Packet) {
	x := &e.ahead
	x.list, x.pol = list, nil
	clear(x.states[:len(list)])
	e.prefetch(x)
	for i, p := range list {
		if x.now = i; x.states[i].parsed {
			e.receive(p)
		} else {
			e.Receive(p)
		}
	}
	x.list = nil
}

// prefetch asks for what the table has of the packets of a batch, which are of many flows
// where it is not in the cache.
func (e *Engine) prefetch(x *ahead) {
	var last packet.Tuple
	for i, p := range x.list {
		if p.Parse() != nil {
			continue
		}
		x.states[i].parsed = true
		if p.T != last {
			last = p.T
			e.table.Prefetch(&pool.Key{Tuple: p.T, If: p.If})
		}
	}
}

// verify judges the digest at the end of p, a bare packet of the payload policy
// pol.
func (e *Engine) verify(p *packet.Packet, pol *secure.Policy) secure.Verdict {
	b := p.Payload()
	if x := &e.ahead; x.list != nil && x.list[x.now] == p && pol.Gathers() {
		if x.pol == nil {
			x.pol = pol
			e.lookAhead(x)
		}
		if s := &x.states[x.now]; x.pol == pol {
			if !s.judged || s.size != len(b) {
				e.judgeAhead(x, b)
			}
			return s.verdict
		}
	}
	at := len(b) - pol.DigestSize()
	return pol.Verify(b[:at], b[at:], e.unix)
}

// lookAhead finds the packets behind the one at hand that belong to sessions of
// the same policy.
func (e *Engine) lookAhead(x *ahead) {
	for i := x.now + 1; i < len(x.list); i++ {
		p, s := x.list[i], &x.states[i]
		if p.GSO != packet.GSONone || !s.parsed {
			continue
		}
		if s.same = e.sameWay(p, x.pol); s.same {
			s.size = p.End - p.Data
		}
	}
}

// sameWay says whether p is a bare packet whose digest will be verified under pol.
func (e *Engine) sameWay(p *packet.Packet, pol *secure.Policy) bool {
	if p.Kind != packet.KindTCP && p.Kind != packet.KindUDP || p.TTL() <= 1 {
		return false
	}
	slot, ok := e.table.Lookup(&pool.Key{Tuple: p.T, If: p.If})
	if !ok {
		return false
	}
	owner := e.table.Owner(slot)
	r := &e.recs[owner>>1]
	if r.leg[owner&1].kind() != kindSVR || !e.protected(r) || e.payload(r) != pol {
		return false
	}
	b := p.Payload()
	return len(b) > pol.DigestSize() && !wire.HasCookie(b) && p.VerifyL4()
}

// judgeAhead judges the packet at hand, whose payload is b, and with it what is
// cheaper together: as many as a Batch takes of the same length, or one more.
func (e *Engine) judgeAhead(x *ahead, b []byte) {
	pol := x.pol
	mine := &x.states[x.now]
	mine.size = len(b)
	if pol.Many() && len(b) <= secure.LongestInBatch && e.judgeMany(x, b) {
		return
	}
	mine.judged = true
	at := len(b) - pol.DigestSize()
	for i := x.now + 1; i < len(x.list); i++ {
		s := &x.states[i]
		if s.same && !s.judged {
			c := x.list[i].Payload()
			end := len(c) - pol.DigestSize()
			s.judged = true
			mine.verdict, s.verdict = pol.VerifyPair(b[:at], b[at:], c[:end], c[end:], e.unix)
			return
		}
	}
	mine.verdict = pol.Verify(b[:at], b[at:], e.unix)
}

// judgeMany judges all packets from the one at hand on that are as long, if there
// are enough of them.
func (e *Engine) judgeMany(x *ahead, b []byte) bool {
	x.which[0], x.packets[0] = x.now, b
	n := 1
	for i := x.now + 1; i < len(x.list); i++ {
		if s := &x.states[i]; s.same && !s.judged && s.size == len(b) {
			x.which[n], x.packets[n] = i, x.list[i].Payload()
			n++
		}
	}
	if n < x.pol.Least() {
		return false
	}
	x.pol.VerifyMany(&x.batch, x.packets[:n], x.verdicts[:n], e.unix)
	for k, i := range x.which[:n] {
		x.states[i].judged, x.states[i].verdict = true, x.verdicts[k]
	}
	return true
}
