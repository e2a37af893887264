// Package watch has the paths of a router watched by BFD: it gives the pure paths
// of package peer sockets of the kernel, a timer and one lock, and keeps what
// they found out until the router takes it.
package watch

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"waymark/svr/path"
	"waymark/svr/path/ambient"
	"waymark/svr/path/bfd"
	"waymark/svr/path/peer"
	"waymark/svr/path/steer"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/secure"
)

// Watcher runs BFD for the paths of a router: sockets of the kernel around the
// pure paths of package peer. It has goroutines of its own and takes nothing
// from the lane, so that neither a flood of punts nor transfers starve it.
type Watcher struct {
	log     *slog.Logger
	tables  *policy.Tables
	carrier *path.Carrier
	table   *pool.Table
	board   *steer.Board
	clock   func() int64
	// changed is poked when a path's state, or where its peer is, changed.
	changed chan struct{}
	queues  taggedQueues // for interfaces with a VLAN
	asks    chan asking  // session requests of the engine

	mu      sync.Mutex // guards the rest
	set     *peer.Set
	found   Findings // for the engine; emptied by Take
	places  map[uint16]place
	socks   sockets
	resting sockets // what arrives there wakes nobody
	talk    talk
	wakeup  chan struct{}
	hints   chan hint
	waiting int64             // when the timer goes off
	indexes map[uint32]uint16 // kernel's interface index to IfID
	devices map[uint16]uint32 // IfID to the kernel's interface index, on VLANs of the device below
	scratch scratches
	learned *learned
	behind  func(ifc uint16, now int64) bool
	late    atomic.Int64 // longest that the timer came late, ns
}

// Config is what a Watcher needs of its router.
type Config struct {
	Tables    *policy.Tables
	Carrier   *path.Carrier
	Table     *pool.Table // of sessions, read alone
	Board     *steer.Board
	Neighbors []peer.NeighborConfig // standard ones; discriminators and seeds are drawn here
	Ledger    *ambient.Ledger
	Clock     func() int64 // monotonic ns, never 0
	Log       *slog.Logger
	Version   string // of the software, for peers
	Lifetimes string // file of what was learned of NATs' bindings, by interface and network
	Endpoints string // file of where peers behind NATs were reached last
	// Behind says whether data that arrives on a network-interface is lost in this
	// router, or worked off late. Any goroutine; nil: never.
	Behind func(ifc uint16, now int64) bool
}

// New makes the paths of the tables. Nothing is sent before Run.
func New(c Config) (*Watcher, error) {
	t := c.Tables
	w := &Watcher{
		log: c.Log, tables: t, carrier: c.Carrier, table: c.Table, board: c.Board, clock: c.Clock,
		changed: make(chan struct{}, 1), wakeup: make(chan struct{}, 1),
		queues: newTaggedQueues(), hints: make(chan hint, 64), asks: make(chan asking, askQueue), found: newFindings(),
		places: map[uint16]place{}, indexes: map[uint32]uint16{}, devices: map[uint16]uint32{}, waiting: bfd.Never,
		scratch: newScratches(), learned: openLearned(&c), behind: c.Behind,
	}
	keys, err := makeKeys(t)
	if err != nil {
		return nil, err
	}
	set := peer.Config{Router: t.RouterName, Node: t.NodeName, Software: "waymark " + c.Version, Out: w,
		IV: secure.NewIVSource([32]byte(random(32))), Recv: make([]*peer.Keys, len(t.Interfaces)), Ledger: c.Ledger}
	for i := range t.Interfaces {
		if id := t.Interfaces[i].RecvPolicy; id != policy.NoSecurity {
			set.Recv[i] = keys[id]
		}
	}
	w.set = peer.NewSet(set)
	used := map[uint32]bool{0: true}
	for i := range t.Paths {
		if p := &t.Paths[i]; Watched(t, p) {
			w.set.Add(w.metered(pathConfig(t, p, keys[p.SendPolicy], used)), w.clock())
		}
	}
	for _, n := range c.Neighbors {
		n.BFD.Local, n.BFD.Seed = discriminator(used), binary.NativeEndian.Uint64(random(8))
		w.set.AddNeighbor(n, w.clock())
	}
	return w, nil
}

// Run serves BFD until ctx ends, after Open.
func (w *Watcher) Run(ctx context.Context) {
	var done sync.WaitGroup
	for _, s := range w.socks {
		done.Go(func() { w.listen(s, ctx.Done()) })
	}
	done.Go(func() { w.watchTraffic(ctx) })
	done.Go(func() { w.keepTime(ctx) })
	done.Go(func() { w.serveAsks(ctx) })
	<-ctx.Done()
	w.socks.close()
	w.closeScratch()
	done.Wait()
}

// Shutdown tells the peers that this router ends on purpose.
func (w *Watcher) Shutdown() {
	w.mu.Lock()
	defer w.release()
	w.set.Shutdown(w.clock())
}

// grain is how long the timer rests at least: what the paths of a hub have to do within
// that time is done at once, since to wake up costs more than to send a packet. Of BFD's
// shortest intervals it is a few percent, as much as a busy processor takes.
const grain = int64(4e6)

// keepTime wakes the paths when they asked for it.
func (w *Watcher) keepTime(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wakeup:
		case <-timer.C:
		case h := <-w.hints:
			w.mu.Lock()
			h(w.set, w.clock())
			w.release()
		}
		timer.Reset(time.Duration(w.round()))
	}
}

// round does what is due, and returns for how long the timer may rest. What arrived counts
// before what time changes.
func (w *Watcher) round() int64 {
	w.mu.Lock()
	defer w.release()
	now := w.clock()
	if due := now - grain; w.waiting < due {
		w.late.Store(max(w.late.Load(), due-w.waiting))
	}
	w.lookRound(now)
	w.set.Advance(now)
	w.waiting = w.set.Next()
	if len(w.resting) > 0 {
		return grain
	}
	return min(max(w.waiting-w.clock(), grain), int64(time.Hour))
}

// arm makes the timer go off sooner if it must; the caller holds mu.
func (w *Watcher) arm() {
	if w.set.Next() < w.waiting {
		w.wake()
	}
}

// wake has the timer come round now.
func (w *Watcher) wake() {
	select {
	case w.wakeup <- struct{}{}:
	default: // it wakes already
	}
}

// receive takes a datagram that arrived on a VLAN.
func (w *Watcher) receive(d *peer.Datagram) {
	w.mu.Lock()
	defer w.release()
	d.Wall = time.Now().UnixMilli()
	w.set.Receive(d, w.clock())
	w.arm()
}

// Changed implements peer.Output; mu is held.
func (w *Watcher) Changed(p *peer.Path) {
	v, _ := p.Verdict()
	best, _ := p.Remote()
	remote := best.Addr()
	w.locate(p, best)
	smooth, least := p.RTT()
	w.carrier.SetRTT(p.ID(), time.Duration(smooth), time.Duration(least))
	w.carrier.SetHops(p.ID(), p.Hops())
	life := lives[v]
	if s := p.Sick(); v == peer.Down && s != peer.Healthy {
		life = sicknesses[s]
	}
	w.found.News = append(w.found.News, w.carrier.SetLife(p.ID(), life, remote)...)
	w.found.News = append(w.found.News, w.carrier.SetMTU(p.ID(), p.MTU())...)
	w.poke()
}

// News is poked when there is something to Take.
func (w *Watcher) News() <-chan struct{} { return w.changed }

// poke lets the router look at what was found.
func (w *Watcher) poke() {
	select {
	case w.changed <- struct{}{}:
	default: // whoever looks sees all
	}
}

var lives = map[peer.Verdict]path.Life{
	peer.Initializing: path.Initializing, peer.NoAnswer: path.NoAnswer, peer.Up: path.Alive,
	peer.Restarting: path.Restarting, peer.HeldDown: path.HeldDown, peer.Down: path.Dead,
}

var sicknesses = map[peer.Sickness]path.Life{
	peer.SickMTU: path.NoRoom, peer.SickData: path.NoData, peer.SickPeer: path.PeerNoData,
}

// Take returns what was found since the last call.
func (w *Watcher) Take() Findings {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.found
	w.found = newFindings()
	return f
}

// Measure brings round trips to those who ask the monitor, and the quality of
// every path to the board: it answers whether sessions may want another path now.
func (w *Watcher) Measure() (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock()
	for i := range w.tables.Paths {
		p := w.set.Path(uint16(i))
		if p == nil {
			continue
		}
		smooth, least := p.RTT()
		w.carrier.SetRTT(uint16(i), time.Duration(smooth), time.Duration(least))
		w.carrier.SetHops(uint16(i), p.Hops())
		if v, _ := p.Verdict(); v != peer.Up {
			w.board.Gone(uint16(i))
			continue
		}
		q := steer.Quality{Known: smooth > 0, Latency: time.Duration(smooth)}
		if rtt, jitter, loss, ok := p.Quality(); ok {
			q = steer.Quality{Known: true, Latency: time.Duration(rtt), Jitter: time.Duration(jitter), Loss: loss}
		}
		changed = w.board.Observe(uint16(i), q, now) || changed
	}
	return changed
}

// Link is what holds for one network-interface.
type Link struct {
	Device uint32 // the kernel's index of the device, 0: there is none
	Up     bool
	MTU    int // bytes of IP packet
	Addrs  []policy.Address
}

// Follow tells the own addresses of every path and neighbour, and which kernel
// interface is which, by IfID.
func (w *Watcher) Follow(state []Link) {
	w.mu.Lock()
	defer w.release()
	clear(w.indexes)
	clear(w.devices)
	for i := range w.tables.Interfaces {
		f := &w.tables.Interfaces[i]
		if at := state[i].Device; at != 0 && f.Enabled {
			w.devices[uint16(i)] = at
			if f.VLAN == 0 {
				w.indexes[at] = uint16(i)
			}
		}
	}
	now, wall := w.clock(), time.Now().UnixMilli()
	for i := range w.tables.Paths {
		p := &w.tables.Paths[i]
		local := w.waypoint(p, &state[p.If])
		w.learned.network(p.If, local, &state[p.If])
		w.set.SetMTU(uint16(i), state[p.If].MTU, now)
		w.set.SetLocal(uint16(i), local, wall, now)
	}
	for _, n := range w.set.Neighbors() {
		c := n.Config()
		n.SetLocal(w.set, addressFor(&state[c.If], c.Remote), now)
	}
	w.arm()
}

// waypoint is the own address of a path, zero while it is not usable.
func (w *Watcher) waypoint(p *policy.Path, s *Link) netip.Addr {
	if !s.Up {
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
func addressFor(s *Link, remote netip.Addr) netip.Addr {
	for _, a := range s.Addrs {
		if ip := a.Prefix.Addr().Unmap(); s.Up && ip.Is4() == remote.Is4() && !ip.IsLinkLocalUnicast() {
			return ip
		}
	}
	return netip.Addr{}
}

var _ peer.Output = (*Watcher)(nil)

// SetRemote tells where the peer of a path is.
func (w *Watcher) SetRemote(id policy.PathID, remote netip.Addr) {
	w.mu.Lock()
	defer w.release()
	w.set.SetRemote(uint16(id), remote, w.clock())
	w.arm()
}
