package router

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"waymark/svr/path"
	"waymark/svr/path/bfd"
	"waymark/svr/path/peer"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/secure"
)

// watcher runs BFD for the paths of a router: sockets of the kernel around the
// pure paths of package peer. It has goroutines of its own and takes nothing
// from the lane, so that neither a flood of punts nor transfers starve it.
type watcher struct {
	log     *slog.Logger
	tables  *policy.Tables
	carrier *path.Carrier
	table   *pool.Table
	clock   func() int64
	// changed is poked when a path's state, or where its peer is, changed.
	changed chan struct{}
	queues  taggedQueues // for interfaces with a VLAN

	mu      sync.Mutex // guards the rest
	set     *peer.Set
	moved   map[uint16]netip.Addr // where peers are, for the engine; emptied by it
	news    []path.Change
	socks   sockets
	talk    talk
	wakeup  chan struct{}
	waiting int64             // when the timer goes off
	indexes map[uint32]uint16 // kernel's interface index to IfID
	late    atomic.Int64      // longest that the timer came late, ns
}

// newWatcher makes the paths of the tables. Nothing is sent before run.
func newWatcher(t *policy.Tables, parts *Parts, clock func() int64, log *slog.Logger) (*watcher, error) {
	w := &watcher{
		log: log, tables: t, carrier: parts.Carrier, table: parts.Table, clock: clock,
		changed: make(chan struct{}, 1), wakeup: make(chan struct{}, 1),
		queues: newTaggedQueues(), moved: map[uint16]netip.Addr{}, indexes: map[uint32]uint16{}, waiting: bfd.Never,
	}
	keys, err := bfdKeys(t)
	if err != nil {
		return nil, err
	}
	cfg := peer.Config{Router: t.RouterName, Node: t.NodeName, Software: "waymark " + version(), Out: w,
		IV: secure.NewIVSource(seed32()), Recv: make([]*peer.Keys, len(t.Interfaces))}
	for i := range t.Interfaces {
		if id := t.Interfaces[i].RecvPolicy; id != policy.NoSecurity {
			cfg.Recv[i] = keys[id]
		}
	}
	w.set = peer.NewSet(cfg)
	used := map[uint32]bool{0: true}
	for i := range t.Paths {
		if p := &t.Paths[i]; watched(t, p) {
			w.set.Add(pathConfig(t, p, keys[p.SendPolicy], used), clock())
		}
	}
	w.addNeighbors(used)
	return w, nil
}

// watched says whether BFD decides about a path.
func watched(t *policy.Tables, p *policy.Path) bool {
	return p.Adjacency.BFD.Enabled && t.Interfaces[p.If].Enabled
}

// bfdKeys derives the keys of every inter-router policy, by SecurityID.
func bfdKeys(t *policy.Tables) (map[policy.SecurityID]*peer.Keys, error) {
	keys := map[policy.SecurityID]*peer.Keys{}
	add := func(id policy.SecurityID) error {
		if id == policy.NoSecurity || keys[id] != nil {
			return nil
		}
		pol, err := secure.New(secureConfig(&t.Security[id]))
		if err == nil {
			keys[id], err = peer.NewKeys(t.Security[id].HMACKey, pol)
		}
		if err != nil {
			return fmt.Errorf("make BFD keys of %s: %w", t.Security[id].Name, err)
		}
		return nil
	}
	for i := range t.Paths {
		if err := add(t.Paths[i].SendPolicy); err != nil {
			return nil, err
		}
		if err := add(t.Interfaces[t.Paths[i].If].RecvPolicy); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// pathConfig translates the bfd leaves of a path.
func pathConfig(t *policy.Tables, p *policy.Path, send *peer.Keys, used map[uint32]bool) peer.PathConfig {
	b := &p.Adjacency.BFD
	c := peer.PathConfig{
		ID: uint16(p.ID), If: uint16(p.If), Interface: t.Interfaces[p.If].Name, Peer: t.Peers[p.Peer].Name,
		PeerInterface: p.Adjacency.PeerInterface, Send: send, DSCP: b.DSCP, Remote: p.Remote,
		Hold: peer.HoldConfig{Down: int64(b.HoldDown), Max: int64(b.MaximumHoldDown), Damping: b.DynamicDamping},
		BFD: bfd.Config{Local: discriminator(used), DesiredTx: micros(b.DesiredTx), RequiredRx: micros(b.RequiredMinRx),
			Multiplier: uint8(b.Multiplier), Repeats: 2, Seed: binary.NativeEndian.Uint64(random(8))},
	}
	if !t.Interfaces[p.If].Metered && !p.PeerOutbound { // where bytes cost money nobody tests for its own sake
		c.Test = peer.TestConfig{Length: b.LinkTestLength, Interval: int64(b.LinkTestInterval)}
	}
	copy(c.Epoch[:], random(8))
	if p.PeerOutbound { // it is behind a NAT that chooses its port: only it can begin
		c.Remote = netip.Addr{}
	}
	c.BFD.Passive = !c.Remote.IsValid()
	return c
}

func random(n int) []byte { b := make([]byte, n); rand.Read(b); return b }

// discriminator draws one that nobody has.
func discriminator(used map[uint32]bool) uint32 {
	for {
		if d := binary.NativeEndian.Uint32(random(4)); !used[d] {
			used[d] = true
			return d
		}
	}
}

// micros is a duration in microseconds, as far as 32 bits reach.
func micros(d time.Duration) uint32 { return uint32(min(d.Microseconds(), 1<<32-1)) }

// run serves BFD until ctx ends. The sockets are open.
func (w *watcher) run(ctx context.Context) {
	var done sync.WaitGroup
	for _, s := range w.socks {
		done.Go(func() { w.listen(s) })
	}
	done.Go(func() { w.keepTime(ctx) })
	<-ctx.Done()
	w.socks.close()
	done.Wait()
}

// shutdown tells the peers that this router ends on purpose.
func (w *watcher) shutdown() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set.Shutdown(w.clock())
}

// keepTime wakes the paths when they asked for it.
func (w *watcher) keepTime(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wakeup:
		case <-timer.C:
		}
		w.mu.Lock()
		now := w.clock()
		if w.waiting < now {
			w.late.Store(max(w.late.Load(), now-w.waiting))
		}
		w.set.Advance(now)
		w.waiting = w.set.Next()
		wait := w.waiting - w.clock()
		w.mu.Unlock()
		timer.Reset(time.Duration(max(min(wait, int64(time.Hour)), 0)))
	}
}

// arm makes the timer go off sooner if it must; the caller holds mu.
func (w *watcher) arm() {
	if w.set.Next() >= w.waiting {
		return
	}
	select {
	case w.wakeup <- struct{}{}:
	default: // it wakes already
	}
}

// receive takes a datagram that arrived on a kernel interface.
func (w *watcher) receive(d *peer.Datagram) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d.Wall = time.Now().UnixMilli()
	w.set.Receive(d, w.clock())
	w.arm()
}

// Changed implements peer.Output; mu is held.
func (w *watcher) Changed(p *peer.Path) {
	v, _ := p.Verdict()
	remote := netip.Addr{}
	if best, ok := p.Remote(); ok {
		remote = best.Addr()
		if t := &w.tables.Paths[p.ID()]; !t.PeerOutbound && best.Port() == bfdPort {
			w.moved[p.ID()] = remote
		}
	}
	smooth, least := p.RTT()
	w.carrier.SetRTT(p.ID(), time.Duration(smooth), time.Duration(least))
	w.news = append(w.news, w.carrier.SetLife(p.ID(), lives[v], remote)...)
	select {
	case w.changed <- struct{}{}:
	default: // whoever looks sees all
	}
}

var lives = map[peer.Verdict]path.Life{
	peer.Initializing: path.Initializing, peer.NoAnswer: path.NoAnswer, peer.Up: path.Alive,
	peer.Restarting: path.Restarting, peer.HeldDown: path.HeldDown, peer.Down: path.Dead,
}

// take returns what changed since the last call.
func (w *watcher) take() (news []path.Change, moved map[uint16]netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	news, moved = w.news, w.moved
	w.news, w.moved = nil, map[uint16]netip.Addr{}
	return news, moved
}

// measure brings round trips to those who ask the monitor.
func (w *watcher) measure() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.tables.Paths {
		if p := w.set.Path(uint16(i)); p != nil {
			smooth, least := p.RTT()
			w.carrier.SetRTT(uint16(i), time.Duration(smooth), time.Duration(least))
		}
	}
}

// follow tells the own addresses of every path and neighbour, and which kernel
// interface is which.
func (w *watcher) follow(v *view, state []ifState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.indexes)
	for i := range w.tables.Interfaces {
		f := &w.tables.Interfaces[i]
		if l, ok := v.links[f.Target]; ok && f.Enabled && f.VLAN == 0 {
			w.indexes[uint32(l.Index)] = uint16(i)
		}
	}
	now, wall := w.clock(), time.Now().UnixMilli()
	for i := range w.tables.Paths {
		p := &w.tables.Paths[i]
		w.set.SetLocal(uint16(i), w.waypoint(p, &state[p.If]), wall, now)
	}
	for _, n := range w.set.Neighbors() {
		c := n.Config()
		n.SetLocal(w.set, addressFor(&state[c.If], c.Remote), now)
	}
	w.arm()
}

// waypoint is the own address of a path, zero while it is not usable.
func (w *watcher) waypoint(p *policy.Path, s *ifState) netip.Addr {
	if !s.up {
		return netip.Addr{}
	}
	if a := w.carrier.Status(uint16(p.ID)).Local; a.IsValid() {
		return a
	}
	if p.Local.IsValid() {
		return netip.Addr{} // it is not on the interface
	}
	return addressFor(s, netip.IPv4Unspecified())
}

// addressFor returns the first address of an interface in the family of remote.
func addressFor(s *ifState, remote netip.Addr) netip.Addr {
	for _, a := range s.addrs {
		if ip := a.Prefix.Addr().Unmap(); s.up && ip.Is4() == remote.Is4() && !ip.IsLinkLocalUnicast() {
			return ip
		}
	}
	return netip.Addr{}
}

var _ peer.Output = (*watcher)(nil)
