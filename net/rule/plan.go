package rule

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"
)

// Rule sends packets from a source to a routing table.
type Rule struct {
	Source   netip.Prefix // masked
	Table    uint32
	Priority uint32 // lower is asked first
}

// Plan is what has to change.
type Plan struct {
	Remove []Rule
	Add    []Rule
}

// Empty tells whether nothing has to change.
func (p Plan) Empty() bool { return len(p.Add) == 0 && len(p.Remove) == 0 }

// MakePlan compares the wanted rules with ours that are there. It is pure. A
// rule that is there twice is removed once.
func MakePlan(ours, want []Rule) Plan {
	var p Plan
	left := slices.Clone(want)
	for _, r := range ours {
		if i := slices.Index(left, r); i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		p.Remove = append(p.Remove, r)
	}
	p.Add = left
	sort.Slice(p.Add, func(i, j int) bool { return order(p.Add[i], p.Add[j]) < 0 })
	sort.Slice(p.Remove, func(i, j int) bool { return order(p.Remove[i], p.Remove[j]) < 0 })
	return p
}

func order(a, b Rule) int {
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), a.Source.Addr().Compare(b.Source.Addr()),
		cmp.Compare(a.Source.Bits(), b.Source.Bits()), cmp.Compare(a.Table, b.Table))
}
