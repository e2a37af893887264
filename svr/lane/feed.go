package lane

import (
	"waymark/svr/lane/l2"
	"waymark/svr/packet"
)

// Feed is a source of packets beside the ports: what another lane hands on.
type Feed interface {
	// FD is the descriptor to poll for readability.
	FD() int
	// Feed calls deliver for the packets that wait, at most a batch, and tells
	// how many there were. p.If is the router's number; packet and bytes
	// stay as the handler leaves them until the next Feed, and with workers the
	// bytes until the Flights next that brought something are over.
	Feed(deliver func(p *packet.Packet, etherType uint16, src [6]byte)) int
	// Rest is called before the loop waits for FD; false: packets wait already.
	Rest() bool
	// Lost is how many packets are known to have found no room.
	Lost() uint64
}

// feedTurns is how many batches the first feed may have before the next gets
// one.
const feedTurns = 4

// feed serves the feeds, the first one first, and tells whether there was
// anything.
func (l *Lane) feed() (busy bool) {
	turns := feedTurns
	for i, f := range l.cfg.Feeds {
		for n := 0; n < turns; n++ {
			got := f.Feed(l.accept)
			if i == 0 {
				l.fed.takes(got, l.now)
				l.brought += uint64(got)
			}
			if got == 0 {
				break
			}
			l.settle()
			l.flush(nil, got >= handBatch)
			busy = true
		}
		turns = 1
	}
	return busy
}

// deliver hands a packet of a feed to the handler, or other frames of a tag to
// its station.
func (l *Lane) deliver(p *packet.Packet, etherType uint16, src [6]byte) {
	it := l.iface(p.If)
	if it == nil {
		l.counters.NoInterface++
		return
	}
	c := &it.port.sent
	if it.station != nil && it.station.Input(l.now, l2.MAC(src), etherType, p.IP()) {
		return
	}
	if etherType != l2.TypeIPv4 && etherType != l2.TypeIPv6 {
		c.RxIgnored++
		return
	}
	c.RxPackets++
	c.RxBytes += uint64(p.Len())
	l.hand(p)
}
