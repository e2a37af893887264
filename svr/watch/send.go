package watch

import (
	"waymark/net/dgram"
	"waymark/svr/path/peer"
)

// release ends what is done with mu held: what the paths had to say leaves together.
func (w *Watcher) release() {
	for _, s := range w.socks {
		s.Flush()
	}
	w.mu.Unlock()
}

// Transmit implements peer.Output; mu is held. It never waits: what the kernel
// cannot take at the release is lost, as on any wire.
func (w *Watcher) Transmit(s *peer.Sending) {
	f := &w.tables.Interfaces[s.If]
	if f.VLAN != 0 {
		if s.Scratch != 0 {
			port, ok := w.scratch.tag(s)
			if !ok {
				return
			}
			s.Port = port
		}
		w.sendTagged(s)
		return
	}
	index, ok := w.indexOf(s.If)
	if s.Scratch != 0 {
		if ok || len(s.Data) == 0 {
			w.sendScratch(index, s)
		}
		return
	}
	if sock := w.socks.find(s.Port, !s.To.Addr().Is4()); ok && sock != nil {
		sock.send(index, s)
	}
}

// send has a datagram leave from the address and by the interface it names.
func (s *socket) send(index uint32, p *peer.Sending) {
	s.Send(&dgram.Out{Data: p.Data, From: p.Local, Index: index, To: p.To, Hops: p.Hops, DSCP: p.DSCP, Whole: p.Whole})
}

// indexOf returns the kernel's index of a network-interface.
func (w *Watcher) indexOf(ifc uint16) (uint32, bool) {
	index := w.devices[ifc]
	id, ok := w.indexes[index]
	return index, ok && id == ifc
}
