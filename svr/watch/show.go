package watch

import (
	"time"

	"waymark/svr/path/ambient"
	"waymark/svr/path/peer"
	"waymark/svr/policy"
)

// Status is what there is to show of a path or a standard neighbour.
type Status struct {
	peer.Status
	ClockOffset int64 // ms that the peer's clock is ahead
	ClockKnown  bool
}

// List copies the state of everything, so that a slow reader holds up nobody.
func (w *Watcher) List() (list []Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list = make([]Status, 0, len(w.tables.Paths)+len(w.set.Neighbors()))
	for i := range w.tables.Paths {
		if p := w.set.Path(uint16(i)); p != nil {
			s := Status{Status: p.Status()}
			s.ClockOffset, s.ClockKnown = p.ClockOffset()
			list = append(list, s)
		}
	}
	for _, n := range w.set.Neighbors() {
		list = append(list, Status{Status: n.Status()})
	}
	return list
}

// Quality is what link tests found out about a path: round trip and jitter in ns,
// loss in percent. ok: there were tests.
func (w *Watcher) Quality(id policy.PathID) (rtt, jitter int64, loss float64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.set.Path(uint16(id))
	if p == nil {
		return 0, 0, 0, false
	}
	return p.Quality()
}

// Counts tells what became of the datagrams on the BFD ports, and by how much the
// timer was late at worst.
func (w *Watcher) Counts() (received [peer.Drops]uint64, late time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for d := range peer.Drops {
		received[d] = w.set.Count(d)
	}
	return received, time.Duration(w.late.Load())
}

// Plans are what the paths should cost, by channel.
func (w *Watcher) Plans() map[ambient.Key]map[string]ambient.Cost {
	w.mu.Lock()
	defer w.mu.Unlock()
	plans := map[ambient.Key]map[string]ambient.Cost{}
	for i := range w.tables.Paths {
		p := w.set.Path(uint16(i))
		if p == nil {
			continue
		}
		t := &w.tables.Paths[i]
		k := ambient.Key{Interface: w.tables.Interfaces[t.If].Name, Subject: w.tables.Peers[t.Peer].Name}
		c, ok := plans[k]
		if !ok {
			c = map[string]ambient.Cost{}
		}
		for name, cost := range planOf(p) { // several paths share a row
			sum := c[name]
			if n := sum.Daily + cost.Daily; n > 0 {
				c[name] = ambient.Cost{Daily: n, Bytes: (sum.Daily*sum.Bytes + cost.Daily*cost.Bytes) / n}
			}
		}
		plans[k] = c
	}
	return plans
}

// planOf is what a path costs that nobody uses.
func planOf(p *peer.Path) map[string]ambient.Cost {
	thrift, metered := p.Plan()
	if metered {
		return thrift.Costs()
	}
	if p.Thrifty() { // the other end decides
		return nil
	}
	send, receive := p.Intervals()
	plan := ambient.Regular{Send: send.Seconds(), Receive: receive.Seconds(), TestEvery: thrift.TestEvery, TestLen: thrift.TestLen,
		Testers: 1, Packet: ambient.Steady}
	return plan.Costs()
}
