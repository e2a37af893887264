package lane

import "sync/atomic"

// A lane that has more to do than it can loses packets where they wait for it, and
// handles others late. Whoever misses an answer has to know that: it may be among
// them.

const (
	// weighEvery is how often what was lost is held against what was handled.
	weighEvery = int64(100e6)
	// notable: a loss of one packet in so many, in such a time, is of note. What is sent
	// several times within a second arrives where less is lost.
	notable = 16
	// lossyFor is how long a loss of note counts.
	lossyFor = int64(2e9)
	// lateness is when what waits waits for too long.
	lateness = int64(100e6)
	// feedQueue is how many packets may wait for a feed.
	feedQueue = 1000
)

// intake is how far the lane is with what a port brings, or the feeds. The loop's, but
// for what it tells.
type intake struct {
	drained int64 // all that had arrived by then was handled
	lossy   int64 // when a loss was of note last, 0: never
	told    struct{ drained, lossy atomic.Int64 }

	lost, handled uint64 // when it was weighed last
	row           int    // packets of a feed in a row without a moment when none waited
}

// empty: nothing waits.
func (n *intake) empty(now int64) {
	n.row, n.drained = 0, now
	if now-n.told.drained.Load() >= lateness/16 {
		n.told.drained.Store(now)
	}
}

// takes notes packets of a feed, which does not say all that was lost before them: a
// queue that was full brings so many in a row.
func (n *intake) takes(packets int, now int64) {
	if packets == 0 {
		n.empty(now)
	} else if n.row += packets; n.row >= feedQueue {
		n.loses(now)
	}
}

// weigh takes how many packets were lost and handled so far.
func (n *intake) weigh(lost, handled uint64, now int64) {
	if l := lost - n.lost; l > 0 && l*notable >= handled-n.handled {
		n.loses(now)
	}
	n.lost, n.handled = lost, handled
}

func (n *intake) loses(now int64) {
	n.lossy = now
	n.told.lossy.Store(now)
}

// recent says whether a loss was lately.
func recent(lossy, now int64) bool { return lossy != 0 && now-lossy < lossyFor }

// weigh looks at what every port lost.
func (l *Lane) weigh() {
	if l.now-l.weighed < weighEvery {
		return
	}
	l.weighed = l.now
	for _, p := range l.ports {
		p.weigh(l.now)
	}
	if len(l.cfg.Feeds) > 0 {
		l.fed.weigh(l.cfg.Feeds[0].Lost(), l.brought, l.now)
	}
}

// weigh asks the kernel for its losses only if a frame said that there are any.
func (p *Port) weigh(now int64) {
	if p.losing {
		p.losing = false
		p.sent.RxDropped += drops(p.in)
	}
	lost := p.sent.RxDropped + p.sent.RxTruncated + p.tx.crowded.Load()
	for _, s := range p.more {
		lost += s.tx.crowded.Load()
	}
	p.own.weigh(lost, p.sent.RxPackets+p.sent.TxPackets, now)
}

// brings is the intake that an interface's packets come by.
func (l *Lane) brings(it *iface) *intake {
	if it.port.ring != nil {
		return &it.port.own
	}
	return &l.fed
}

// Seen returns the time up to which all that had arrived for a network-interface has
// been handled, 0 while a good part of it, or of what leaves there, is lost. On the
// loop's goroutine.
func (l *Lane) Seen(ifc uint16) int64 {
	it := l.iface(ifc)
	if it == nil {
		return l.now
	}
	in := l.brings(it)
	switch {
	case recent(in.lossy, l.now), recent(it.port.own.lossy, l.now):
		return 0
	case in == &l.fed && len(l.cfg.Feeds) == 0:
		return l.now // nothing can arrive
	}
	return in.drained
}

// Behind says whether a good part of what arrives for a network-interface, or leaves
// there, is or was lost lately, or what arrives waits for too long. Any goroutine.
func (l *Lane) Behind(ifc uint16, now int64) bool {
	list := l.shared.Load()
	if list == nil || int(ifc) >= len(*list) || (*list)[ifc] == nil {
		return false
	}
	it := (*list)[ifc]
	in := l.brings(it)
	if recent(in.told.lossy.Load(), now) || recent(it.port.own.told.lossy.Load(), now) {
		return true
	}
	since := l.awake.Load() // whoever sleeps has nothing to do
	return since != 0 && now-max(since, in.told.drained.Load()) > lateness
}
