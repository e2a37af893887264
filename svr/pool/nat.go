package pool

import (
	"errors"
	"math/rand/v2"
)

// Errors of source-NAT.
var (
	ErrNATFull  = errors.New("source-NAT memory is full")
	ErrNATPorts = errors.New("no source-NAT port is free for this destination")
)

// Ports of source-NAT breakout (docs/wire.md 8), inclusive.
const (
	NATFirst = 2048
	NATLast  = 9999

	natPorts   = NATLast - NATFirst + 1
	natTries   = 64 // random ports that one allocation looks at
	natPools   = 64 // default of NATConfig.Pools
	natSamples = 4  // resting mappings that one allocation offers to conflict
)

// NATConfig sizes a NAT.
type NATConfig struct {
	Mappings int      // inner endpoints at once, live and resting: 44 bytes each
	Pools    int      // combinations of WAN interface and protocol, about 1 KB each; 0: 64
	Seed     [32]byte // of the port choice, secret
}

// NATStats is a snapshot.
type NATStats struct {
	InUse    int    // mappings with sessions
	Resting  int    // mappings whose last session went less than 60 s ago
	Capacity int    // mappings in all
	Highest  int    // most mappings with sessions at once
	Refused  uint64 // sessions that got no port
	Shared   uint64 // mappings that had to share a port with another one
	Early    uint64 // ports taken from a mapping that still rested
	Unknown  uint64 // releases of nothing
}

// NAT maps inner endpoints to ports of a WAN interface's address. The mapping
// does not depend on the destination (RFC 4787 REQ-1) and lives as long as
// sessions refer to it, then rests 60 s, in which the same endpoint gets it
// back. One goroutine.
//
// Ports are picked at random. When every port of a WAN address and protocol is
// mapped, the mapping that rests longest gives its port away; when none rests,
// a port is shared between endpoints that talk to different destinations.
type NAT struct {
	arena natArena
	pools []natPool
	rng   *rand.ChaCha8
	stats NATStats
	now   int64
	known int // pools in use, a prefix
	turn  int // pool whose resting mapping goes next when the arena is full
}

// NewNAT makes an empty table.
func NewNAT(cfg NATConfig) *NAT {
	if cfg.Pools <= 0 {
		cfg.Pools = natPools
	}
	rng := rand.NewChaCha8(cfg.Seed)
	return &NAT{
		arena: newNATArena(cfg.Mappings, rng.Uint64(), rng.Uint64()), rng: rng,
		pools: make([]natPool, cfg.Pools), stats: NATStats{Capacity: cfg.Mappings},
	}
}

// Acquire returns the external port for a session of the inner endpoint (src,
// port), and holds it until Release. conflict tells whether a live session uses
// that external port towards the same destination already; nil: none does. An
// IPv4 address fills the first four bytes of src; both families share the ports.
// It fails with ErrNATFull or ErrNATPorts, both counted.
func (n *NAT) Acquire(now int64, wanIf uint16, proto uint8, src [16]byte, port uint16, conflict func(port uint16) bool) (ext uint16, err error) {
	n.Advance(now)
	p := n.pool(wanIf, proto)
	if p < 0 {
		n.stats.Refused++
		return 0, ErrNATFull
	}
	k := endpoint{src: src, port: port, pool: uint16(p)}
	if i := n.reuse(&k, conflict); i != 0 {
		return n.arena.maps[i-1].ext, nil
	}
	if ext, err = n.create(&k, conflict); err != nil {
		n.stats.Refused++
	}
	return ext, err
}

// reuse takes another reference on a mapping that the endpoint has.
func (n *NAT) reuse(k *endpoint, conflict func(uint16) bool) uint32 {
	for i := n.arena.firstInner(k); i != 0; i = n.arena.nextInner(i, k) {
		m := &n.arena.maps[i-1]
		if conflict != nil && conflict(m.ext) {
			continue
		}
		if m.rests() {
			n.pools[m.pool].unlink(&n.arena, i)
			n.stats.Resting--
			n.up()
		}
		m.refs++
		return i
	}
	return 0
}

// create makes a mapping with one reference.
func (n *NAT) create(k *endpoint, conflict func(uint16) bool) (uint16, error) {
	p := int(k.pool)
	if n.arena.full() && !n.forget(p) {
		return 0, ErrNATFull
	}
	ext := n.pick(p, conflict)
	if ext == 0 {
		ext = n.early(p, conflict)
	}
	if ext == 0 {
		if ext = n.share(conflict); ext == 0 {
			return 0, ErrNATPorts
		}
		n.stats.Shared++
	}
	n.arena.enter(k, ext)
	n.pools[p].mark(ext)
	n.up()
	return ext, nil
}

func (n *NAT) up() {
	n.stats.InUse++
	n.stats.Highest = max(n.stats.Highest, n.stats.InUse)
}

// Release gives back one reference on the mapping of (src, port) to ext. False,
// and counted, when there is none.
func (n *NAT) Release(now int64, wanIf uint16, proto uint8, src [16]byte, port, ext uint16) bool {
	n.Advance(now)
	k := endpoint{src: src, port: port, pool: n.find(wanIf, proto)}
	for i := n.arena.firstInner(&k); i != 0; i = n.arena.nextInner(i, &k) {
		m := &n.arena.maps[i-1]
		if m.ext != ext || m.rests() {
			continue
		}
		if m.refs--; m.refs == 0 {
			n.pools[m.pool].push(&n.arena, i, releaseTick(n.now+RestTime))
			n.stats.InUse--
			n.stats.Resting++
		}
		return true
	}
	n.stats.Unknown++
	return false
}

// LookupExternal finds the inner endpoint behind an external port, for a
// hairpin. Of several that share the port it is the one that had it first.
func (n *NAT) LookupExternal(wanIf uint16, proto uint8, ext uint16) (src [16]byte, port uint16, ok bool) {
	pool := n.find(wanIf, proto)
	for i := n.arena.firstOuter(pool, ext); i != 0; i = n.arena.nextOuter(i, pool, ext) {
		if m := &n.arena.maps[i-1]; !m.rests() {
			src, port, ok = m.src, m.port, true
		}
	}
	return src, port, ok
}

// Advance tells the time and ends the rest of a bounded number of mappings.
// Acquire and Release do the same.
func (n *NAT) Advance(now int64) {
	n.now = max(n.now, now)
	for i := range n.known {
		p := &n.pools[i]
		for j := 0; j < 4 && p.head != 0; j++ {
			if !n.arena.maps[p.head-1].released(n.now) {
				break
			}
			n.drop(p.head)
		}
	}
}

// Stats returns a snapshot as of the newest time told.
func (n *NAT) Stats() NATStats { return n.stats }
