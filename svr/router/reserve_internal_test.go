package router

import (
	"net/netip"
	"testing"
	"time"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
)

// TestReserve: what directions of older sessions come back to is taken out of the
// pools, given to whoever it was kept for, and given back.
func TestReserve(t *testing.T) {
	tables := acme(t, "branch1")
	prof := profiles[2]
	parts, err := Assemble(tables, prof, Options{Out: &adapter{}, Alarms: &adapter{}, Now: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := &Router{tables: tables, parts: parts, adapter: &adapter{}, fast: &fastLane{}, started: time.Now(), epoch: 1}
	path := &tables.Paths[0]
	wan := &tables.Interfaces[path.If]
	lan := policy.IfID(0)
	for i := range tables.Interfaces {
		if f := &tables.Interfaces[i]; len(f.Vectors) == 0 && !f.SourceNAT {
			lan = f.ID
		}
	}
	own := wan.Addresses[0].Prefix.Addr()
	key := func(ifc policy.IfID, src, dst string) pool.Key {
		return pool.Key{Tuple: packet.MakeTuple(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), packet.ProtoTCP), If: uint16(ifc)}
	}
	host := packet.MakeTuple(netip.MustParseAddrPort("203.0.113.99:443"), netip.MustParseAddrPort("192.168.1.77:40000"), packet.ProtoTCP)
	fast := pool.Action{To: host, Flags: pool.FlagFast | 1500}
	s := &reserved{pairs: map[pair]struct{}{}}
	for _, c := range []struct {
		name                     string
		key                      pool.Key
		act                      pool.Action
		directions, pairs, ports int // afterwards
	}{
		{"from the host", key(lan, "192.168.1.77:40000", "203.0.113.99:443"), fast, 1, 0, 0},
		{"not the kernel's", key(path.If, path.Remote.String()+":20001", own.String()+":16386"), pool.Action{To: host}, 1, 0, 0},
		{"from a peer", key(path.If, path.Remote.String()+":20001", own.String()+":16386"), fast, 2, 1, 0},
		{"once more", key(path.If, path.Remote.String()+":20001", own.String()+":16386"), fast, 3, 1, 0},
		{"a pair of the peer's", key(path.If, path.Remote.String()+":16386", own.String()+":20001"), fast, 4, 1, 0},
		{"no interface of ours", key(999, path.Remote.String()+":20001", own.String()+":16388"), fast, 4, 1, 0},
		{"from a server", key(path.If, "203.0.113.99:443", own.String()+":3000"), fast, 5, 1, 1},
		{"no port of ours", key(path.If, "203.0.113.99:443", own.String()+":300"), fast, 6, 1, 1},
	} {
		r.reserve(s, &c.key, &c.act)
		if s.directions != c.directions || len(s.pairs) != c.pairs || len(s.ports) != c.ports {
			t.Errorf("%s: %d directions, %d pairs, %d ports, want %d, %d, %d", c.name, s.directions, len(s.pairs), len(s.ports),
				c.directions, c.pairs, c.ports)
		}
	}
	r.adapter.reserved = s
	way := parts.Pathway[path.ID]
	if parts.Wayports.Claim(way, 16386, 20001, 2) {
		t.Error("a pair was not reserved")
	}
	if ext, err := parts.NAT.Acquire(2, uint16(path.If), packet.ProtoTCP, host.Dst, host.DstPort, nil); err != nil || ext != 3000 {
		t.Errorf("the host got port %d, %v, want the one that it had", ext, err)
	}
	if p := (pair{way, 16386, 20001}); !s.take(p) || s.take(p) || s.take(pair{way, 16388, 20001}) || (*reserved)(nil).take(p) {
		t.Error("the pair was not given once, to whom it was kept for")
	}
	r.giveBack()
	r.giveBack()
	if n := parts.Wayports.Stats(way).InUse; n != 1 {
		t.Errorf("%d pairs in use, want the one that was given", n)
	}
	if n := parts.NAT.Stats(); n.InUse != 1 || n.Unknown != 0 {
		t.Errorf("source NAT: %+v, want the mapping of the host", n)
	}
}
