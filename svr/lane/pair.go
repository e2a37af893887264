package lane

import "waymark/svr/packet"

// Packets that arrive one after the other in a batch go to the handler in pairs,
// and in their order. A super-packet is enough by itself.

// hand gives k to the handler: with the one before it, if that waits, or after
// the next one came. k must stay as it is until settle.
func (l *Lane) hand(k *packet.Packet) {
	switch a := l.first; {
	case k.GSO != packet.GSONone:
		l.settle()
		l.handler.Receive(k, l.now)
	case a == nil:
		l.first = k
	default:
		l.first = nil
		l.handler.Pair(a, k, l.now)
	}
}

// settle gives away the packet that waits, at the end of a batch.
func (l *Lane) settle() {
	if a := l.first; a != nil {
		l.first = nil
		l.handler.Receive(a, l.now)
	}
}

// spareRx is the Packet for the next frame of a ring: the one that does not wait.
func (l *Lane) spareRx() *packet.Packet {
	if l.first == &l.rx[0] {
		return &l.rx[1]
	}
	return &l.rx[0]
}
