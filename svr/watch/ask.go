package watch

import (
	"context"
	"net/netip"
	"slices"

	"waymark/svr/path"
	"waymark/svr/path/peer"
	"waymark/svr/policy"
	"waymark/svr/wire"
)

// asking is a session request on its way from the engine to a path.
type asking struct {
	path policy.PathID
	n    int
	data [wire.MaxRequest]byte
}

// askQueue is how many session requests wait each way; what finds it full is
// asked again.
const askQueue = 256

// Ask implements session.Requests on the lane's goroutine; it never waits.
func (w *Watcher) Ask(id policy.PathID, request []byte) {
	q := asking{path: id}
	q.n = copy(q.data[:], request)
	select {
	case w.asks <- q:
	default:
	}
}

// serveAsks sends session requests until ctx ends.
func (w *Watcher) serveAsks(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-w.asks:
			w.mu.Lock()
			w.set.Request(uint16(q.path), q.data[:q.n], w.clock())
			w.arm()
			w.release()
		}
	}
}

// Request is a session request of a peer.
type Request struct {
	Path policy.PathID
	Data []byte
}

// Findings are what BFD found out for the engine since it was last told.
type Findings struct {
	News     []path.Change
	Moved    map[uint16]netip.Addr // where peers are
	Seen     map[uint16]netip.Addr // where peers behind a NAT are
	Renew    map[uint16]bool       // paths on which the peer sees us elsewhere than before
	Requests []Request
}

func newFindings() Findings {
	return Findings{Moved: map[uint16]netip.Addr{}, Seen: map[uint16]netip.Addr{}, Renew: map[uint16]bool{}}
}

// Quiet says whether there is nothing for the engine besides News.
func (f *Findings) Quiet() bool {
	return len(f.Moved)+len(f.Seen)+len(f.Renew)+len(f.Requests) == 0
}

// Requested implements peer.Output; mu is held.
func (w *Watcher) Requested(p *peer.Path, request []byte) {
	if len(w.found.Requests) < askQueue {
		w.found.Requests = append(w.found.Requests, Request{policy.PathID(p.ID()), slices.Clone(request)})
		w.poke()
	}
}

// place is where a path's ends see each other.
type place struct {
	remote  netip.AddrPort // peers behind a NAT
	changes uint32         // of our own place, as the peer sees it
}

// locate notes where both ends of a path are; mu is held.
func (w *Watcher) locate(p *peer.Path, best netip.AddrPort) {
	id, t := p.ID(), &w.tables.Paths[p.ID()]
	at := w.places[id]
	switch {
	case t.PeerOutbound && best.IsValid() && at.remote != best:
		at.remote = best
		w.found.Seen[id] = best.Addr()
	case !t.PeerOutbound && best.Port() == Port:
		w.found.Moved[id] = best.Addr()
	}
	if n := p.NATChanges(); n != at.changes {
		at.changes = n
		w.found.Renew[id] = true
	}
	w.places[id] = at
}
