package router

import "waymark/svr/pool"

// share is the use of one resource.
type share struct {
	used, capacity, highest int
	refused                 uint64
}

// fuller tells whether more of s than of o is in use.
func (s share) fuller(o share) bool { return s.used*o.capacity > o.used*s.capacity }

// poolUse is the use of every pool at one moment.
type poolUse struct {
	sessions  share
	slots     share
	fragments share
	nextHops  share
	nat       share
	wayports  []pool.PathwayStats // by PathID
}

// poolUse looks at the pools, on the lane's goroutine.
func (r *Router) poolUse() (u poolUse) {
	c := r.parts.Engine.Capacity()
	u.sessions = share{c.Entries, c.Capacity, c.Highest, uint64(c.Refused)}
	t := r.parts.Table.Stats()
	u.slots = share{t.Used, t.Capacity, t.Highest, t.Refused}
	u.fragments.used, u.fragments.capacity = r.parts.Engine.Fragments()
	u.nextHops.used, u.nextHops.capacity = r.adapter.hops.hops.Len()
	n := r.parts.NAT.Stats()
	u.nat = share{n.InUse, n.Capacity, n.Highest, n.Refused}
	u.wayports = make([]pool.PathwayStats, len(r.parts.Pathway))
	for i, id := range r.parts.Pathway {
		u.wayports[i] = r.parts.Wayports.Stats(id)
	}
	return u
}
