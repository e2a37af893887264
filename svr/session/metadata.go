package session

import (
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

// metaScratch is where metadata is built and read: one packet at a time.
type metaScratch struct {
	head wire.Header
	body wire.Payload
	inH  wire.Header
	inP  wire.Payload
	iv   [16]byte
	buf  [wire.MaxSessionMetadata + 2*secure.CBCOverhead]byte
	// nonceIn is what a challenge is made of, with room for the digest.
	nonceIn [128]byte
}

// keyIndex is TLV 16 with configured keys (docs/wire.md 3).
const keyIndex = 1

// compose fills the scratch with the metadata of direction d of session i and
// returns its clear bytes, valid until the next call.
func (e *Engine) compose(o *outgoing) []byte {
	m := &e.meta
	m.head, m.body = wire.Header{}, wire.Payload{}
	m.head.SetSecurityID(keyIndex)
	if o.g.role() == roleInitiator {
		e.composeForward(o)
	} else {
		e.composeReverse(o)
	}
	if o.r.key != none {
		if salt := e.keys.salt(e.keys.out(o.r.key), o.d); salt != nil {
			m.body.SetKey(salt)
		}
	}
	if c, ok := e.moves.echo(o.i); ok && o.g.role() == roleInitiator {
		m.body.SetChallenge(c)
	}
	return wire.AppendMetadata(m.buf[:0], &m.head, &m.body)
}

// ctx is the inner tuple as the sender of packets on leg l-outward sees it.
func (e *Engine) ctx(r *record, d int) packet.Tuple {
	t := e.inner(r)
	if d == 0 {
		return t
	}
	return t.Reverse()
}

func (e *Engine) composeForward(o *outgoing) {
	m := &e.meta
	pp := &e.paths[o.g.path]
	m.body.SetForward(e.ctx(o.r, o.d))
	m.body.SetUUID(o.r.uuid)
	e.composeNames(o.r)
	m.body.SetRouter(e.routerName)
	if pp.send != nil {
		m.body.SetPolicy(e.sendNames[o.g.path])
	}
	m.body.SetPathway(pp.name)
	if o.r.is(recProtected) && e.payload(o.r).Encrypts() {
		m.body.SetEncrypted()
	}
	if o.marks {
		m.body.SetSYN()
	}
}

func (e *Engine) composeNames(r *record) {
	m := &e.meta
	if r.tenant != policy.Global {
		m.body.SetTenant(e.tenantNames[r.tenant])
	}
	m.body.SetService(e.serviceNames[r.security])
}

func (e *Engine) composeReverse(o *outgoing) {
	m := &e.meta
	m.body.SetReverse(e.ctx(o.r, o.d))
	if o.g.announces() {
		m.body.SetUUID(o.r.uuid)
		e.composeNames(o.r)
		m.body.SetRouter(e.routerName)
	}
	m.body.SetPathway(e.paths[o.g.path].name)
}

// metadataSize is how many bytes addMetadata will add, without the digest.
func (e *Engine) metadataSize(o *outgoing) int {
	b := e.compose(o)
	return e.sealedSize(b, e.paths[o.g.path].send)
}

func (e *Engine) sealedSize(b []byte, pol *secure.Policy) int {
	if n := e.meta.head.PayloadLen; n > 0 && pol.Encrypts() {
		return len(b) - n + encryptedLen(pol, n)
	}
	return len(b)
}

// addMetadata puts metadata in front of the data of p.
func (e *Engine) addMetadata(p *packet.Packet, o *outgoing) bool {
	b := o.meta
	if b == nil {
		b = e.compose(o)
	}
	b = e.sealMetadata(b, e.paths[o.g.path].send)
	room := p.InsertData(len(b))
	if room == nil {
		e.stats.Add(DropNoRoom, 1)
		return false
	}
	copy(room, b)
	e.stats.Add(MetadataAdded, 1)
	e.signalled(o.i, o.g)
	return true
}

// sealMetadata encrypts the payload section of b, which lies in the scratch.
func (e *Engine) sealMetadata(b []byte, pol *secure.Policy) []byte {
	n := e.meta.head.PayloadLen
	if n == 0 || pol == nil || !pol.Encrypts() {
		return b
	}
	head := len(b) - n
	e.cfg.IV.Next(&e.meta.iv)
	sealed := pol.EncryptCBC(e.meta.buf[head:], n, &e.meta.iv)
	wire.SetPayloadLen(b, len(sealed))
	return e.meta.buf[:head+len(sealed)]
}

// signalled notes that metadata left on leg g of session i.
func (e *Engine) signalled(i uint32, g *leg) {
	if g.role() == roleInitiator && g.inside() && e.now-g.since.time(e.now) > renewAfter {
		e.askFor(i, g.path)
	}
	if g.role() != roleResponder {
		g.countUp()
		return
	}
	g.count, g.due = 0, 0
	if g.since == 0 {
		g.since = tickOf(e.now)
	}
}

// receivedMeta is metadata whose digest was good.
type receivedMeta struct {
	h    *wire.Header
	p    *wire.Payload
	size int // bytes of header and payload section in the packet
}

// openMetadata checks digest and form of the metadata in front of p's data,
// and decrypts it in place. The digest is cut off; the metadata bytes stay.
// joined: the pieces were verified one by one, there is no digest.
func (e *Engine) openMetadata(p *packet.Packet, joined bool) (m receivedMeta, ok bool) {
	pol := e.ifs[p.If].recv
	if pol == nil {
		e.stats.Add(DropSecurityMismatch, 1)
		return m, false
	}
	if !joined && !e.checkDigest(p, pol, false) {
		return m, false
	}
	b := p.Payload()
	s := &e.meta
	if err := wire.ParseHeader(b, &s.inH); err != nil {
		e.stats.Add(DropMetadata, 1)
		return m, false
	}
	if s.inH.SecurityID != keyIndex {
		e.stats.Add(DropSecurityID, 1)
		return m, false
	}
	m = receivedMeta{h: &s.inH, p: &s.inP, size: s.inH.Len + s.inH.PayloadLen}
	if s.inH.Has.Has(wire.TypeFragment) {
		s.inP = wire.Payload{}
		return m, true
	}
	return m, e.openPayload(b[s.inH.Len:m.size], pol)
}

// openPayload decrypts and parses the payload section.
func (e *Engine) openPayload(section []byte, pol *secure.Policy) bool {
	if len(section) > 0 && pol.Encrypts() {
		var err error
		if section, err = pol.DecryptCBC(section); err != nil {
			e.stats.Add(DropDecrypt, 1)
			return false
		}
	}
	if err := wire.ParsePayload(section, &e.meta.inP); err != nil {
		e.stats.Add(DropMetadata, 1)
		return false
	}
	return true
}

// checkDigest verifies the digest at the end of p and cuts it off. bare: without
// metadata, of a payload policy.
func (e *Engine) checkDigest(p *packet.Packet, pol *secure.Policy, bare bool) bool {
	n := pol.DigestSize()
	b := p.Payload()
	if n == 0 {
		return true
	}
	if len(b) <= n {
		e.stats.Add(DropDigestMissing, 1)
		return false
	}
	var v secure.Verdict
	if bare {
		v = e.verify(p, pol)
	} else {
		v = pol.Verify(b[:len(b)-n], b[len(b)-n:], e.unix)
	}
	switch v {
	case secure.Good:
		p.Trim(n)
		return true
	case secure.Late:
		e.stats.Add(DropDigestLate, 1)
	default:
		e.stats.Add(DropDigestBad, 1)
	}
	return false
}
