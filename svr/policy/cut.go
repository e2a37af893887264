package policy

import (
	"cmp"
	"slices"
	"sort"
)

// cut sorts the spans of one bucket and cuts their values into segments.
func cut(f *fib, spans []span) []segment {
	sort.SliceStable(spans, func(i, j int) bool { return compareSpans(spans[i], spans[j]) < 0 })
	var segs []segment
	for _, first := range starts(spans) {
		segs = append(segs, segment{first, candidatesAt(f, spans, first)})
	}
	return segs
}

// compareSpans orders candidates of one prefix: named protocol, narrower
// range, child before parent, order of the configuration.
func compareSpans(a, b span) int {
	return cmp.Or(compareBool(b.named, a.named), cmp.Compare(a.last-a.first, b.last-b.first),
		cmp.Compare(b.depth, a.depth), cmp.Compare(a.service, b.service))
}

// starts returns the values at which the set of candidates may change.
func starts(spans []span) []uint16 {
	s := []uint16{0}
	for i := range spans {
		s = append(s, spans[i].first)
		if spans[i].last != 0xffff {
			s = append(s, spans[i].last+1)
		}
	}
	slices.Sort(s)
	return slices.Compact(s)
}

// candidatesAt returns the entries that hold at v, leaving out what can never
// be reached behind an entry that answers every source.
func candidatesAt(f *fib, spans []span, v uint16) (out []entry) {
	publicDone := false
	for i := range spans {
		s := &spans[i]
		if v < s.first || s.last < v || s.public && publicDone || has(out, s.service) {
			continue
		}
		out = append(out, s.entry)
		if f.rules[s.to-1].family != 0 {
			continue
		}
		if !s.public {
			break
		}
		publicDone = true
	}
	return out
}

func has(list []entry, id ServiceID) bool {
	return slices.ContainsFunc(list, func(e entry) bool { return e.service == id })
}
