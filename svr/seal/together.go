package seal

import "waymark/svr/secure"

// Packets under AES-CBC take the CPU much less time together: up to secure.Most
// of one length, or two of any. The bytes are those that each alone would get.

// SealAll carries out the orders of items; those without one stay as they are.
func (s *Sealer) SealAll(items []*Item) {
	for i, it := range items {
		if it == nil || it.Order.Policy == nil {
			continue
		}
		pol := s.policy(it.Order.Policy)
		if !together(it, pol) || !s.group(items[i:], pol) {
			s.one(it, pol)
			s.finish(it, pol)
		}
	}
}

// together says whether a packet is better sealed with others.
func together(it *Item, pol *secure.Policy) bool {
	p, o := &it.Packet, &it.Order
	n := p.End - p.Data
	return o.Encrypt && o.Key == nil && pol.Gathers() && n > 0 && o.Room(n)+n <= len(p.Buf)-p.Data
}

// group seals the first of items with others like it and takes them out of the
// list. False: there are none.
func (s *Sealer) group(items []*Item, pol *secure.Policy) bool {
	var which [secure.Most]int
	first := items[0]
	size, n, other := first.Packet.End-first.Packet.Data, 1, 0
	many := pol.Many() && size+secure.CBCOverhead+pol.DigestSize() <= secure.LongestInBatch
	for i := 1; i < len(items) && n < secure.Most; i++ {
		it := items[i]
		if it == nil || it.Order.Policy != first.Order.Policy || it.Order.Unix != first.Order.Unix || !together(it, pol) {
			continue
		}
		if other == 0 {
			other = i
		}
		if many && it.Packet.End-it.Packet.Data == size {
			which[n] = i
			n++
		}
	}
	switch {
	case many && n >= pol.Least():
		s.many(items, which[:n], size, pol)
	case other > 0:
		s.two(first, items[other], pol)
		items[0], items[other] = nil, nil
	default:
		return false
	}
	return true
}

// many seals packets of one length.
func (s *Sealer) many(items []*Item, which []int, size int, pol *secure.Policy) {
	for k, i := range which {
		s.packets[k], s.ivs[k] = items[i].Packet.Buf[items[i].Packet.Data:], items[i].Order.IV
	}
	n := pol.SealCBCMany(&s.batch, s.packets[:len(which)], size, &s.ivs, items[0].Order.Unix)
	for _, i := range which {
		it := items[i]
		it.Packet.End = it.Packet.Data + n
		s.finish(it, pol)
		items[i] = nil
	}
}

// two seals a pair.
func (s *Sealer) two(a, b *Item, pol *secure.Policy) {
	p, q := &a.Packet, &b.Packet
	s.pair[0], s.pair[1] = a.Order.IV, b.Order.IV
	x, y := pol.SealCBCPair(p.Buf[p.Data:], q.Buf[q.Data:], p.End-p.Data, q.End-q.Data, &s.pair, a.Order.Unix)
	p.End, q.End = p.Data+len(x), q.Data+len(y)
	s.finish(a, pol)
	s.finish(b, pol)
}
