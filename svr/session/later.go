package session

import (
	"waymark/svr/packet"
	"waymark/svr/seal"
	"waymark/svr/wire"
)

// Later seals packets of established sessions on their way out, by goroutines of
// its own: the engine says all that is needed, and goes on.
type Later interface {
	// Seal is Output.Send of a packet that lacks what o orders, which it copies.
	// Packets of one outer flow leave in the order of Send and Seal. The key in o
	// must stay as it is until Await has returned for the mark.
	Seal(p *packet.Packet, ifc, hop uint16, o *seal.Order) (mark uint64)
	// Await returns when what was sent with mark has left.
	Await(mark uint64)
}

// newest is the mark of whatever was sent.
const newest = ^uint64(0)

// sealsLater says whether p, which has its outer form, can be left to Later:
// all that is missing is the service's protection.
func (e *Engine) sealsLater(p *packet.Packet, o *outgoing, fragment bool) bool {
	return e.cfg.Later != nil && !fragment && !o.g.signal() && o.pol != nil && p.End > p.Data &&
		(o.seal || o.pol.DigestSize() > 0 && !wire.HasCookie(p.Payload()))
}

// sealLater sends p as finishBuild would: all that depends on the state of
// sessions is done here, in the order of sending.
func (e *Engine) sealLater(p *packet.Packet, o *outgoing) {
	s := &e.order
	*s = seal.Order{Policy: o.pol, Encrypt: o.seal, Unix: e.unix, Events: &e.events}
	n := s.Room(p.End - p.Data)
	if n > p.Tailroom() || p.T != o.a.To && !p.Readdress(o.a.To) {
		e.stats.Add(DropNoRoom, 1)
		return
	}
	var key *keyEntry
	switch {
	case o.seal && o.pol.Cipher().GCM():
		i := e.keys.out(o.r.key)
		var err error
		if s.Key = e.keys.gcm(i, o.d); s.Key != nil {
			s.Counter, err = s.Key.Take()
		}
		if s.Key == nil || err != nil {
			e.stats.Add(DropState, 1)
			return
		}
		key = e.keys.at(i)
	case o.seal:
		e.cfg.IV.Next(&s.IV)
	}
	p.DecTTL()
	e.table.Count(o.r.slot[o.d], 1, uint64(p.Len()+n), e.now)
	e.stats.Add(Forwarded, 1)
	if mark := e.cfg.Later.Seal(p, o.g.ifc, o.a.Hop, s); key != nil {
		key.used = mark + 1
	}
}

// settled returns when nobody seals with the keys of k any more.
func (s *keyStore) settled(k *keyEntry) {
	if k.used != 0 {
		s.later.Await(k.used - 1)
		k.used = 0
	}
}
