package watch

import (
	"net/netip"

	"waymark/svr/packet"
	"waymark/svr/path/peer"
)

// talk remembers which peers' session packets came lately: one look at the
// session table serves all paths that ask at about the same time.
type talk struct {
	at   int64
	from int64 // who came before that was not noted
	seen map[talker]int64
}

type talker struct {
	ifc  uint16
	addr netip.Addr
}

// talkFor is how long a look at the table is good, in ns.
const talkFor = int64(50e6)

// Talking implements peer.Output; mu is held. The table is read without the
// lane's help, whatever the lane does meanwhile.
func (w *Watcher) Talking(p *peer.Path, since int64) bool {
	best, ok := p.Remote()
	if !ok {
		return false
	}
	if now := w.clock(); w.talk.seen == nil || now-w.talk.at > talkFor || since < w.talk.from {
		w.look(now, since)
	}
	ifc := uint16(w.tables.Paths[p.ID()].If)
	return w.talk.seen[talker{ifc, best.Addr()}] >= since
}

// look notes who sent session packets since a time.
func (w *Watcher) look(now, since int64) {
	w.talk.at, w.talk.from, w.talk.seen = now, since, map[talker]int64{}
	w.table.ForEach(func(slot uint32) bool {
		_, _, last, _ := w.table.Counters(slot)
		if last < since {
			return true
		}
		if k, _, ok := w.table.Read(slot); ok {
			t := talker{k.If, packet.ToAddr(k.Src, k.Family)}
			w.talk.seen[t] = max(w.talk.seen[t], last)
		}
		return true
	})
}

// Behind implements peer.Output.
func (w *Watcher) Behind(p *peer.Path, now int64) bool {
	return w.behind != nil && w.behind(uint16(w.tables.Paths[p.ID()].If), now)
}

// Shedding implements peer.Output.
func (w *Watcher) Shedding(p *peer.Path, now int64) { w.carrier.SetShedding(p.ID(), now) }
