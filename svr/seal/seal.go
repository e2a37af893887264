// Package seal does the last part of what a router does to a packet of a
// protected session, by an order that says all it needs: encryption, digest,
// lengths and checksums. So another goroutine than the one that knows the
// sessions can do it (svr/lane's workers), and several packets at once.
package seal

import (
	"sync/atomic"

	"waymark/svr/packet"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

// Order says how a packet is to be sealed. The zero value: not at all.
type Order struct {
	Policy  *secure.Policy // of the service; a Sealer uses a copy of its own
	Encrypt bool           // else a digest alone
	IV      [16]byte       // CBC: taken in the order of sending
	Key     *secure.GCM    // GCM: stays as it is until the packet has left
	Counter uint64         // GCM: taken from Key in the order of sending
	Unix    int64          // wall clock, seconds: for digests by time
	Events  *Events        // of who gave the order
}

// Events counts what only sealing shows. Any goroutine may read it.
type Events struct {
	NoRoom         atomic.Uint64 // packets lost: nothing fitted in front of or behind them
	FalsePositives atomic.Uint64 // ciphertext that began like metadata
}

// Item is a packet with its order.
type Item struct {
	Packet packet.Packet
	Order  Order
	Failed bool // sealing did not succeed: not to be sent
}

// Room is the number of bytes that o adds to n > 0 bytes of data.
func (o *Order) Room(n int) int {
	switch {
	case !o.Encrypt:
		return o.Policy.DigestSize()
	case o.Policy.Cipher().GCM():
		return secure.GCMOverhead
	}
	return secure.CBCOverhead - n%16 + o.Policy.DigestSize()
}

// Sealer carries orders out, for one goroutine. The zero value is ready.
type Sealer struct {
	of, mine []*secure.Policy // mine[i] is the copy of of[i]
	last     int              // of the order before

	batch   secure.Batch
	ivs     [secure.Most][16]byte
	pair    [2][16]byte
	packets [secure.Most][]byte
}

// policy returns the sealer's own copy of a policy. It allocates when it sees
// one for the first time: as often as there are security elements.
func (s *Sealer) policy(p *secure.Policy) *secure.Policy {
	if s.last < len(s.of) && s.of[s.last] == p {
		return s.mine[s.last]
	}
	for s.last = range s.of {
		if s.of[s.last] == p {
			return s.mine[s.last]
		}
	}
	s.of, s.mine, s.last = append(s.of, p), append(s.mine, p.Clone()), len(s.of)
	return s.mine[s.last]
}

// Seal carries out one order.
func (s *Sealer) Seal(it *Item) {
	pol := s.policy(it.Order.Policy)
	s.one(it, pol)
	s.finish(it, pol)
}

// one encrypts and signs a packet by itself.
func (s *Sealer) one(it *Item, pol *secure.Policy) {
	p, o := &it.Packet, &it.Order
	buf, n := p.Buf[p.Data:], p.End-p.Data
	switch {
	case o.Room(n)+n > len(buf):
		it.Failed = true
	case !o.Encrypt:
		p.End = p.Data + len(pol.AppendDigest(buf[:n], buf[:n], o.Unix))
	case o.Key != nil:
		p.End = p.Data + len(o.Key.SealAs(o.Counter, buf, n))
	default:
		p.End = p.Data + len(pol.SealCBC(buf, n, &o.IV, o.Unix))
	}
}

// finish makes lengths and checksums say what the packet is now. Ciphertext that
// begins like metadata gets a header that says it is none; a digest covers it.
func (s *Sealer) finish(it *Item, pol *secure.Policy) {
	p := &it.Packet
	if it.Failed || wire.HasCookie(p.Payload()) && !s.deny(it, pol) {
		it.Failed = true
		it.Order.Events.NoRoom.Add(1)
		return
	}
	p.Finish()
}

// deny puts the header in front of the data that says that it is no metadata.
func (s *Sealer) deny(it *Item, pol *secure.Policy) bool {
	p, n := &it.Packet, pol.DigestSize()
	p.Trim(n)
	if p.InsertData(wire.HeaderSize) == nil {
		return false
	}
	wire.AppendFalsePositive(p.Buf[p.Data:p.Data])
	it.Order.Events.FalsePositives.Add(1)
	if n == 0 {
		return true
	}
	msg := p.Payload()
	if p.Extend(n) == nil {
		return false
	}
	pol.AppendDigest(msg, msg, it.Order.Unix)
	return true
}
