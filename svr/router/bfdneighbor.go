package router

import (
	"encoding/binary"

	"waymark/mgmt/config"
	"waymark/svr/path/bfd"
	"waymark/svr/path/peer"
	"waymark/svr/wire"
)

// bfdAuthTypes translates the configuration's words.
var bfdAuthTypes = map[config.BFDAuth]uint8{
	config.BFDAuthNone: wire.BFDAuthNone, config.BFDAuthKeyed: wire.BFDAuthKeyedSHA1,
	config.BFDAuthMeticulous: wire.BFDAuthMeticulousSHA1,
}

// addNeighbors makes the standard BFD neighbours of the configuration.
func (w *watcher) addNeighbors(used map[uint32]bool) {
	for i := range w.tables.Interfaces {
		f := &w.tables.Interfaces[i]
		if !f.Enabled {
			continue
		}
		for _, c := range f.Config.BFDNeighbors {
			w.set.AddNeighbor(peer.NeighborConfig{
				If: uint16(i), Interface: f.Name, Remote: c.Address, Port: c.Port,
				BFD: bfd.Config{Local: discriminator(used), DesiredTx: micros(c.DesiredTx), RequiredRx: micros(c.RequiredMinRx),
					Multiplier: uint8(c.Multiplier), Passive: c.Passive, Demand: c.Demand,
					Auth: bfd.NewAuth(bfdAuthTypes[c.Authentication], c.KeyID, []byte(c.Password)),
					Seed: binary.NativeEndian.Uint64(random(8))},
			}, w.clock())
		}
	}
}

// ports are those that the configuration needs: ours always, the standard ones
// with a neighbour there, and one to send from.
func (w *watcher) ports() []uint16 {
	list, standard := []uint16{bfdPort}, map[uint16]bool{}
	for _, n := range w.set.Neighbors() {
		if p := n.Config().Port; p != bfdPort {
			standard[p] = true
		}
	}
	for p := range standard {
		list = append(list, p)
	}
	if len(standard) > 0 {
		list = append(list, peer.SourcePort)
	}
	return list
}
