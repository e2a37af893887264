package router

import (
	"fmt"

	"waymark/svr/pool"
)

// Profile sizes every pool of a router. All of them are made at boot.
type Profile struct {
	Name     string
	Sessions int // session records
	Slots    int // 64-byte slots of the session table: one per IPv4 direction, two per IPv6
	Wayports int // wayport pairs in use and resting, all pathways together
	Mappings int // source-NAT mappings
	Hops     int // next-hops
	Ring     int // receive ring of a device, bytes
	Queue    int // kernel's receive queue for super-packets of a device, bytes
	Memory   int // budget for all of it, bytes, as usedMemory counts
}

// Profiles by name: cpe holds 65,536 IPv4 sessions or 32,768 IPv6
// ones, hub a million, tiny fits boxes of 64 MB.
var profiles = []Profile{
	{Name: "cpe", Sessions: 65536, Slots: 131072, Wayports: 73728, Mappings: 16384, Hops: 4096,
		Ring: 1 << 20, Queue: 4 << 20, Memory: 40e6},
	{Name: "hub", Sessions: 1 << 20, Slots: 1 << 21, Wayports: 9 << 17, Mappings: 65536, Hops: 32768,
		Ring: 4 << 20, Queue: 16 << 20, Memory: 416e6},
	{Name: "tiny", Sessions: 8192, Slots: 16384, Wayports: 16384, Mappings: 4096, Hops: 512,
		Ring: 256 << 10, Queue: 1 << 20, Memory: 24e6},
}

// FindProfile returns the profile of that name.
func FindProfile(name string) (Profile, error) {
	for _, p := range profiles {
		if p.Name == name {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("find profile %q: allowed are cpe, hub, tiny", name)
}

// table is the configuration of the session table.
func (p *Profile) table(seed [16]byte) pool.TableConfig {
	return pool.TableConfig{Slots: p.Slots, Seed: seed}
}
