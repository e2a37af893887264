package watch

import (
	"waymark/svr/path/peer"
	"waymark/svr/policy"
)

// Source ports for questions about the lifetime of a NAT's bindings, below the
// wayports and out of the way of what the kernel chooses for others at random:
// each is used again as late as possible, when answers of before are over.
const (
	scratchFirst = 16352
	scratchPorts = 24
	scratchLimit = 2048 // bytes of a datagram
)

// scratchKey names a port as a path does.
type scratchKey struct {
	ifc uint16
	n   uint8
}

// scratches are the ports in use; the Watcher's mu guards them.
type scratches struct {
	open   map[scratchKey]*socket
	tagged map[scratchKey]uint16 // those on a VLAN, where the lane sends: no sockets
	next   uint16
}

func newScratches() scratches {
	return scratches{open: map[scratchKey]*socket{}, tagged: map[scratchKey]uint16{}}
}

// tag returns the port of a question on a VLAN; false: it is closed, or there is
// none left. mu is held.
func (c *scratches) tag(s *peer.Sending) (port uint16, ok bool) {
	k := scratchKey{s.If, s.Scratch}
	if len(s.Data) == 0 {
		delete(c.tagged, k)
		return 0, false
	}
	if port, ok = c.tagged[k]; ok {
		return port, true
	}
	for range scratchPorts {
		port = scratchFirst + c.next%scratchPorts
		c.next++
		if _, taken := c.find(s.If, port); !taken {
			c.tagged[k] = port
			return port, true
		}
	}
	return 0, false
}

// find returns the number of a port on a VLAN, as paths know it. mu is held.
func (c *scratches) find(ifc, port uint16) (n uint8, ok bool) {
	for k, p := range c.tagged {
		if k.ifc == ifc && p == port {
			return k.n, true
		}
	}
	return 0, false
}

// sendScratch sends by a port of its own, which it opens first, or closes it;
// mu is held. Questions that cannot be sent are lost, as on any wire.
func (w *Watcher) sendScratch(index uint32, s *peer.Sending) {
	k := scratchKey{s.If, s.Scratch}
	sock := w.scratch.open[k]
	if len(s.Data) == 0 {
		if sock != nil {
			sock.Close()
			delete(w.scratch.open, k)
		}
		return
	}
	if sock == nil {
		if sock = w.openScratch(!s.To.Addr().Is4()); sock == nil {
			return
		}
		sock.scratch = s.Scratch
		w.scratch.open[k] = sock
		go w.listen(sock, nil) // ends when it is closed
	}
	sock.send(index, s)
	sock.Flush()
}

// openScratch opens the next port that is free.
func (w *Watcher) openScratch(v6 bool) *socket {
	for range scratchPorts {
		port := scratchFirst + w.scratch.next%scratchPorts
		w.scratch.next++
		sock, err := openSocket(port, v6, 1, scratchLimit)
		if err == nil {
			return sock
		}
		w.log.Debug("cannot open port", "port", port, "error", err)
	}
	return nil
}

// closeScratch closes all of them.
func (w *Watcher) closeScratch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k, sock := range w.scratch.open {
		sock.Close()
		delete(w.scratch.open, k)
	}
}

// Ports are those of the kernel that BFD uses on an interface with paths that are
// Watched: where peers may speak first, or after a silence that is longer than a
// filter remembers; and the answers to questions about NATs, which come late by
// design. All of them are authenticated.
func Ports(f *policy.Interface) []uint16 {
	list := []uint16{Port}
	for n := uint16(0); n < scratchPorts && f.Metered; n++ {
		list = append(list, scratchFirst+n)
	}
	return list
}
