package router

import (
	"crypto/rand"
	"fmt"

	"waymark/svr/packet"
	"waymark/svr/path"
	"waymark/svr/path/steer"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/secure"
	"waymark/svr/session"
	"waymark/svr/watch"
)

// Parts are what an engine is assembled from, for those who look inside.
type Parts struct {
	Engine   *session.Engine
	Table    *pool.Table
	Wayports *pool.Wayports
	NAT      *pool.NAT
	Pathway  []uint16 // PathID to wayport pathway
	Carrier  *path.Carrier
	Board    *steer.Board
}

// Options are the choices of an engine that neither tables nor profile make.
type Options struct {
	Out       session.Output
	Later     session.Later // session.Config
	Alarms    session.Alarms
	Watcher   session.Watcher
	Requests  session.Requests
	Local     func(p *packet.Packet) // session.Config
	Seen      func(ifc uint16) int64 // session.Config
	ColdStart bool
	BFD       bool  // paths are not up before BFD says so
	Now       int64 // monotonic nanoseconds, never 0
	// Table is the session table; nil: one made in Memory.
	Table *pool.Table
	// Kept is the engine's (session.Config).
	Kept func(pathway, local, peer uint16) bool
	// Fast and Records are the engine's (session.Config).
	Fast    bool
	Records []byte
	Map     func(size int) []byte // session.Config
	// Memory holds the session table: zeroed, pool.MemorySize of the profile's
	// slots long. Nil: the heap.
	Memory []byte
}

// Assemble makes the pools, keys and the engine of one router.
func Assemble(t *policy.Tables, prof Profile, opt Options) (*Parts, error) {
	table, err := opt.Table, error(nil)
	if table == nil {
		if table, err = pool.NewTable(opt.Memory, prof.table(seed16())); err != nil {
			return nil, fmt.Errorf("make session table: %w", err)
		}
	}
	p := &Parts{
		Table:    table,
		Wayports: pool.NewWayports(prof.Wayports, seed16()),
		NAT:      pool.NewNAT(pool.NATConfig{Mappings: prof.Mappings, Seed: seed32()}),
		Carrier:  path.NewCarrier(carrierSetup(t, opt.BFD)),
		Board:    steer.NewBoard(limits(t), len(t.Paths)),
	}
	if p.Pathway, err = addPathways(t, p.Wayports); err != nil {
		return nil, err
	}
	keys, err := makeKeys(t)
	if err != nil {
		return nil, err
	}
	p.Engine = session.New(session.Config{
		Tables: t, Sessions: prof.Sessions, Table: table, Wayports: p.Wayports, NAT: p.NAT,
		Pathway: p.Pathway, Recv: keys.recv, Send: keys.send, Payload: keys.payload,
		Paths: p.Carrier, Board: p.Board, Random: secure.NewRandom(seed32()), IV: secure.NewIVSource(seed32()),
		Out: opt.Out, Later: opt.Later, Alarms: opt.Alarms, Watcher: opt.Watcher, Requests: opt.Requests, ColdStart: opt.ColdStart,
		Local: opt.Local, Seen: opt.Seen, Kept: opt.Kept, Fast: opt.Fast, Records: opt.Records, Map: opt.Map,
	}, opt.Now)
	return p, nil
}

// addPathways gives every path its wayports: ours from the default range even
// at a router with a port-range, the peer's from its own (docs/wire.md 8).
func addPathways(t *policy.Tables, w *pool.Wayports) ([]uint16, error) {
	ids := make([]uint16, len(t.Paths))
	for i := range t.Paths {
		p := &t.Paths[i]
		cfg := pool.PathwayConfig{Max: p.MaxWayPoints}
		for _, r := range p.PeerPorts {
			cfg.Peer = append(cfg.Peer, pool.Range{First: r.First, Last: r.Last})
		}
		id, err := w.Add(cfg)
		if err != nil {
			return nil, fmt.Errorf("add wayports of path %s: %w", p.Name, err)
		}
		ids[i] = id
	}
	return ids, nil
}

// limits are what the SLAs ask of paths.
func limits(t *policy.Tables) []steer.Limits {
	list := make([]steer.Limits, len(t.SLAs))
	for i, p := range t.SLAs {
		list[i] = steer.Limits{MaxLoss: p.MaxLoss, MaxLatency: p.MaxLatency, MaxJitter: p.MaxJitter, MinMOS: p.MinMOS}
	}
	return list
}

func carrierSetup(t *policy.Tables, bfd bool) []path.Setup {
	setup := make([]path.Setup, len(t.Paths))
	for i := range t.Paths {
		p := &t.Paths[i]
		setup[i] = path.Setup{ID: uint16(p.ID), If: uint16(p.If), Local: p.Local, Remote: p.Remote,
			Disabled: !t.Interfaces[p.If].Enabled, Watched: bfd && watch.Watched(t, p)}
	}
	return setup
}

// keys are the security policies as the engine indexes them.
type keys struct{ recv, send, payload []*secure.Policy }

func makeKeys(t *policy.Tables) (keys, error) {
	k := keys{
		recv:    make([]*secure.Policy, len(t.Interfaces)),
		send:    make([]*secure.Policy, len(t.Paths)),
		payload: make([]*secure.Policy, len(t.Security)),
	}
	for i := range t.Security {
		pol, err := secure.New(t.Security[i].Secure())
		if err != nil {
			return k, fmt.Errorf("make security policy %s: %w", t.Security[i].Name, err)
		}
		k.payload[i] = pol
	}
	for i := range t.Interfaces {
		if id := t.Interfaces[i].RecvPolicy; id != policy.NoSecurity {
			k.recv[i] = k.payload[id]
		}
	}
	for i := range t.Paths {
		id := t.Paths[i].SendPolicy
		if id == policy.NoSecurity {
			return k, fmt.Errorf("make keys of path %s: no inter-router-security", t.Paths[i].Name)
		}
		k.send[i] = k.payload[id]
	}
	return k, nil
}

// seed16 and seed32 are fresh secrets from the kernel; crypto/rand never fails.
func seed16() (b [16]byte) { rand.Read(b[:]); return b }
func seed32() (b [32]byte) { rand.Read(b[:]); return b }
