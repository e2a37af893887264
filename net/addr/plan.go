package addr

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"
)

// Address is one address of one interface.
type Address struct {
	Index  int          // interface
	Prefix netip.Prefix // the address itself with its prefix length
	Ours   bool         // in the kernel's list: we made it
}

// Plan is what has to change.
type Plan struct {
	Remove []Address
	Add    []Address
}

// Empty tells whether nothing has to change.
func (p Plan) Empty() bool { return len(p.Add) == 0 && len(p.Remove) == 0 }

// MakePlan compares the wanted addresses with those there. It removes only
// ours, on any interface, and adds what is missing. It is pure.
func MakePlan(have, want []Address) Plan {
	var p Plan
	for _, h := range have {
		if h.Ours && !contains(want, h) {
			p.Remove = append(p.Remove, h)
		}
	}
	for _, w := range want {
		if !contains(have, w) && !contains(p.Add, w) {
			p.Add = append(p.Add, w)
		}
	}
	sort.Slice(p.Add, func(i, j int) bool { return order(p.Add[i], p.Add[j]) < 0 })
	sort.Slice(p.Remove, func(i, j int) bool { return order(p.Remove[i], p.Remove[j]) < 0 })
	return p
}

func contains(list []Address, a Address) bool {
	return slices.ContainsFunc(list, func(b Address) bool {
		return a.Index == b.Index && a.Prefix == b.Prefix
	})
}

func order(a, b Address) int {
	return cmp.Or(cmp.Compare(a.Index, b.Index), a.Prefix.Addr().Compare(b.Prefix.Addr()))
}
