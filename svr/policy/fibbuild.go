package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"sort"

	"waymark/svr/packet"
)

// span is one entry before its bucket is cut: the service is a candidate for
// the values first to last.
type span struct {
	entry
	first, last uint16
	named       bool // the transport names its protocol
	depth       int  // generations above the service
}

// fibBuilder gathers the spans of every bucket.
type fibBuilder struct {
	t     *Tables
	f     *fib
	spans [][]span // by bucket
}

// buildFIB compiles the services' access-policies and addresses. Services and
// tenants must be complete.
func (t *Tables) buildFIB() {
	t.fib = fib{viewOf: make([]uint16, len(t.Tenants)), private: newLPM(1, 2)}
	b := fibBuilder{t: t, f: &t.fib}
	views := b.makeViews()
	t.fib.tables = newLPM(len(views), fibKinds)
	for v, rules := range views {
		for id, rs := range rules {
			if len(rs) > 0 {
				b.addService(uint16(v), ServiceID(id), rs)
			}
		}
	}
	for _, spans := range b.spans {
		t.fib.buckets = append(t.fib.buckets, cut(&t.fib, spans))
	}
	b.addPrivate()
}

// makeViews gives every tenant a view and returns, by view and service, the
// rules that hold there.
func (b *fibBuilder) makeViews() (views [][][]rule) {
	seen := map[string]uint16{}
	for id := range b.t.Tenants {
		rules := make([][]rule, len(b.t.Services))
		for s := range b.t.Services {
			rules[s] = b.t.rulesFor(TenantID(id), b.t.Services[s].Access)
		}
		sig := signature(rules)
		v, ok := seen[sig]
		if !ok {
			v = uint16(len(views))
			seen[sig] = v
			views = append(views, rules)
		}
		b.f.viewOf[id] = v
	}
	return views
}

// signature is equal for equal views.
func signature(rules [][]rule) string {
	var sig []byte
	for s, rs := range rules {
		if len(rs) > 0 {
			sig = fmt.Appendf(sig, "%d%v", s, rs)
		}
	}
	return string(sig)
}

// rulesFor returns what an access-policy says to one tenant: longer source
// prefix first, then the nearer tenant, then deny. Nothing behind a rule for
// any source can match.
func (t *Tables) rulesFor(id TenantID, access []Access) []rule {
	type ranked struct {
		rule
		distance int
	}
	var all []ranked
	for _, a := range access {
		if d, ok := t.distance(id, a.Tenant); ok {
			all = append(all, ranked{makeRule(a), d})
		}
	}
	sort.SliceStable(all, func(i, j int) bool {
		x, y := &all[i], &all[j]
		return cmp.Or(compareBool(y.family != 0, x.family != 0), cmp.Compare(y.bits, x.bits),
			cmp.Compare(x.distance, y.distance), compareBool(y.deny, x.deny)) < 0
	})
	var rules []rule
	for _, r := range all {
		rules = append(rules, r.rule)
		if r.family == 0 {
			break
		}
	}
	return rules
}

// distance returns how many generations tenant id is below of; any tenant is
// farthest from all.
func (t *Tables) distance(id, of TenantID) (int, bool) {
	if of == NoTenant {
		return maxIDs, true
	}
	for d := 0; id != NoTenant; d++ {
		if id == of {
			return d, true
		}
		id = t.Tenants[id].Parent
	}
	return 0, false
}

func makeRule(a Access) rule {
	r := rule{deny: a.Deny}
	if a.Source.IsValid() {
		addr, family := packet.FromAddr(a.Source.Addr())
		r.bits, r.family = uint8(a.Source.Bits()), family
		r.addr = mask(addr, r.bits)
	}
	return r
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// addService adds every address and transport of a service to one view.
func (b *fibBuilder) addService(view uint16, id ServiceID, rules []rule) {
	s := &b.t.Services[id]
	e := entry{service: id, public: s.Scope == ScopePublic, from: uint32(len(b.f.rules))}
	b.f.rules = append(b.f.rules, rules...)
	e.to = uint32(len(b.f.rules))
	depth := b.t.depth(id)
	for _, p := range s.Addresses {
		for _, x := range expand(s.Transport, familyOf(p)) {
			x.span.entry, x.span.depth = e, depth
			b.add(prefixKey(view, x.step, p), x.span)
		}
	}
}

func (b *fibBuilder) add(k lpmKey, s span) {
	i := b.f.tables.insert(k, uint32(len(b.spans)))
	if int(i) == len(b.spans) {
		b.spans = append(b.spans, nil)
	}
	b.spans[i] = append(b.spans[i], s)
}

// depth returns the number of a service's ancestors.
func (t *Tables) depth(id ServiceID) (n int) {
	for id = t.Services[id].Parent; id != NoService; id = t.Services[id].Parent {
		n++
	}
	return n
}

func familyOf(p netip.Prefix) uint8 {
	if p.Addr().Unmap().Is4() {
		return 4
	}
	return 6
}

// stepSpan is a span and the table it belongs to.
type stepSpan struct {
	step int
	span span
}

// expand turns transports into spans of ports and, where no port is named, of
// protocol numbers. ICMP has no ports; ports without a protocol are those of
// TCP and UDP.
func expand(ts []Transport, family uint8) (out []stepSpan) {
	if len(ts) == 0 {
		return []stepSpan{{stepPlain, span{first: 0, last: 255}}}
	}
	for _, t := range ts {
		for _, step := range portSteps(t) {
			for _, r := range t.Ports {
				out = append(out, stepSpan{step, span{first: r.First, last: r.Last, named: t.Proto != 0}})
			}
		}
		if len(portSteps(t)) == 0 || len(t.Ports) == 0 {
			out = append(out, stepSpan{stepPlain, protoSpan(t.Proto, family)})
		}
	}
	return out
}

// portSteps returns the tables in which a transport may name ports.
func portSteps(t Transport) []int {
	if t.Proto == 0 {
		return []int{stepTCP, stepUDP}
	}
	if s := portStep(t.Proto); s >= 0 {
		return []int{s}
	}
	return nil
}

// protoSpan returns the span of one protocol, or of all for 0. ICMP means that
// of the address family.
func protoSpan(proto, family uint8) span {
	if proto == 0 {
		return span{first: 0, last: 255}
	}
	if proto == packet.ProtoICMP && family == 6 {
		proto = packet.ProtoICMPv6
	}
	return span{first: uint16(proto), last: uint16(proto), named: true}
}

// addPrivate notes the addresses of private-scope services.
func (b *fibBuilder) addPrivate() {
	for i := range b.t.Services {
		s := &b.t.Services[i]
		if s.Scope != ScopePrivate {
			continue
		}
		for _, p := range s.Addresses {
			b.f.private.insert(prefixKey(0, 0, p), uint32(i))
		}
	}
}
