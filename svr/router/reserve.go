package router

import (
	"runtime/debug"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
)

// reserved is what sessions of another layout use and new ones must not get, as far
// as it can be known: their table has the layout of ours if only the records differ.
type reserved struct {
	directions int  // that the kernel forwards
	known      bool // all tables could be read
	pairs      map[pair]struct{}
	ports      []natPort
}

// pair is a wayport pair of a pathway.
type pair struct{ pathway, local, peer uint16 }

// natPort is a source-NAT port with whom it stands for.
type natPort struct {
	ifc, port, ext uint16
	proto          uint8
	src            [16]byte
}

// reserveOlder takes wayports and source-NAT ports out of the pools that directions
// in older tables use. A host that begins anew then gets the port that it had. Before
// the lane runs.
func (r *Router) reserveOlder() {
	if r.fast == nil || r.fast.Older().Lanes == 0 {
		return
	}
	s := &reserved{known: true, pairs: map[pair]struct{}{}}
	err := r.fast.OlderTables(func(mem []byte) {
		if pool.Directions(mem, func(k pool.Key, a pool.Action) { r.reserve(s, &k, &a) }) != nil {
			s.known = false // nothing can be reserved: see docs/fastlane.md for what that means
		}
	})
	if err != nil {
		r.log.Warn("cannot read older sessions", "error", err)
		s.known = false
	}
	debug.FreeOSMemory() // what reading took
	r.adapter.reserved = s
	r.fast.directions.Store(uint64(s.directions))
}

// reserve claims what a direction of a session uses that comes back to an address of
// ours.
func (r *Router) reserve(s *reserved, k *pool.Key, a *pool.Action) {
	if a.Flags&pool.FlagFast == 0 || int(k.If) >= len(r.tables.Interfaces) {
		return
	}
	s.directions++
	if id, ok := r.pathOf(k); ok {
		p := pair{r.parts.Pathway[id], k.DstPort, k.SrcPort}
		if r.parts.Wayports.Claim(p.pathway, p.local, p.peer, r.clock()) {
			s.pairs[p] = struct{}{}
		}
		return
	}
	if !r.tables.Interfaces[k.If].SourceNAT {
		return
	}
	n := natPort{ifc: k.If, port: a.To.DstPort, ext: k.DstPort, proto: k.Proto, src: a.To.Dst}
	if r.parts.NAT.Claim(r.clock(), n.ifc, n.proto, n.src, n.port, n.ext) {
		s.ports = append(s.ports, n)
	}
}

// pathOf finds the path that a direction comes in on.
func (r *Router) pathOf(k *pool.Key) (policy.PathID, bool) {
	from := packet.ToAddr(k.Src, k.Family)
	for i := range r.tables.Paths {
		if p := &r.tables.Paths[i]; uint16(p.If) == k.If && p.Remote == from {
			return p.ID, true
		}
	}
	return 0, false
}

// take gives a pair to the session that it was kept for, if it was. On the lane's
// goroutine.
func (s *reserved) take(p pair) bool {
	if s == nil {
		return false
	}
	_, ok := s.pairs[p]
	delete(s.pairs, p)
	return ok
}

// giveBack returns what is still reserved; it rests before others get it. On the
// lane's goroutine.
func (r *Router) giveBack() {
	s, now := r.adapter.reserved, r.clock()
	if s == nil {
		return
	}
	for p := range s.pairs {
		r.parts.Wayports.Free(p.pathway, p.local, p.peer, 0, now, false)
	}
	for _, n := range s.ports {
		r.parts.NAT.Release(now, n.ifc, n.proto, n.src, n.port, n.ext)
	}
	r.adapter.reserved = nil
	r.fast.directions.Store(0)
}
