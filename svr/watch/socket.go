package watch

import (
	"errors"
	"net/netip"
	"syscall"
	"time"

	"waymark/net/dgram"
	"waymark/svr/path/peer"
	"waymark/svr/wire"
)

// Port is the one that routers exchange BFD on.
const Port = wire.BFDPort

const (
	socketBuffer = 1 << 20 // bytes that the kernel keeps of BFD that nobody read yet
	socketBatch  = 16      // datagrams that are read, or sent, by one call
)

// socket is one UDP socket of BFD: a port of one family, on every address.
type socket struct {
	*dgram.Socket
	port uint16
	v6   bool
	// scratch is the number of a port for questions about NATs, 0: it is none.
	scratch uint8
	rest    rest
}

// sockets are those of a router.
type sockets []*socket

func (list sockets) close() {
	for _, s := range list {
		s.Close()
	}
}

// find returns the socket that a datagram leaves by, nil without one.
func (list sockets) find(port uint16, v6 bool) *socket {
	for _, s := range list {
		if s.port == port && s.v6 == v6 {
			return s
		}
	}
	return nil
}

// Open opens the sockets that the configuration needs, both families.
func (w *Watcher) Open() error {
	for _, port := range w.ports() {
		for _, v6 := range []bool{false, true} {
			s, err := openSocket(port, v6, socketBatch, peer.MaxDatagram)
			if v6 && errors.Is(err, syscall.EAFNOSUPPORT) {
				continue // a kernel without IPv6
			}
			if err != nil {
				w.socks.close()
				return err
			}
			w.socks = append(w.socks, s)
		}
	}
	return nil
}

// ports are those that the configuration needs: ours always, the standard ones
// with a neighbour there, and one to send from.
func (w *Watcher) ports() []uint16 {
	list, standard := []uint16{Port}, map[uint16]bool{}
	for _, n := range w.set.Neighbors() {
		if p := n.Config().Port; p != Port {
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

func openSocket(port uint16, v6 bool, batch, longest int) (*socket, error) {
	s, err := dgram.Open(dgram.Config{Port: port, V6: v6, Buffer: socketBuffer, Batch: batch, Longest: longest})
	if err != nil {
		return nil, err
	}
	return &socket{Socket: s, port: port, v6: v6, rest: rest{back: make(chan struct{}, 1)}}, nil
}

// listen hands what arrives to the watcher until the socket is closed.
func (w *Watcher) listen(s *socket, done <-chan struct{}) {
	for {
		n, err := s.Wait()
		if err != nil {
			return
		}
		w.mu.Lock()
		now := w.clock()
		w.take(s, n, now)
		w.arm()
		rests := s.tires(now) && w.begin(s)
		w.release()
		if !rests {
			continue
		}
		select {
		case <-s.rest.back:
		case <-done:
			return
		}
	}
}

// take hands a batch of a socket to the paths; mu is held.
func (w *Watcher) take(s *socket, n int, now int64) {
	var in dgram.In
	wall := time.Now().UnixMilli()
	for i := range n {
		if !s.Datagram(i, &in) {
			continue
		}
		ifc, ok := w.indexes[in.Index]
		if !ok {
			continue
		}
		d := peer.Datagram{If: ifc, To: netip.AddrPortFrom(in.To, s.port), From: in.From, Hops: in.Hops, Data: in.Data,
			Wall: wall, Scratch: s.scratch, At: dated(in.Age, s.rest.looked, now)}
		w.set.Receive(&d, now)
	}
	if n < s.Batch() {
		s.rest.looked = now
	}
}

// dated is when a datagram of some age arrived. The wall clock, by which its age is known,
// may have been set: it came after the last look that left nothing.
func dated(age, looked, now int64) int64 { return max(now-age, min(looked, now)) }
