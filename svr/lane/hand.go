package lane

import "waymark/svr/packet"

// handBatch is how many packets the handler gets at once.
const handBatch = 16

// hand gives k to the handler, together with packets before and behind it, and in
// their order. A super-packet is a batch by itself. k must stay as it is until
// settle.
func (l *Lane) hand(k *packet.Packet) {
	if k.GSO != packet.GSONone {
		l.settle()
		l.handler.Receive(k, l.now)
		return
	}
	l.wait[l.waiting] = k
	if l.waiting++; l.waiting == handBatch {
		l.settle()
	}
}

// settle gives away the packets that wait.
func (l *Lane) settle() {
	n := l.waiting
	l.waiting = 0
	switch n {
	case 0:
	case 1:
		l.handler.Receive(l.wait[0], l.now)
	default:
		l.handler.Batch(l.wait[:n], l.now)
	}
}
