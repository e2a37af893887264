package router_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"waymark/cmd/lab/world"
	"waymark/svr/router/ctl"
)

// An adjacency whose far end has a dynamic address is unknown until the book
// names it, follows the book at once, and over a restart; one that only the peer
// can open stays as it is.
func TestBook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	outbound := []byte(`"peer-connectivity": "outbound-only",`)
	if bytes.Count(world.Acme(), outbound) != 1 {
		t.Fatal("the example has changed")
	}
	open := bytes.ReplaceAll(world.Acme(), outbound, nil)
	hub := start(t, w, "hub1", world.Hub, open)
	goes := func(r *world.Router, to any) {
		t.Helper()
		until(t, r, "path of branch1's lte", func(rows []row) bool {
			for _, x := range rows {
				if x["destination"] == to {
					return true
				}
			}
			return false
		}, "bfd")
	}
	goes(hub, nil)
	tell := func(full bool, entries ...ctl.BookEntry) {
		t.Helper()
		if err := ctl.SetBook(t.Context(), hub.Run, &ctl.Book{Full: full, Entries: entries}); err != nil {
			t.Fatal(err)
		}
	}
	entry := func(router, addr string) ctl.BookEntry {
		return ctl.BookEntry{Router: router, Node: "node1", Interface: "lte", Address: netip.MustParseAddr(addr)}
	}
	tell(true, entry("branch1", "203.0.113.77"), entry("branch9", "203.0.113.9"))
	goes(hub, "203.0.113.77")
	began := time.Now()
	tell(false, entry("branch1", "203.0.113.78"))
	goes(hub, "203.0.113.78")
	t.Logf("followed within %v, a look with show included", time.Since(began).Round(time.Millisecond))
	if rows := show(t, hub, "dynamic-peer-update"); len(only(rows, "address", "203.0.113.78")) != 1 || len(only(rows, "status", "learned")) != 2 {
		t.Errorf("show dynamic-peer-update: %v", rows)
	}
	if err := hub.Kill(); err != nil {
		t.Fatal(err)
	}
	hub = start(t, w, "hub1", world.Hub, open)
	goes(hub, "203.0.113.78")
	// Too much of it is refused and the book stays.
	if err := ctl.SetBook(t.Context(), hub.Run, &ctl.Book{Entries: many(ctl.MaxEntries)}); err == nil {
		t.Error("an endless book is taken")
	}
	tell(true, entry("branch1", "203.0.113.79"))
	goes(hub, "203.0.113.79")
	if rows := show(t, hub, "dynamic-peer-update"); len(rows) != 1 {
		t.Errorf("a full book left %v", rows)
	}
	if err := hub.Kill(); err != nil {
		t.Fatal(err)
	}
	hub = start(t, w, "hub1", world.Hub, world.Acme())
	tell(true, entry("branch1", "203.0.113.80"))
	goes(hub, nil)
}

func many(n int) (list []ctl.BookEntry) {
	for i := range n {
		list = append(list, ctl.BookEntry{Router: "r", Interface: string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))})
	}
	return list
}
