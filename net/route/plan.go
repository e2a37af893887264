package route

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"
)

// Route is one unicast route.
type Route struct {
	Dst     netip.Prefix // 0.0.0.0/0 or ::/0: default
	Gateway netip.Addr   // zero: on link
	Index   int          // outgoing interface
	Metric  uint32       // lower wins; IPv6: 0 means 1,024
	Source  netip.Addr   // preferred source address; zero: kernel's choice
	Table   uint32       // 0: the main table
}

// Plan is what has to change.
type Plan struct {
	Remove []Route
	Add    []Route
}

// Empty tells whether nothing has to change.
func (p Plan) Empty() bool { return len(p.Add) == 0 && len(p.Remove) == 0 }

// MakePlan compares the wanted routes with ours that are there. It is pure.
func MakePlan(ours, want []Route) Plan {
	var p Plan
	wanted := make([]Route, 0, len(want))
	for _, w := range want {
		if w = w.normal(); !slices.Contains(wanted, w) {
			wanted = append(wanted, w)
		}
	}
	for _, r := range ours {
		if !slices.Contains(wanted, r) {
			p.Remove = append(p.Remove, r)
		}
	}
	for _, w := range wanted {
		if !slices.Contains(ours, w) {
			p.Add = append(p.Add, w)
		}
	}
	sort.Slice(p.Add, func(i, j int) bool { return order(p.Add[i], p.Add[j]) < 0 })
	sort.Slice(p.Remove, func(i, j int) bool { return order(p.Remove[i], p.Remove[j]) < 0 })
	return p
}

// normal is the form in which the kernel reports the route.
func (r Route) normal() Route {
	r.Dst = r.Dst.Masked()
	if r.Dst.Addr().Is6() && r.Metric == 0 {
		r.Metric = 1024
	}
	return r
}

// order puts routes on link first: gateways may be reached by them.
func order(a, b Route) int {
	via := func(r Route) int {
		if r.Gateway.IsValid() {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(via(a), via(b)), a.Dst.Addr().Compare(b.Dst.Addr()), cmp.Compare(a.Dst.Bits(), b.Dst.Bits()),
		cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Index, b.Index))
}
