package session

import (
	"hash/maphash"
	"net/netip"

	"waymark/svr/packet"
	"waymark/svr/path"
	"waymark/svr/path/steer"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/seal"
	"waymark/svr/secure"
)

// Output is what the engine needs of the lane that carries its packets.
type Output interface {
	// Send queues p for network-interface ifc and next-hop hop. The bytes of p
	// belong to the lane until its batch is flushed; the engine does not touch
	// them again.
	Send(p *packet.Packet, ifc, hop uint16)
	// Buffer lends a spare packet with head- and tailroom until the batch is
	// flushed: large ones take a whole IP packet of 64 KB. Nil when none is left.
	Buffer(large bool) *packet.Packet
	// Hop returns the number of a next-hop and takes a reference on it.
	Hop(ifc uint16, addr [16]byte, family uint8) (hop uint16, ok bool)
	// Release gives back one reference of Hop.
	Release(hop uint16)
}

// Alarms hears of what an operator must know; the router turns it into alarms.
type Alarms interface {
	// PathSuspected: a peer on this path did not answer a handshake.
	PathSuspected(id policy.PathID)
}

// Watcher probes paths. Nil in a Config: nobody does, and what ICMP says is
// believed for a while.
type Watcher interface {
	// TooBig: an ICMP error about a packet on this path says what fits, in bytes
	// of IP packet. It must not wait.
	TooBig(id policy.PathID, fits int)
	// Vanishing: big packets of sessions leave on this path, and nothing comes
	// back. It must not wait.
	Vanishing(id policy.PathID)
	// NoData: sessions on this path send, hear nothing, and their health checks
	// have no answer, though what had arrived before seen was looked at. It must not
	// wait.
	NoData(id policy.PathID, asked, seen int64) // asked: when the last of them left
	// Forgotten: the peer does not know a session where it meets it on this path.
	// It must not wait.
	Forgotten(id policy.PathID)
	// Carried: sessions sent on this path. It must not wait.
	Carried(id policy.PathID)
}

// Config is all an Engine is made from.
type Config struct {
	Tables *policy.Tables
	// Sessions is how many sessions the engine holds at most.
	Sessions int
	Table    *pool.Table
	Wayports *pool.Wayports
	// Kept tells whether a live pair was kept for a session of an earlier process,
	// and gives it to that session; nil: none is kept.
	Kept func(pathway, local, peer uint16) bool
	NAT  *pool.NAT
	// Pathway maps a PathID to its wayport pathway.
	Pathway []uint16
	// Recv, Send, Payload are the security policies: by network-interface (what
	// received metadata is protected with), by path (what we send) and by
	// security element as Service.Security counts them. Nil entries: none.
	Recv, Send, Payload []*secure.Policy
	Paths               path.Monitor
	// Board judges the quality of paths by policy's SLA; nil: all are good.
	Board  *steer.Board
	Random *secure.Random
	IV     *secure.IVSource
	Out    Output
	// Later seals what can be sealed behind the engine's back; nil: the engine
	// does all itself.
	Later   Later
	Alarms  Alarms
	Watcher Watcher
	// Requests asks peers behind a NAT to open flows; nil: nobody can be asked.
	Requests Requests
	// ColdStart says that no session table was adopted: for a while TCP packets
	// of unknown flows may belong to sessions that another process had.
	ColdStart bool
	// Fast says that a lane in the kernel forwards directions with
	// pool.FlagFast by itself, and counts in the table.
	Fast bool
	// Seen returns the time up to which all that had arrived on a network-interface
	// has been given to the engine, 0 while a good part of it is lost. Nil: it always
	// has.
	Seen func(ifc uint16) int64
	// Local takes packets for an own address on a VLAN, which the kernel does not
	// hear; it must not keep them. Nil: nobody.
	Local func(p *packet.Packet)
	// Records holds what the engine knows of sessions besides the table: at
	// least RecordMemory(Sessions) bytes, zero or for Adopt. Nil: the heap.
	Records []byte
	// Map gives so many bytes, zero and aligned to a page, that take memory
	// when they are touched; nil, and a nil Map: the heap, whose collector
	// takes what was never touched for live and lets garbage grow by it.
	Map func(size int) []byte
}

// Engine holds every session of one router.
type Engine struct {
	cfg    Config
	tables *policy.Tables
	table  *pool.Table
	out    Output

	now  int64 // monotonic nanoseconds of this batch
	unix int64 // wall clock of this batch, seconds: only for digests
	born int64

	ifs   []iface
	own   map[[17]byte]uint16 // own address and family to network-interface
	paths []peerPath

	recs                                 []record
	freeRec                              uint32   // head of the free list, through record.next
	virginRec                            uint32   // records from here on were never used
	live                                 int      // sessions
	taken, peak                          int      // records in use, and the most ever
	swept                                uint32   // where the next sweep begins
	offers                               []uint32 // sessions that wait for Lend
	withheld                             bool     // they wait for longer
	offered                              int64    // since when
	unanswered                           list     // oldest first
	byUUID                               *pool.HashIndex
	byContext                            *pool.HashIndex
	seed                                 maphash.Seed
	wheel                                *pool.Wheel
	keys                                 keyStore
	moves                                moveTable
	late                                 lateTable
	asked                                requestTable
	held                                 heldTable
	waiting                              waitTable
	recovering                           recoverTable
	enables, challenges                  limiter
	ended                                endedTable
	host                                 *packet.IPReassembler         // IP fragments
	fabric                               *packet.Reassembler[pieceKey] // fabric fragments
	fragID                               uint32
	largest                              uint16 // longest IP fragment of the packet at hand, 0 if none
	marked                               bool   // the packet at hand came with TLV 12
	ahead                                ahead  // the batch at hand
	seals                                seals
	order                                seal.Order  // of the packet at hand
	events                               seal.Events // of Later
	errors, healths                      bucket
	watch                                watchList
	lent                                 [64]uint16 // next-hops that no session holds
	lentNext                             int
	secret                               *secure.Policy // makes challenges
	noGateway                            netip.Addr
	routerName                           []byte
	tenantNames, serviceNames, sendNames [][]byte

	stats Stats
	meta  metaScratch
	// scratch packets of the caller's goroutine, so that nothing escapes
	pieces packet.Fragmenter
}

// none marks an empty record index.
const none = ^uint32(0)

// second is one second of the engine's clock.
const second = int64(1e9)

// New builds an engine. The tables, pools and policies of cfg are its own from
// now on.
func New(cfg Config, now int64) *Engine {
	e := &Engine{
		cfg: cfg, tables: cfg.Tables, table: cfg.Table, out: cfg.Out,
		now: now, born: now,
		recs:    pool.Records[record](cfg.Records, cfg.Sessions),
		freeRec: none, offers: make([]uint32, 0, maxOffers),
		unanswered: list{head: none, tail: none},
		byUUID:     pool.NewHashIndex(cfg.Sessions),
		byContext:  pool.NewHashIndex(cfg.Sessions),
		seed:       maphash.MakeSeed(),
		wheel:      pool.NewWheel(cfg.Sessions, now),
		host:       packet.NewIPReassembler(packet.ReassemblerConfig{}),
		fabric:     packet.NewReassembler[pieceKey](packet.ReassemblerConfig{}),
	}
	for i := range e.lent {
		e.lent[i] = noHop
	}
	e.keys.init(cfg.Sessions, cfg.Payload, cfg.Map)
	e.keys.later = cfg.Later
	e.ended.init(cfg.Sessions)
	e.buildInterfaces()
	e.buildPaths()
	e.enables.init(len(e.paths), enablesPerPath)
	e.challenges.init(len(e.paths), challengesPerPath)
	if cfg.Watcher != nil {
		e.watch.init(len(e.paths))
	}
	e.buildNames()
	e.fragID = uint32(cfg.Random.Uint64())
	e.pieces.ID = uint32(cfg.Random.Uint64())
	return e
}

// Begin sets the clock of a batch: now in monotonic nanoseconds, unix in
// seconds of wall-clock time.
func (e *Engine) Begin(now, unix int64) {
	e.now, e.unix = now, unix
	e.lendLate()
	e.table.Advance(now)
}

// Tick runs what is due: idle sessions, late answers, fragments that never
// became whole. Call it at least every 100 ms.
func (e *Engine) Tick() {
	e.wheel.Advance(e.now, e.onTimer)
	e.sweep()
	e.look()
	e.release()
	e.flushLate()
	e.askAgain()
	e.host.Expire(e.now)
	e.fabric.Expire(e.now)
	e.cfg.Wayports.Advance(e.now)
	e.cfg.NAT.Advance(e.now)
}

// Live returns the number of sessions.
func (e *Engine) Live() int { return e.live }

// buildNames keeps the names that metadata carries as bytes.
func (e *Engine) buildNames() {
	e.routerName = []byte(e.tables.RouterName)
	for i := range e.tables.Tenants {
		e.tenantNames = append(e.tenantNames, []byte(e.tables.Tenants[i].Name))
	}
	for i := range e.tables.Services {
		e.serviceNames = append(e.serviceNames, []byte(e.tables.Services[i].Name))
	}
	for i := range e.paths {
		var name string
		if pol := e.paths[i].send; pol != nil {
			name = pol.Name()
		}
		e.sendNames = append(e.sendNames, []byte(name))
	}
	var key [32]byte
	e.cfg.Random.Fill(key[:])
	// The configuration is fixed and right, so New cannot fail.
	e.secret, _ = secure.New(secure.Config{
		Name: "challenge", Mode: secure.ModeRegular, Digest: secure.DigestSHA256128, HMACKey: key[:],
	})
}
