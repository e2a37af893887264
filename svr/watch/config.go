package watch

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"waymark/svr/path/bfd"
	"waymark/svr/path/peer"
	"waymark/svr/policy"
	"waymark/svr/secure"
)

// Watched says whether BFD decides about a path.
func Watched(t *policy.Tables, p *policy.Path) bool {
	return p.Adjacency.BFD.Enabled && t.Interfaces[p.If].Enabled
}

// makeKeys derives the keys of every inter-router policy, by SecurityID.
func makeKeys(t *policy.Tables) (map[policy.SecurityID]*peer.Keys, error) {
	keys := map[policy.SecurityID]*peer.Keys{}
	add := func(id policy.SecurityID) error {
		if id == policy.NoSecurity || keys[id] != nil {
			return nil
		}
		pol, err := secure.New(t.Security[id].Secure())
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
		BFD: bfd.Config{Local: discriminator(used), DesiredTx: bfd.Micros(b.DesiredTx), RequiredRx: bfd.Micros(b.RequiredMinRx),
			Multiplier: uint8(b.Multiplier), Repeats: 2, Seed: binary.NativeEndian.Uint64(random(8))},
	}
	c.Metered = t.Interfaces[p.If].Metered
	if !p.PeerOutbound { // the end that can be reached does not test: path choice is made at the other one
		c.Test = peer.TestConfig{Length: b.LinkTestLength, Interval: int64(b.LinkTestInterval)}
	}
	c.MTU.Thrifty = c.Metered || p.PeerOutbound
	if p.MTUDiscovery {
		c.MTU.Interval = int64(p.Adjacency.PathMTU.Interval)
	}
	if c.Metered { // where bytes cost money nobody tests for its own sake
		c.Test.OnDemand, c.Test.Wanted = true, t.Compares()
		c.Test.Interval = max(c.Test.Interval, int64(time.Hour))
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
