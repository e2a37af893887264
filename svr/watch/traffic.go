package watch

import (
	"context"
	"net/netip"
	"time"

	"waymark/net/link"
	"waymark/net/rtnl"
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// On paths of the metered profile, packets of sessions prove that the peer
// lives, and packets that nobody answers ask for a poll. Both show in the session
// table, whichever lane forwards them. The table is looked at only when the
// interface counted packets since, and for a small part of the time at most.

const (
	trafficEvery = 100 * time.Millisecond
	trafficIdle  = time.Second // without such paths; and the longest between two looks
	// trafficShare: a look that takes 1 ms is followed by 20 ms without.
	trafficShare = 20
)

// flows is the newest packet of sessions each way, 0: none since the last look.
type flows struct{ sent, heard int64 }

// observer looks at the traffic of paths.
type observer struct {
	w      *Watcher
	conn   *rtnl.Conn
	frames map[uint16]uint64 // interface: what it counted at the last look
	looked int64             // when the table was looked at last
}

// watchTraffic tells the paths of their traffic until ctx ends.
func (w *Watcher) watchTraffic(ctx context.Context) {
	conn, err := rtnl.Dial()
	if err != nil {
		w.log.Warn("cannot read counters of interfaces; the session table is looked at always", "error", err)
	} else {
		defer conn.Close()
	}
	o := &observer{w: w, conn: conn, frames: map[uint16]uint64{}}
	for pause := trafficIdle; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = o.look()
	}
}

// look tells every path that wants to know of its traffic, and returns when to
// look again.
func (o *observer) look() time.Duration {
	want, indexes := o.wanted()
	if len(want) == 0 {
		return trafficIdle
	}
	now := o.w.clock()
	if !o.moved(indexes) && now-o.looked < int64(trafficIdle) {
		return trafficEvery
	}
	start := time.Now()
	o.scan(want, o.looked-int64(trafficEvery))
	o.looked = now
	took := time.Since(start)
	o.tell(want)
	return max(trafficEvery, trafficShare*took)
}

// wanted returns the ways of the paths that want to be told, and the kernel's
// interfaces below them.
func (o *observer) wanted() (map[talker]*flows, map[uint16]uint32) {
	w := o.w
	w.mu.Lock()
	defer w.mu.Unlock()
	var want map[talker]*flows
	indexes := map[uint16]uint32{}
	for i := range w.tables.Paths {
		p := w.set.Path(uint16(i))
		if p == nil || !p.Thrifty() {
			continue
		}
		if best, ok := p.Remote(); ok {
			if want == nil {
				want = map[talker]*flows{}
			}
			ifc := uint16(w.tables.Paths[i].If)
			want[talker{ifc, best.Addr()}] = &flows{}
			indexes[ifc] = w.devices[ifc]
		}
	}
	return want, indexes
}

// moved says whether an interface counted packets since the last call. One that
// cannot be asked may have.
func (o *observer) moved(indexes map[uint16]uint32) (moved bool) {
	for ifc, index := range indexes {
		if o.conn == nil || index == 0 {
			return true
		}
		n, _, err := link.Count(o.conn, int(index))
		if frames := n.RxPackets + n.TxPackets; err != nil || frames != o.frames[ifc] {
			o.frames[ifc] = frames
			moved = true
		}
	}
	return moved
}

// scan finds the newest packets since a time.
func (o *observer) scan(want map[talker]*flows, since int64) {
	ways := map[netip.Addr][]uint16{}
	for w := range want {
		ways[w.addr] = append(ways[w.addr], w.ifc)
	}
	t := o.w.table
	t.ForEach(func(slot uint32) bool {
		_, _, last, _ := t.Counters(slot)
		if last < since {
			return true
		}
		k, a, ok := t.Read(slot)
		if !ok {
			return true
		}
		if f := want[talker{k.If, packet.ToAddr(k.Src, k.Family)}]; f != nil {
			f.heard = max(f.heard, last)
		}
		to := packet.ToAddr(a.To.Dst, a.To.Family)
		for _, ifc := range ways[to] {
			if f := want[talker{ifc, to}]; f.sent < last && o.leaves(&a.To, ifc) {
				f.sent = last
			}
		}
		return true
	})
}

// leaves says whether what leaves as to does so on ifc: there the packets of the
// other direction come in.
func (o *observer) leaves(to *packet.Tuple, ifc uint16) bool {
	_, ok := o.w.table.Lookup(&pool.Key{Tuple: to.Reverse(), If: ifc})
	return ok
}

// tell hands the results to the paths.
func (o *observer) tell(want map[talker]*flows) {
	w := o.w
	w.mu.Lock()
	defer w.release()
	now := w.clock()
	for i := range w.tables.Paths {
		p := w.set.Path(uint16(i))
		if p == nil {
			continue
		}
		best, _ := p.Remote()
		if f := want[talker{uint16(w.tables.Paths[i].If), best.Addr()}]; f != nil {
			w.set.Traffic(uint16(i), min(f.sent, now), min(f.heard, now), now)
		}
	}
	w.arm()
}
