package session

import (
	"waymark/svr/policy"
)

// What vanishes on a path is seen by what does not come back: a look at the
// counters of some sessions at most every 50 ms, whichever lane forwards them. Nothing is
// done per packet. A look only raises doubts; probes and health checks of the
// path decide.

const (
	// bigPacket and bigEnough: so many packets of at least so many bytes on a path
	// without a packet in return are a doubt, and so is one that has waited twice
	// as long.
	bigPacket = 1200
	bigEnough = 3
	// silence is the least time that answers may take; a path's round trip may
	// make it longer.
	silence = second / 4
	// watchRoom is how many directions are watched at once, and admitEach how
	// many sessions a look goes through to find them.
	watchRoom = 1024
	admitEach = 4096
	// lookEvery is the least time between two looks: the lane ticks more often the
	// more it has to do, and there is no more to see then.
	lookEvery = second / 20
	// watchIdle is when a direction that sends nothing gives its place away.
	watchIdle = 2 * second
	// doubtEvery is the least time between two doubts about one path.
	doubtEvery = second / 2
)

// watched is one direction towards a peer.
type watched struct {
	who     uint32 // session and leg as in slot owners, plus 1; 0: nobody
	back    uint32 // packets that had come back
	packets uint32 // that had been sent when a look last saw one come back
	late    uint32 // 1: the last of them left after that one had come
	sent    uint32 // packets sent by the look before
	bytes   uint64 // as packets
	since   int64  // since when packets leave and none comes back, 0: not so
	active  int64  // when it last sent
	health  healthCheck
}

// watchList finds what vanishes. It is allocated once.
type watchList struct {
	list []watched
	next uint32       // session to admit next
	last int64        // when the last look was
	path []pathDoubts // by PathID
}

// pathDoubts is what the looks showed of a path.
type pathDoubts struct {
	doubted int64 // last doubt that was told
	carried int64 // last time that Carried was told
	heard   int64 // when the last packet came back
	bigs    int   // big packets without answer, in this look
	asks    int   // health checks that left in this look
	unwell  int64 // when the health checks left that have had no answer for longest, 0: none in this look
}

func (w *watchList) init(paths int) {
	w.list, w.path = make([]watched, watchRoom), make([]pathDoubts, paths)
}

// look is one look, for Tick.
func (e *Engine) look() {
	if e.cfg.Watcher == nil || e.now-e.watch.last < lookEvery {
		return
	}
	e.watch.last = e.now
	e.enlist()
	for i := range e.watch.path {
		d := &e.watch.path[i]
		d.bigs, d.asks, d.unwell = 0, 0, 0
	}
	for k := range e.watch.list {
		if w := &e.watch.list[k]; w.who != 0 && !e.lookAt(w) {
			*w = watched{}
		}
	}
	e.consider()
}

// enlist gives sessions that send a place in the list.
func (e *Engine) enlist() {
	if e.virginRec == 0 {
		return
	}
	for range min(admitEach, e.virginRec) {
		if e.watch.next >= e.virginRec {
			e.watch.next = 0
		}
		i := e.watch.next
		e.watch.next++
		r := &e.recs[i]
		if !r.is(recUsed) || !r.is(recAnswered) || r.tcp.closedBothWays() {
			continue
		}
		for l := range r.leg {
			if e.watchable(r, l) {
				e.checkInactive(i, l)
				e.admitOne(i, l)
			}
		}
	}
}

// watchable says whether leg l of a session leads to a peer over a path that is
// probed, and its handshake is over.
func (e *Engine) watchable(r *record, l int) bool {
	g := &r.leg[l]
	return g.kind() == kindSVR && g.path != noPath && !g.signal() && r.slot[0] != none && r.slot[1] != none && e.probed(g.path)
}

// admitOne gives leg l of session i the place that its number says, if that is
// free and it sent lately.
func (e *Engine) admitOne(i uint32, l int) {
	who := i<<1 | uint32(l)
	w := &e.watch.list[who%watchRoom]
	if w.who != 0 {
		return
	}
	r := &e.recs[i]
	sent, bytes, seen, _ := e.table.Counters(r.slot[1-l])
	if e.now-seen > second {
		return
	}
	back, _, _, _ := e.table.Counters(r.slot[l])
	*w = watched{who: who + 1, back: uint32(back), packets: uint32(sent), sent: uint32(sent), bytes: bytes, active: e.now}
}

// lookAt compares the counters of one direction with those before; false: it
// needs no place any more.
func (e *Engine) lookAt(w *watched) bool {
	i, l := (w.who-1)>>1, int((w.who-1)&1)
	r := &e.recs[i]
	if !r.is(recUsed) || r.tcp.closedBothWays() || !e.watchable(r, l) {
		return false
	}
	id := r.leg[l].path
	sent, bytes, left, _ := e.table.Counters(r.slot[1-l])
	back, _, came, _ := e.table.Counters(r.slot[l])
	if uint32(sent) != w.sent {
		w.sent, w.active = uint32(sent), e.now
		e.carried(id)
	}
	if uint32(back) != w.back || sent < uint64(w.packets) {
		w.heard(uint32(back), uint32(sent), bytes)
		if left > came {
			w.late, w.since = 1, min(left, e.now)
		}
		e.watch.path[id].heard = max(e.watch.path[id].heard, min(came, e.now))
		return true
	}
	if w.since == 0 {
		if uint32(sent) != w.packets {
			w.since = min(left, e.now)
		}
		return e.now-w.active < watchIdle
	}
	if e.now-w.since >= e.answerTime(id) {
		n := bigs(uint64(uint32(sent)-w.packets), bytes-w.bytes, e.pathMTU(id))
		if n > 0 && e.now-w.since >= 2*e.answerTime(id) {
			n = bigEnough // senders wait longer and longer before they send again
		}
		e.watch.path[id].bigs += n
		e.checkHealth(w, i, l, uint32(sent)-w.packets+w.late)
	}
	return e.now-w.active < watchIdle || w.health.pending()
}

// heard: so many packets came back, when so many had left.
func (w *watched) heard(back, sent uint32, bytes uint64) {
	w.back, w.packets, w.bytes, w.late, w.since = back, sent, bytes, 0, 0
	w.health.answered()
}

// answerTime is how long the answer to a packet on a path may take.
func (e *Engine) answerTime(id policy.PathID) int64 {
	return max(silence, 3*int64(e.cfg.Paths.Status(uint16(id)).RTT))
}

// bigs is how many of so many packets, of so many bytes in all and none longer
// than most, were big at least. A super-packet may count as one of them.
func bigs(packets, bytes uint64, most int) int {
	if packets >= bigEnough && bytes >= packets*bigPacket {
		return int(packets)
	}
	small := packets * (bigPacket - 1)
	if bytes <= small || most < bigPacket {
		return 0
	}
	return int((bytes - small + uint64(most-bigPacket)) / uint64(most-bigPacket+1))
}

// doubt tells that big packets vanish on a path.
func (e *Engine) doubt(id policy.PathID) {
	d := &e.watch.path[id]
	if d.doubted != 0 && e.now-d.doubted < doubtEvery {
		return
	}
	d.doubted = e.now
	e.stats.Add(PathDoubted, 1)
	e.cfg.Watcher.Vanishing(id)
}

// carried tells, once a second at most, that a path carries sessions.
func (e *Engine) carried(id policy.PathID) {
	if d := &e.watch.path[id]; d.carried == 0 || e.now-d.carried >= second {
		d.carried = e.now
		e.cfg.Watcher.Carried(id)
	}
}
