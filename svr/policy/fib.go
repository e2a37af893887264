package policy

import "waymark/svr/packet"

// Steps of the FIB: one table for entries that name no port, one for each
// protocol whose entries may name some.
const (
	stepPlain = iota
	stepTCP
	stepUDP
	fibKinds = 2 * (stepUDP + 1)
)

// fib answers Lookup. Tenants to whom every access-policy says the same share
// one view. A bucket holds the entries of one prefix of one view, cut into
// segments of ports (or, in the plain table, of protocol numbers) within which
// the candidates and their order are constant.
type fib struct {
	viewOf  []uint16 // by TenantID
	tables  lpm      // value = index into buckets
	buckets [][]segment
	rules   []rule
	private lpm // prefixes of private-scope services, view 0
}

// segment reaches from first to the next segment's first.
type segment struct {
	first   uint16
	entries []entry
}

// entry is one service as a candidate. rules[from:to] decide by the source.
type entry struct {
	service  ServiceID
	public   bool
	from, to uint32
}

// rule is one access-policy entry as a view sees it, most specific first.
type rule struct {
	addr   [16]byte
	bits   uint8
	family uint8 // 0: any source
	deny   bool
}

func (r *rule) matches(src [16]byte, family uint8) bool {
	return r.family == 0 || r.family == family && mask(src, r.bits) == r.addr
}

// find returns the entries of the segment that holds v.
func find(segs []segment, v uint16) []entry {
	lo, hi := 0, len(segs)
	for lo < hi {
		mid := (lo + hi) / 2
		if segs[mid].first <= v {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return nil
	}
	return segs[lo-1].entries
}

// query is one lookup under way.
type query struct {
	t      *packet.Tuple
	view   uint16
	hidden int // length of the longest private prefix around the destination; see hiddenBits
}

// hiddenUnknown is the value of query.hidden until somebody needs it.
const hiddenUnknown = -2

// Lookup finds the service of a packet by destination, port, protocol, tenant
// and, where an access-policy names prefixes, source. Entries that name a port
// come first, then the longer prefix, then a named protocol; then the narrower
// port range, the child before its parent, the order of the configuration. A
// public-scope entry whose prefix is shorter than a private-scope one around
// the destination does not exist for that destination.
//
// With verdict NoRoute the service is valid if one matched without a
// service-route on this router, else NoService.
func (t *Tables) Lookup(tenant TenantID, tuple *packet.Tuple) (ServiceID, Verdict) {
	f := &t.fib
	if int(tenant) >= len(f.viewOf) {
		return NoService, NoRoute
	}
	q := query{t: tuple, view: f.viewOf[tenant], hidden: hiddenUnknown}
	for _, s := range [...]struct {
		step  int
		value uint16
	}{{portStep(tuple.Proto), tuple.DstPort}, {stepPlain, uint16(tuple.Proto)}} {
		if s.step < 0 {
			continue
		}
		if id, deny, ok := f.search(&q, s.step, s.value); ok {
			return id, t.verdict(id, deny)
		}
	}
	if f.hiddenBits(&q) >= 0 {
		return NoService, Prohibited
	}
	return NoService, NoRoute
}

// portStep returns the step of a protocol with ports, -1 for others.
func portStep(proto uint8) int {
	switch proto {
	case packet.ProtoTCP:
		return stepTCP
	case packet.ProtoUDP:
		return stepUDP
	}
	return -1
}

func (t *Tables) verdict(id ServiceID, deny bool) Verdict {
	if deny {
		return Deny
	}
	if len(t.Services[id].Routes) == 0 {
		return NoRoute
	}
	return Routed
}

// hiddenBits returns the length of the longest private prefix around the
// destination, -1 if there is none.
func (f *fib) hiddenBits(q *query) int {
	if q.hidden == hiddenUnknown {
		_, q.hidden, _ = f.private.longest(0, kindOf(0, q.t.Family), q.t.Dst)
	}
	return q.hidden
}

// search walks one table from the longest prefix to the shortest; value is the
// port, or the protocol in the plain table.
func (f *fib) search(q *query, step int, value uint16) (id ServiceID, deny, ok bool) {
	kind := kindOf(step, q.t.Family)
	for _, bits := range f.tables.lengths(q.view, kind) {
		i, ok := f.tables.m[lpmKey{mask(q.t.Dst, bits), q.view, kind, bits}]
		if !ok {
			continue
		}
		if id, deny, ok := f.decide(q, find(f.buckets[i], value), int(bits)); ok {
			return id, deny, true
		}
	}
	return NoService, false, false
}

// decide returns the first entry that is visible and has a rule for the
// source.
func (f *fib) decide(q *query, entries []entry, bits int) (id ServiceID, deny, ok bool) {
	for i := range entries {
		e := &entries[i]
		if e.public && bits < f.hiddenBits(q) {
			continue
		}
		for j := e.from; j < e.to; j++ {
			if r := &f.rules[j]; r.matches(q.t.Src, q.t.Family) {
				return e.service, r.deny, true
			}
		}
	}
	return NoService, false, false
}
