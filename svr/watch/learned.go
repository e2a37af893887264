package watch

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"waymark/net/keep"
	"waymark/svr/path/natlife"
	"waymark/svr/path/peer"
	"waymark/svr/policy"
)

// learned keeps what paths have learned in two files: lifetimes of NATs by
// interface and network, and where peers behind NATs are. The
// Watcher's mu guards it, but for the files.
type learned struct {
	log       *slog.Logger
	lifetimes keep.File
	ends      keep.File
	known     map[string]natlife.Known  // by interface and network
	last      map[string]netip.AddrPort // by path
	learners  map[policy.IfID]*natlife.Learner
	networks  map[policy.IfID]string // that the interface is on, as a key of known
	clock     func() int64
	tables    *policy.Tables
}

func openLearned(c *Config) *learned {
	s := &learned{log: c.Log, clock: c.Clock, tables: c.Tables,
		lifetimes: keep.File{Path: c.Lifetimes}, ends: keep.File{Path: c.Endpoints},
		known: map[string]natlife.Known{}, last: map[string]netip.AddrPort{},
		learners: map[policy.IfID]*natlife.Learner{}, networks: map[policy.IfID]string{}}
	for _, err := range []error{s.lifetimes.Load(&s.known), s.ends.Load(&s.last)} {
		if err != nil { // it will be learned again
			s.log.Warn("begin without what paths had learned", "error", err)
		}
	}
	return s
}

// learner returns that of a metered interface.
func (s *learned) learner(id policy.IfID) *natlife.Learner {
	l := s.learners[id]
	if l == nil {
		l = natlife.New(natlife.Known{}, time.Now().Unix(), s.clock())
		s.learners[id] = l
	}
	return l
}

// network tells the address that an interface has on the network it is on now.
// What is known of another network is of no use there.
func (s *learned) network(id policy.IfID, local netip.Addr, state *Link) {
	l := s.learners[id]
	if l == nil || !local.IsValid() {
		return
	}
	key := s.tables.Interfaces[id].Name + " " + networkOf(local, state)
	if key == s.networks[id] {
		return
	}
	s.networks[id] = key
	l.Renew(s.known[key], time.Now().Unix(), s.clock())
}

// Lifetime is for how long NATs on an interface's network remember a binding, 0
// while that is not known.
func (w *Watcher) Lifetime(ifc string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, l := range w.learned.learners {
		if w.tables.Interfaces[id].Name == ifc {
			return time.Duration(l.Known().Best)
		}
	}
	return 0
}

// networkOf names the network of an address: its subnet; where the provider
// gives single addresses or pairs, the /16 or /48 around it.
func networkOf(local netip.Addr, state *Link) string {
	wide := 16
	if local.Is6() {
		wide = 48
	}
	for _, a := range state.Addrs {
		if p := a.Prefix; p.Addr().Unmap() == local && p.Bits() < local.BitLen()-2 {
			return p.Masked().String()
		}
	}
	return netip.PrefixFrom(local, wide).Masked().String()
}

// metered completes the configuration of a path.
func (w *Watcher) metered(c peer.PathConfig) peer.PathConfig {
	f := &w.tables.Interfaces[c.If]
	if c.Metered {
		c.NAT = w.learned.learner(f.ID)
	}
	if w.tables.Paths[c.ID].PeerOutbound {
		c.Last = w.learned.last[w.pathKey(c.ID)]
	}
	return c
}

func (w *Watcher) pathKey(id uint16) string {
	p := &w.tables.Paths[id]
	return w.tables.Peers[p.Peer].Name + " " + p.Name
}

// maxNetworks bounds how many networks are remembered.
const maxNetworks = 64

// forget drops the oldest network beyond that.
func (s *learned) forget() {
	for len(s.known) > maxNetworks {
		oldest := ""
		for key, k := range s.known {
			if oldest == "" || k.At < s.known[oldest].At {
				oldest = key
			}
		}
		delete(s.known, oldest)
	}
}

// KeepLearned writes what has been learned since the last call.
func (w *Watcher) KeepLearned() {
	lifetimes, ends, err := w.contents()
	if err == nil {
		err = errors.Join(w.learned.lifetimes.Save(lifetimes), w.learned.ends.Save(ends))
	}
	if err != nil {
		w.log.Warn("cannot keep what paths learned", "error", err)
	}
}

// contents returns those of both files.
func (w *Watcher) contents() (lifetimes, ends []byte, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.learned
	for id, l := range s.learners {
		if k := l.Known(); k.Best > 0 && s.networks[id] != "" {
			s.known[s.networks[id]] = k
		}
	}
	s.forget()
	for i := range w.tables.Paths {
		p := w.set.Path(uint16(i))
		if p == nil || !w.tables.Paths[i].PeerOutbound {
			continue
		}
		if best, ok := p.Remote(); ok {
			s.last[w.pathKey(uint16(i))] = best
		}
	}
	lifetimes, err1 := json.MarshalIndent(s.known, "", "  ")
	ends, err2 := json.MarshalIndent(s.last, "", "  ")
	return append(lifetimes, '\n'), append(ends, '\n'), errors.Join(err1, err2)
}
