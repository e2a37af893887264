package router

import (
	"time"

	"waymark/svr/lane"
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/seal"
	"waymark/svr/session"
	"waymark/svr/watch"
)

const (
	tickEvery = int64(100e6) // the engine's timers
	wallEvery = int64(100e6) // between two looks at the wall clock
)

// adapter stands between engine and lane, on the lane's goroutine. The lane
// numbers network-interfaces from 1, everything else from 0.
type adapter struct {
	*watch.Watcher // hears what the engine sees of paths, and its requests to peers

	engine *session.Engine
	lane   *lane.Lane
	hops   *warmHops

	now       int64 // of the batch that Begin was told
	wall      int64 // when the wall clock was read
	unix      int64
	suspected chan policy.PathID
	ping      *servicePing // that is under way
	reserved  *reserved    // for sessions of another layout, nil: nothing

	owned *pool.Table   // the table shared with the kernel, nil without
	word  uint64        // our owner word in it
	lost  chan struct{} // closed when another process took it
}

// laneID is the lane's number of a network-interface.
func laneID(ifc uint16) uint16 { return ifc + 1 }

// begin tells the engine the time once per batch; it never goes back.
func (a *adapter) begin(now int64) {
	if now <= a.now {
		return
	}
	if a.wall == 0 || now-a.wall >= wallEvery {
		a.wall, a.unix = now, time.Now().Unix()
	}
	a.now = now
	if a.owned != nil && a.owned.OwnerWord() != a.word {
		a.owned = nil
		close(a.lost)
	}
	a.engine.Begin(now, a.unix)
}

// Receive implements lane.Handler.
func (a *adapter) Receive(p *packet.Packet, now int64) {
	a.begin(now)
	p.If--
	a.engine.Receive(p)
}

// local is session.Config's: BFD on a VLAN.
func (a *adapter) local(p *packet.Packet) { a.Heard(p) }

// Batch implements lane.Handler.
func (a *adapter) Batch(list []*packet.Packet, now int64) {
	a.begin(now)
	for _, p := range list {
		p.If--
	}
	a.engine.ReceiveBatch(list)
}

// seen is session.Config's.
func (a *adapter) seen(ifc uint16) int64 { return a.lane.Seen(laneID(ifc)) }

// Tick implements lane.Handler.
func (a *adapter) Tick(now int64) int64 {
	a.begin(now)
	a.engine.Tick()
	a.hops.cool(now)
	return now + tickEvery
}

// Send implements session.Output.
func (a *adapter) Send(p *packet.Packet, ifc, hop uint16) {
	if a.ping != nil && a.ping.takes(p, ifc) {
		return
	}
	a.lane.Send(p, laneID(ifc), hop)
}

// Seal implements session.Later.
func (a *adapter) Seal(p *packet.Packet, ifc, hop uint16, o *seal.Order) (mark uint64) {
	return a.lane.Seal(p, laneID(ifc), hop, o)
}

// Await implements session.Later.
func (a *adapter) Await(mark uint64) { a.lane.Await(mark) }

// Buffer implements session.Output.
func (a *adapter) Buffer(large bool) *packet.Packet {
	if large {
		return a.lane.Buffer(lane.Large)
	}
	return a.lane.Buffer(lane.Small)
}

// Hop implements session.Output.
func (a *adapter) Hop(ifc uint16, addr [16]byte, family uint8) (uint16, bool) {
	return a.hops.get(laneID(ifc), addr, family, a.now)
}

// Release implements session.Output.
func (a *adapter) Release(hop uint16) { a.hops.hops.Release(hop) }

// PathSuspected implements session.Alarms; it never waits.
func (a *adapter) PathSuspected(id policy.PathID) {
	select {
	case a.suspected <- id:
	default: // the one who listens knows enough already
	}
}

var (
	_ lane.Handler   = (*adapter)(nil)
	_ session.Output = (*adapter)(nil)
	_ session.Later  = (*adapter)(nil)
	_ session.Alarms = (*adapter)(nil)
)
