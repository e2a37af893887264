package router

import (
	"crypto/rand"
	"fmt"

	"waymark/svr/packet"
	"waymark/svr/path"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/secure"
	"waymark/svr/session"
)

// Parts are what an engine is assembled from, for those who look inside.
type Parts struct {
	Engine   *session.Engine
	Table    *pool.Table
	Wayports *pool.Wayports
	NAT      *pool.NAT
	Pathway  []uint16 // PathID to wayport pathway
	Carrier  *path.Carrier
}

// Options are the choices of an engine that neither tables nor profile make.
type Options struct {
	Out       session.Output
	Alarms    session.Alarms
	Local     func(p *packet.Packet) // session.Config
	ColdStart bool
	BFD       bool  // paths are not up before BFD says so
	Now       int64 // monotonic nanoseconds, never 0
	// Table is the session table; nil: one made in Memory.
	Table *pool.Table
	// Fast and Records are the engine's (session.Config).
	Fast    bool
	Records []byte
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
		Paths: p.Carrier, Random: secure.NewRandom(seed32()), IV: secure.NewIVSource(seed32()),
		Out: opt.Out, Alarms: opt.Alarms, ColdStart: opt.ColdStart, Local: opt.Local, Fast: opt.Fast, Records: opt.Records,
	}, opt.Now)
	return p, nil
}

// addPathways gives every path its wayports: ours from the default range even
// at a router with a port-range, the peer's from its own (protocol.md 7).
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

func carrierSetup(t *policy.Tables, bfd bool) []path.Setup {
	setup := make([]path.Setup, len(t.Paths))
	for i := range t.Paths {
		p := &t.Paths[i]
		setup[i] = path.Setup{ID: uint16(p.ID), If: uint16(p.If), Local: p.Local, Remote: p.Remote,
			Disabled: !t.Interfaces[p.If].Enabled, Watched: bfd && watched(t, p)}
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
		pol, err := secure.New(secureConfig(&t.Security[i]))
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

// secureConfig translates one security element.
func secureConfig(s *policy.SecurityPolicy) secure.Config {
	ciphers := map[string]secure.Cipher{
		"aes-cbc-128": secure.CBC128, "aes-cbc-256": secure.CBC256,
		"aes-gcm-128": secure.GCM128, "aes-gcm-256": secure.GCM256,
	}
	modes := map[string]secure.Mode{
		"disabled": secure.ModeDisabled, "regular": secure.ModeRegular, "time-based": secure.ModeTimeBased,
	}
	digests := map[string]secure.Digest{
		"sha1": secure.DigestSHA1, "sha256": secure.DigestSHA256, "sha256-128": secure.DigestSHA256128,
	}
	return secure.Config{
		Name: s.Name, Encrypt: s.Encrypt, Cipher: ciphers[string(s.Cipher)], Key: s.Key,
		Mode: modes[string(s.HMACMode)], Digest: digests[string(s.HMACCipher)], HMACKey: s.HMACKey,
	}
}

// seed16 and seed32 are fresh secrets from the kernel; crypto/rand never fails.
func seed16() (b [16]byte) { rand.Read(b[:]); return b }
func seed32() (b [32]byte) { rand.Read(b[:]); return b }
