package session_test

import (
	"fmt"
	"maps"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/packet"
	"waymark/svr/pool"
	"waymark/svr/router"
	"waymark/svr/session"
)

// shared is the memory of a router that outlives its process.
type shared struct {
	prof    router.Profile
	table   []byte
	records []byte
	hopID   map[hopKey]uint16
	hopOf   map[uint16]hopKey
}

func newShared() *shared {
	p := router.Profile{Name: "sim", Sessions: 4096, Slots: 16384, Wayports: 16384, Mappings: 1024, Hops: 256}
	return &shared{
		prof: p, table: make([]byte, pool.MemorySize(pool.TableConfig{Slots: p.Slots})),
		records: make([]byte, session.RecordMemory(p.Sessions)),
	}
}

// boot starts a router over the memory, as the first of its processes or a
// later one. A later one tells what it adopted.
func (m *shared) boot(s *sim, a *config.Authority, name string) (n *node, adopted, removed int) {
	s.t.Helper()
	cfg := pool.TableConfig{Slots: m.prof.Slots, Seed: [16]byte{1}}
	table, err := pool.NewTable(m.table, cfg)
	if m.hopID != nil {
		table, err = pool.Open(m.table, cfg, s.now)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	n = s.bootWith(a, name, m.prof, router.Options{Table: table, Fast: true, Records: m.records, ColdStart: true})
	if m.hopID != nil {
		n.hopID, n.hopOf = m.hopID, m.hopOf
		adopted, removed = n.e.Adopt(s.now, func(hop uint16) bool { n.refs[hop]++; return n.hopOf[hop] != hopKey{} })
	}
	m.hopID, m.hopOf = n.hopID, n.hopOf
	return n, adopted, removed
}

// rows are the directions of a router by session.
func rows(n *node) map[string]session.Row {
	m := map[string]session.Row{}
	n.e.Sessions(func(r *session.Row) bool {
		m[fmt.Sprintf("%x %v", r.UUID, r.Reverse)] = *r
		return true
	})
	return m
}

// A router dies and another takes its memory over: every session without
// encryption goes on without a handshake, everything it owns is owned again.
func TestAdopt(t *testing.T) {
	for _, victim := range []string{"branch1", "hub1"} {
		t.Run(victim, func(t *testing.T) { testAdopt(t, victim) })
	}
}

func testAdopt(t *testing.T, victim string) {
	s := newSim(t)
	a := parseConfig(t, "testdata/acme.json")
	mem := map[string]*shared{"branch1": newShared(), "hub1": newShared()}
	for _, name := range []string{"branch1", "hub1"} {
		mem[name].boot(s, a, name)
	}
	var clear []*pairOf
	for k := range 40 {
		proto := []uint8{packet.ProtoUDP, packet.ProtoTCP}[k%2]
		c := newPair(t, s, "branch1", "hub1", proto, fmt.Sprintf("192.168.1.10:%d", 20000+k), "10.20.0.5:80")
		if k%4 > 1 {
			c = newPair(t, s, "branch1", "hub1", proto, fmt.Sprintf("[fd00:1::10]:%d", 20000+k), "[fd00:20::5]:80")
		}
		c.farIf = "dc"
		c.open()
		c.talk(3)
		clear = append(clear, c)
	}
	secret := newPair(t, s, "branch1", "hub1", packet.ProtoTCP, "192.168.1.10:30000", "10.20.0.80:8443")
	secret.farIf = "dc"
	secret.open()
	secret.talk(3)
	for _, n := range s.nodes {
		checkFlags(t, n, len(clear))
	}
	before := rows(s.nodes[victim])
	inUse := s.nodes[victim].wayportsInUse()
	n, adopted, removed := mem[victim].boot(s, a, victim)
	if adopted != len(clear) || removed != 1 {
		t.Fatalf("adopted %d, removed %d, want %d and 1", adopted, removed, len(clear))
	}
	after := rows(n)
	for id := range maps.Keys(after) {
		b, ok := before[id]
		if a := after[id]; !ok || a.Key != b.Key || a.To != b.To || a.Bytes < b.Bytes || a.Packets < b.Packets || a.Path != b.Path {
			t.Errorf("%s: got %+v, want %+v (%t)", id, a, b, ok)
		}
	}
	if err := n.e.Check(); err != nil {
		t.Error(err)
	}
	if got := n.wayportsInUse(); victim == "branch1" && got != inUse-1 {
		t.Errorf("%d wayports, %d before", got, inUse)
	}
	checkFlags(t, n, len(clear))
	for _, c := range clear {
		c.settled()
	}
	if o := n.count(session.SessionsOpened) + n.count(session.SessionsAccepted); o != 0 {
		t.Errorf("%d sessions began anew", o)
	}
	s.advance(3600e9 * 24)
	if err := n.e.Check(); err != nil {
		t.Error(err)
	}
	if n.e.Live() != 0 || n.wayportsInUse() != 0 {
		t.Errorf("a day later: %d sessions, %d wayports", n.e.Live(), n.wayportsInUse())
	}
	if len(rows(n)) != 0 || n.parts.Table.Stats().Directions != 0 {
		t.Errorf("a day later: %+v", n.parts.Table.Stats())
	}
}

func (n *node) wayportsInUse() (sum int) {
	for _, id := range n.parts.Pathway {
		sum += n.parts.Wayports.Stats(id).InUse
	}
	return sum
}

// checkFlags looks that want sessions, and the right ones, are for the kernel.
func checkFlags(t *testing.T, n *node, want int) {
	t.Helper()
	got := 0
	n.parts.Table.ForEach(func(slot uint32) bool {
		k, a, _ := n.parts.Table.Read(slot)
		if a.Flags&pool.FlagFast == 0 {
			return true
		}
		got++
		if k.SrcPort == 30000 || k.DstPort == 30000 || a.Flags&pool.FlagMTU == 0 {
			t.Errorf("%s: %v: flags %#x", n.name, k, a.Flags)
		}
		return true
	})
	if got != 2*want {
		t.Errorf("%s: %d directions for the kernel, want %d", n.name, got, 2*want)
	}
}
