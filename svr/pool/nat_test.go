package pool

import (
	"encoding/binary"
	"errors"
	"testing"
)

func inner(n uint32) (a [16]byte) {
	binary.BigEndian.PutUint32(a[:], 0x0a000000+n)
	return a
}

func TestNATMapping(t *testing.T) {
	n := NewNAT(NATConfig{Mappings: 100})
	a, err := n.Acquire(second, 1, 6, inner(1), 5000, nil)
	if err != nil || a < NATFirst || a > NATLast {
		t.Fatalf("got %d %v", a, err)
	}
	if b, _ := n.Acquire(second, 1, 6, inner(1), 5000, func(uint16) bool { return false }); b != a {
		t.Errorf("same endpoint, another destination: got %d, want %d", b, a)
	}
	for name, f := range map[string]func() (uint16, error){
		"port":    func() (uint16, error) { return n.Acquire(second, 1, 6, inner(1), 5001, nil) },
		"address": func() (uint16, error) { return n.Acquire(second, 1, 6, inner(2), 5000, nil) },
	} {
		if b, err := f(); err != nil || b == a {
			t.Errorf("another %s: got %d %v, want another port", name, b, err)
		}
	}
	src, port, ok := n.LookupExternal(1, 6, a)
	if !ok || src != inner(1) || port != 5000 {
		t.Errorf("external %d: got %v %d %v", a, src, port, ok)
	}
	for _, c := range []struct {
		wan   uint16
		proto uint8
	}{{2, 6}, {1, 17}} {
		if _, _, ok := n.LookupExternal(c.wan, c.proto, a); ok {
			t.Errorf("external %d on %+v: found", a, c)
		}
	}
	if got := n.Stats(); got.InUse != 3 || got.Highest != 3 || got.Capacity != 100 {
		t.Errorf("stats: got %+v", got)
	}
}

func TestNATRest(t *testing.T) {
	n := NewNAT(NATConfig{Mappings: 100})
	a, _ := n.Acquire(second, 1, 6, inner(1), 5000, nil)
	_, _ = n.Acquire(second, 1, 6, inner(1), 5000, nil)
	for i, want := range []bool{true, true, false} {
		if got := n.Release(2*second, 1, 6, inner(1), 5000, a); got != want {
			t.Errorf("release %d: got %v, want %v", i, got, want)
		}
	}
	if n.Release(2*second, 1, 6, inner(1), 5000, a+1) {
		t.Error("release of another port: got true")
	}
	if got := n.Stats(); got.InUse != 0 || got.Resting != 1 || got.Unknown != 2 {
		t.Errorf("resting: got %+v", got)
	}
	if _, _, ok := n.LookupExternal(1, 6, a); ok {
		t.Error("a resting mapping takes hairpins")
	}
	if b, _ := n.Acquire(61*second, 1, 6, inner(1), 5000, nil); b != a {
		t.Errorf("within the rest: got %d, want %d again", b, a)
	}
	n.Release(62*second, 1, 6, inner(1), 5000, a)
	n.Advance(121 * second)
	if got := n.Stats(); got.Resting != 1 {
		t.Errorf("before the end of the rest: got %+v", got)
	}
	n.Advance(123 * second)
	if got := n.Stats(); got.Resting != 0 || got.InUse != 0 {
		t.Errorf("after the rest: got %+v", got)
	}
}

// TestNATAllPorts: every port is used before one is shared, a port is shared
// only where the destination differs, and a resting one goes first.
func TestNATAllPorts(t *testing.T) {
	n := NewNAT(NATConfig{Mappings: 10000})
	seen := map[uint16]uint32{}
	for i := range uint32(natPorts) {
		p, err := n.Acquire(second, 3, 17, inner(i), 7, func(uint16) bool { return false })
		if _, dup := seen[p]; err != nil || dup || p < NATFirst || p > NATLast {
			t.Fatalf("endpoint %d: got %d %v, twice %v", i, p, err, dup)
		}
		seen[p] = i
	}
	if len(seen) != 7952 {
		t.Fatalf("got %d ports, want 7952", len(seen))
	}
	if _, err := n.Acquire(second, 3, 17, inner(90000), 7, nil); !errors.Is(err, ErrNATPorts) {
		t.Errorf("nobody may share: got %v, want ErrNATPorts", err)
	}
	if _, err := n.Acquire(second, 3, 17, inner(90000), 7, func(uint16) bool { return true }); !errors.Is(err, ErrNATPorts) {
		t.Errorf("same destination everywhere: got %v, want ErrNATPorts", err)
	}
	shared, err := n.Acquire(second, 3, 17, inner(90000), 7, func(p uint16) bool { return p%2 == 0 })
	if err != nil || shared%2 == 0 {
		t.Errorf("share: got %d %v, want an odd port", shared, err)
	}
	if src, _, ok := n.LookupExternal(3, 17, shared); !ok || src != inner(seen[shared]) {
		t.Errorf("external of a shared port: got %v, want the first owner", src)
	}
	n.Release(second, 3, 17, inner(5), 7, n.portOf(t, 3, 17, inner(5), 7))
	if p, err := n.Acquire(2*second, 3, 17, inner(90001), 7, func(uint16) bool { return false }); err != nil || seen[p] != 5 {
		t.Errorf("after a release: got %d %v, want the resting port", p, err)
	}
	if got := n.Stats(); got.Shared != 1 || got.Early != 1 || got.Refused != 2 {
		t.Errorf("stats: got %+v", got)
	}
	if p, err := n.Acquire(second, 4, 17, inner(1), 7, nil); err != nil || p == 0 {
		t.Errorf("another WAN: got %d %v", p, err)
	}
}

// portOf returns the external port of an endpoint.
func (n *NAT) portOf(t *testing.T, wan uint16, proto uint8, src [16]byte, port uint16) uint16 {
	t.Helper()
	i := n.arena.firstInner(&endpoint{src: src, port: port, pool: n.find(wan, proto)})
	if i == 0 {
		t.Fatal("endpoint has no mapping")
	}
	return n.arena.maps[i-1].ext
}

// TestNATConflictOfOwnMapping: an endpoint whose port is busy towards a
// destination gets a second mapping, and releases tell them apart.
func TestNATConflictOfOwnMapping(t *testing.T) {
	n := NewNAT(NATConfig{Mappings: 10})
	a, _ := n.Acquire(second, 1, 1, inner(1), 9, nil)
	b, err := n.Acquire(second, 1, 1, inner(1), 9, func(p uint16) bool { return p == a })
	if err != nil || a == b {
		t.Fatalf("got %d %v, want another than %d", b, err, a)
	}
	if !n.Release(second, 1, 1, inner(1), 9, b) || !n.Release(second, 1, 1, inner(1), 9, a) {
		t.Error("release: got false")
	}
}

func TestNATMemoryFull(t *testing.T) {
	n := NewNAT(NATConfig{Mappings: 3, Pools: 2})
	var ports [3]uint16
	for i := range uint32(3) {
		ports[i], _ = n.Acquire(second, uint16(i%2), 6, inner(i), 9, nil)
	}
	if _, err := n.Acquire(second, 1, 6, inner(9), 9, nil); !errors.Is(err, ErrNATFull) {
		t.Errorf("all in use: got %v, want ErrNATFull", err)
	}
	if _, err := n.Acquire(second, 2, 6, inner(9), 9, nil); !errors.Is(err, ErrNATFull) {
		t.Errorf("third pool: got %v, want ErrNATFull", err)
	}
	n.Release(second, 0, 6, inner(0), 9, ports[0])
	if _, err := n.Acquire(second, 1, 6, inner(9), 9, nil); err != nil {
		t.Errorf("a resting mapping of another pool must go: %v", err)
	}
	n.Release(second, 0, 6, inner(2), 9, ports[2])
	n.Advance(100 * second)
	if _, err := n.Acquire(100*second, 2, 6, inner(9), 9, nil); err != nil {
		t.Errorf("an empty pool must make room: %v", err)
	}
	if got := n.Stats(); got.Refused != 2 || got.Early != 1 || got.InUse != 3 {
		t.Errorf("stats: got %+v", got)
	}
}

// TestNATAgainstModel: references and ports stay right over a long life.
func TestNATAgainstModel(t *testing.T) {
	type inside struct {
		src       [16]byte
		port, wan uint16
		proto     uint8
	}
	type ref struct {
		ep  inside
		ext uint16
	}
	n, rnd, now := NewNAT(NATConfig{Mappings: 200, Pools: 4}), newRand(4), second
	var refs []ref
	held := map[ref]int{}
	for step := range 200_000 {
		now += rnd.Int64N(second / 2)
		if rnd.IntN(2) == 0 && len(refs) > 0 {
			i := rnd.IntN(len(refs))
			r := refs[i]
			if !n.Release(now, r.ep.wan, r.ep.proto, r.ep.src, r.ep.port, r.ext) {
				t.Fatalf("step %d: release %+v: got false", step, r)
			}
			if held[r]--; held[r] == 0 {
				delete(held, r)
			}
			refs[i] = refs[len(refs)-1]
			refs = refs[:len(refs)-1]
			continue
		}
		ep := inside{src: inner(rnd.Uint32N(150)), port: 1, wan: uint16(rnd.IntN(2)), proto: uint8(6 + 11*rnd.IntN(2))}
		ext, err := n.Acquire(now, ep.wan, ep.proto, ep.src, ep.port, nil)
		if err != nil {
			continue
		}
		r := ref{ep, ext}
		for other := range held {
			if other.ext == ext && other.ep.wan == ep.wan && other.ep.proto == ep.proto && other.ep != ep {
				t.Fatalf("step %d: port %d of %+v and %+v", step, ext, ep, other.ep)
			}
		}
		held[r]++
		refs = append(refs, r)
	}
	if got := n.Stats(); got.InUse != len(held) {
		t.Errorf("in use: got %d, want %d", got.InUse, len(held))
	}
	checkNAT(t, n)
}

// checkNAT compares chains, queues, bits and counters with each other.
func checkNAT(t *testing.T, n *NAT) {
	t.Helper()
	mapped, used := map[[2]uint16]bool{}, 0
	for i := range n.arena.virgin {
		m := &n.arena.maps[i]
		if m.ext == 0 {
			continue
		}
		used++
		mapped[[2]uint16{m.pool, m.ext}] = true
		if !n.pools[m.pool].has(m.ext) || n.arena.firstInner(&m.endpoint) == 0 || n.arena.firstOuter(m.pool, m.ext) == 0 {
			t.Errorf("mapping %+v: not found", *m)
		}
	}
	bits, resting := 0, 0
	for i := range n.known {
		p := &n.pools[i]
		bits += p.mapped
		for j := p.head; j != 0; j = n.arena.maps[j-1].next {
			resting++
		}
	}
	if bits != len(mapped) || resting != n.stats.Resting || used != n.stats.InUse+resting {
		t.Errorf("bits %d ports %d, resting %d, used %d, stats %+v", bits, len(mapped), resting, used, n.stats)
	}
}
