package session_test

import (
	"testing"

	"waymark/svr/pool"
	"waymark/svr/router"
)

// TestReservedPair: a pair that is kept for sessions of an earlier process goes to the
// session that had it when that is recovered, and to no other.
func TestReservedPair(t *testing.T) {
	for _, given := range []bool{true, false} {
		s, branch, hub := acme(t)
		c := newTalk(s, branch, hub, "lan", "dc", "192.168.1.77:40000", "10.20.0.5:80")
		if !c.upload("before") || !c.download("before too") {
			t.Fatal("no connection to begin with")
		}
		was := wayportKey(t, branch)
		asked := 0
		prof := router.Profile{Name: "sim", Sessions: 64, Slots: 256, Wayports: 256, Mappings: 64, Hops: 64}
		branch = s.bootWith(parseConfig(t, "testdata/acme.json"), "branch1", prof, router.Options{ColdStart: true,
			Kept: func(_, local, peer uint16) bool {
				asked++
				return given && local == was.DstPort && peer == was.SrcPort
			}})
		for _, id := range branch.parts.Pathway {
			branch.parts.Wayports.Claim(id, was.DstPort, was.SrcPort, s.now)
		}
		went := c.download("after the restart")
		if asked == 0 {
			t.Error("nobody asked for the pair")
		}
		if !given {
			if branch.e.Live() > 0 && wayportKey(t, branch) == was {
				t.Error("a session got a pair that was kept for another")
			}
			continue
		}
		if !went || wayportKey(t, branch) != was {
			t.Errorf("went on %t, with another pair: %s", went, branch.explain())
		}
	}
}

// wayportKey is the key of the direction that comes from the peer.
func wayportKey(t *testing.T, n *node) (k pool.Key) {
	t.Helper()
	n.parts.Table.ForEach(func(slot uint32) bool {
		if got := n.parts.Table.Key(slot); got.DstPort >= pool.WayportFirst && got.SrcPort >= pool.WayportFirst && got.SrcPort != 40000 {
			k = got
		}
		return true
	})
	if k.DstPort == 0 {
		t.Fatal("no session on wayports")
	}
	return k
}
