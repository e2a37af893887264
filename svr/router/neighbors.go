package router

import (
	"waymark/mgmt/config"
	"waymark/svr/path/bfd"
	"waymark/svr/path/peer"
	"waymark/svr/policy"
	"waymark/svr/wire"
)

// bfdAuthTypes translates the configuration's words.
var bfdAuthTypes = map[config.BFDAuth]uint8{
	config.BFDAuthNone: wire.BFDAuthNone, config.BFDAuthKeyed: wire.BFDAuthKeyedSHA1,
	config.BFDAuthMeticulous: wire.BFDAuthMeticulousSHA1,
}

// bfdNeighbors are the standard BFD neighbours of the configuration.
func bfdNeighbors(t *policy.Tables) (list []peer.NeighborConfig) {
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		if !f.Enabled {
			continue
		}
		for _, c := range f.Config.BFDNeighbors {
			list = append(list, peer.NeighborConfig{
				If: uint16(i), Interface: f.Name, Remote: c.Address, Port: c.Port,
				BFD: bfd.Config{DesiredTx: bfd.Micros(c.DesiredTx), RequiredRx: bfd.Micros(c.RequiredMinRx),
					Multiplier: uint8(c.Multiplier), Passive: c.Passive, Demand: c.Demand,
					Auth: bfd.NewAuth(bfdAuthTypes[c.Authentication], c.KeyID, []byte(c.Password))},
			})
		}
	}
	return list
}
