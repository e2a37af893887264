package endpoint

import "net/netip"

// Name tells where somebody who knows (an address book) says that the peer is
// now; the zero value: nowhere. It takes the place of what was named before.
//
// Packets go there at once, unless the peer was heard from elsewhere of late
// and from a place that was not the named one: then it is behind a NAT that the
// book knows nothing of, and what packets prove counts more. changed tells that
// the best endpoint is another one now.
func (t *Table) Name(a netip.AddrPort, now int64) (changed bool) {
	old := -1
	for i := range t.entries[:t.count] {
		if t.entries[i].Static {
			old = i
		}
		t.entries[i].Static = false
	}
	if !a.IsValid() {
		return false
	}
	stays := t.best >= 0 && int(t.best) != old && t.trusted(&t.entries[t.best], now)
	i := t.find(a)
	if i < 0 {
		i = t.place(old)
		t.entries[i] = Entry{Addr: a}
	}
	t.entries[i].Static = true
	if stays || int(t.best) == i && i != old {
		return false
	}
	changed = int(t.best) != i || i == old
	if int(t.best) != i {
		t.previous, t.left = t.best, now
	}
	t.best = int8(i)
	return changed
}

// place is where a named endpoint is entered: a free place, that of the one
// named before, or that of one which is not in use.
func (t *Table) place(old int) int {
	switch {
	case old >= 0 && int(t.count) == Entries:
		return old
	case int(t.count) < Entries:
		t.count++
		return int(t.count) - 1
	}
	for i := range t.entries {
		if i != int(t.best) && i != int(t.previous) {
			return i
		}
	}
	return 0
}
