package peer

import (
	"net/netip"

	"waymark/svr/wire"
)

// window takes each counter of an epoch once, and none that is 64 behind.
type window struct {
	newest uint64
	seen   uint64 // bit n: newest - n
}

// fresh says whether a counter may be taken.
func (w *window) fresh(c uint64) bool {
	if c > w.newest {
		return true
	}
	behind := w.newest - c
	return behind < 64 && w.seen>>behind&1 == 0
}

// take notes a fresh counter and tells whether it is the newest.
func (w *window) take(c uint64) bool {
	if c > w.newest {
		w.seen = w.seen<<min(c-w.newest, 64) | 1 // a shift by 64 leaves nothing
		w.newest = c
		return true
	}
	w.seen |= 1 << (w.newest - c)
	return false
}

// belief is what authentic, fresh packets of the peer made us believe.
type belief struct {
	known   bool
	epoch   wire.Epoch
	since   int64 // of the epoch
	hops    uint8 // hop limit of the newest packet
	window  window
	counter uint64 // newest packet: its counter, its clock, when it came
	sent    uint64
	at      int64
	knowsUs bool   // it echoed our epoch since it has this one
	echoed  uint64 // newest counter of ours that gave a round trip
}

// sentRing remembers what left lately, and where to.
type sentRing struct {
	slots [64]sentTo
	next  uint8
}

type sentTo struct {
	counter uint64 // 0: none
	at      int64
	to      netip.AddrPort
	probe   int // bytes of the IP packet, of a probe for the path MTU
}

func (r *sentRing) add(counter uint64, to netip.AddrPort, now int64) {
	r.slots[r.next] = sentTo{counter: counter, at: now, to: to}
	r.next = (r.next + 1) % uint8(len(r.slots))
}

// newest returns the packet that left last.
func (r *sentRing) newest() *sentTo {
	return &r.slots[(int(r.next)+len(r.slots)-1)%len(r.slots)]
}

// find returns the packet with a counter, nil if it left too long ago.
func (r *sentRing) find(counter uint64) *sentTo {
	if counter == 0 {
		return nil
	}
	for i := range r.slots {
		if r.slots[i].counter == counter {
			return &r.slots[i]
		}
	}
	return nil
}

// answers bounds what others make us say per second.
type answers struct {
	since int64
	count int
}

// allow is for strangers' epochs.
func (a *answers) allow(now int64) bool { return a.within(10, now) }

func (a *answers) within(most int, now int64) bool {
	if now-a.since >= second {
		a.since, a.count = now, 0
	}
	a.count++
	return a.count <= most
}
