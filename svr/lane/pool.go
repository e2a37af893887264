package lane

import (
	"unsafe"

	"waymark/svr/packet"
)

// Sizes of spare buffers in bytes.
const (
	smallBuf = Headroom + 1536 + Tailroom + 64
	largeBuf = Headroom + 1<<16 + 512
)

// pool holds the lane's spare packets of one size. All belong to the lane's
// goroutine. A packet is free, taken (the handler has it) or sent (a transmit
// queue points to it).
type pool struct {
	packets []packet.Packet
	slab    []byte
	size    int
	free    []uint16
	taken   []uint16
	sent    []bool
}

func newPool(n, size int) pool {
	p := pool{packets: make([]packet.Packet, n), slab: make([]byte, n*size), size: size,
		free: make([]uint16, 0, n), taken: make([]uint16, 0, n), sent: make([]bool, n)}
	for i := n; i > 0; i-- {
		p.free = append(p.free, uint16(i-1))
	}
	return p
}

// get takes a packet; nil when none is free.
func (p *pool) get() *packet.Packet {
	if len(p.free) == 0 {
		return nil
	}
	i := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.taken = append(p.taken, i)
	p.sent[i] = false
	at := int(i) * p.size
	k := &p.packets[i]
	k.Reset(p.slab[at:at+p.size:at+p.size], Headroom, Headroom, 0)
	return k
}

// markSent notes that the bytes b, if they are of this pool, wait in a
// transmit queue.
func (p *pool) markSent(b *byte) {
	d := uintptr(unsafe.Pointer(b)) - uintptr(unsafe.Pointer(unsafe.SliceData(p.slab)))
	if d < uintptr(len(p.slab)) {
		p.sent[d/uintptr(p.size)] = true
	}
}

// reclaim frees the packets that were sent and have left, of those taken.
func (p *pool) reclaim() {
	kept := p.taken[:0]
	for _, i := range p.taken {
		if p.sent[i] {
			p.free = append(p.free, i)
		} else {
			kept = append(kept, i)
		}
	}
	p.taken = kept
}

// release frees the n packets that were taken first, sent or not.
func (p *pool) release(n int) {
	p.free = append(p.free, p.taken[:n]...)
	p.taken = p.taken[:copy(p.taken, p.taken[n:])]
}
