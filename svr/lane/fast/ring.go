package fast

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"waymark/svr/packet"
)

// The rings are memory that programs copy punted packets to (bpf/ring.h), one for packets
// of known sessions, one for the first ones of flows: a read of the TAP less for each.
// Where their reader sleeps a packet goes by the TAP, which wakes it, and so do those that
// are too large, and the first ones that find no room.

// Places in the memory, as bpf/ring.h has them.
const (
	ringReserved = 0
	ringConsumed = 64
	ringAwake    = 128
	ringSpilt    = 192
	ringLost     = 200
	ringNext     = 256
	ringData     = 4096
	ringIP       = 576
	ringTail     = 192
	ringLine     = 64
	ringEntry    = 64  // bytes of an entry in front of a packet's buffer
	ringSmall    = 512 // frames of up to so many bytes follow ringHead: they are copied out
	ringHead     = 16
	ringSlack    = 12 << 10 // behind the end: an entry begins in front of it
	ringOn       = 1        // the reader is awake
	ringOff      = 2        // for good
	ringFull     = 1        // in a tag
	ringSkip     = 2
	ringTaken    = 3
	mapRing      = ".data.ring" // not of the lane's: another process does not look for it
)

// firstShare: the ring of first packets, which are short and single, has that part of the
// size of the other.
const firstShare = 8

// rings are both, and the memory they share.
type rings struct {
	mem          []byte
	known, first *ring
}

// ring is the reader of one, for one goroutine but for the atomic words in the memory.
type ring struct {
	mem  []byte // its head
	data []byte // its entries, and the room behind them
	size uint64
	key  uint64
	head uint64 // position of the next entry
	ends []uint64
	// ends are the positions up to which the batches go whose bytes are still in use.
	keep int
	took atomic.Uint64 // packets, since the process began
}

// ringBytes is the size of a ring for about so many bytes: a power of two.
func ringBytes(bytes int) uint32 {
	if bytes <= 0 {
		return 0
	}
	return 1 << (bits.Len(uint(max(bytes, 128<<10))) - 1)
}

// createRings makes the map.
func createRings(bytes int) (*ebpf.Map, error) {
	size := ringData + ringBytes(bytes) + ringSlack + ringBytes(bytes/firstShare) + ringSlack
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: mapRing, Type: ebpf.Array, KeySize: 4, ValueSize: size, MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE})
	if err != nil {
		return nil, fmt.Errorf("create map %s: %w", mapRing, refused(err))
	}
	return m, nil
}

// openRings maps the memory of new rings.
func openRings(m *ebpf.Map, bytes int) (*rings, error) {
	mem, err := mapMemory(m)
	if err != nil {
		return nil, err
	}
	known, first, key := ringBytes(bytes), ringBytes(bytes/firstShare), rand.Uint64()&^63
	next := mem[ringData+known+ringSlack:]
	return &rings{mem, &ring{mem: mem, data: mem[ringData : ringData+known+ringSlack], size: uint64(known), key: key},
		&ring{mem: mem[ringNext:], data: next[:first+ringSlack], size: uint64(first), key: key}}, nil
}

func (r *rings) close() {
	if r != nil {
		r.known.word(ringAwake).Store(ringOff)
		r.first.word(ringAwake).Store(ringOff)
		_ = unix.Munmap(r.mem)
	}
}

// lost are packets that found no room.
func (r *rings) lost() uint64 {
	if r == nil {
		return 0
	}
	return r.known.lost() + r.first.lost()
}

// brought are those that their reader took.
func (r *rings) brought() uint64 {
	if r == nil {
		return 0
	}
	return r.known.took.Load() + r.first.took.Load()
}

func (r *ring) lost() uint64 {
	if r == nil {
		return 0
	}
	return r.word(ringLost).Load()
}

// idle tells programs that nothing waits, neither here nor in the queue.
func (r *ring) idle() {
	if w := r.word(ringSpilt); w.Load() != 0 {
		w.Store(0)
	}
}

// word is a word of the head.
func (r *ring) word(at int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&r.mem[at])) }

// sleep tells programs that the next packet is to wake the reader.
func (r *ring) sleep() { r.word(ringAwake).Store(0) }

// wake tells them that nothing has to; it may be too late.
func (r *ring) wake() {
	if w := r.word(ringAwake); w.Load() == 0 {
		w.CompareAndSwap(0, ringOn)
	}
}

// entry is where the entry at a position is, and tag its first word.
func (r *ring) entry(at uint64) []byte { return r.data[at&(r.size-1):] }
func (r *ring) tag(at uint64) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&r.entry(at)[0]))
}

// next is the position behind an entry that was put.
func (r *ring) next(at uint64) uint64 {
	n := uint64(binary.NativeEndian.Uint32(r.entry(at)[8:]))
	if n <= ringSmall {
		return at + (ringHead+n+ringLine-1)&^(ringLine-1)
	}
	return at + (ringIP-etherLen+n+ringTail+ringLine-1)&^(ringLine-1)
}

// waiting is up to where packets are there, at most so many.
func (r *ring) waiting(most int) uint64 {
	at := r.head
	for ; most > 0; most-- {
		if t := r.tag(at).Load() ^ r.key; t != at|ringFull && t != at|ringSkip {
			break
		}
		at = r.next(at)
	}
	return at
}

// take fills p with the packet of the next entry, a small one in front of rest, which has
// room for one; false: there is none in it.
func (r *ring) take(p *Punted, rest *[]byte) bool {
	full, taken := (r.head|ringFull)^r.key, (r.head|ringTaken)^r.key
	e, ours := r.entry(r.head), r.tag(r.head).CompareAndSwap(full, taken)
	r.head = r.next(r.head)
	if !ours || !p.parseEntry(e, rest) {
		return false
	}
	r.took.Add(1)
	return true
}

// over notes the end of a batch.
func (r *ring) over() { r.ends = append(r.ends, r.head) }

// before tells that the ring's next entry is older than a packet of the queue.
func (r *ring) before(p *Punted) bool {
	return p.stamped && int32(p.stamp-uint32(r.head/ringLine)) > 0
}

// await is waiting for what is being written, for as long as that takes at most.
func (r *ring) await(most int) (at uint64) {
	for range 1000 {
		if at = r.waiting(most); at != r.head {
			break
		}
	}
	return at
}

// release gives the memory back of batches whose bytes nobody needs any more.
func (r *ring) release() {
	if n := len(r.ends) - (r.keep - 1); n > 0 {
		r.word(ringConsumed).Store(r.ends[n-1])
		r.ends = r.ends[:copy(r.ends, r.ends[n:])]
	}
}

// parseEntry fills p from an entry.
func (p *Punted) parseEntry(e []byte, rest *[]byte) bool {
	n := int(binary.NativeEndian.Uint32(e[8:]))
	size, buf := n-etherLen, e
	if n > ringSmall {
		buf = e[ringEntry : ringIP+size+ringTail : ringIP+size+ringTail]
	} else {
		buf = carve(rest, size)
		copy(buf[Headroom-etherLen:], e[ringHead:ringHead+n])
	}
	return p.parseMark(buf, size) && p.guess(binary.NativeEndian.Uint32(e[12:]) != 0)
}

// smallRoom is what a small frame takes of a slab at most.
const smallRoom = (Headroom + ringSmall - etherLen + Tailroom + lineSize - 1) &^ (lineSize - 1)

// carve takes the buffer of a packet of so many bytes from the front of rest.
func carve(rest *[]byte, size int) []byte {
	end := Headroom + max(size, 0) + Tailroom
	buf := (*rest)[:end:end]
	*rest = (*rest)[(end+lineSize-1)&^(lineSize-1):]
	return buf
}

// guess says what the kernel does not tell a program: whether a checksum is partial, one
// that is the pseudo-header's alone. Where that is the right one by chance, the packet
// leaves with a right one, too.
func (p *Punted) guess(valid bool) bool {
	b := p.IP()
	if len(b) < packet.IPv4Size+packet.UDPSize {
		return false
	}
	proto, l4, v6 := b[9], packet.IPv4Size, b[0]>>4 == 6
	if v6 {
		proto, l4 = b[6], packet.IPv6Size
	}
	at := l4 + csumTCP
	if proto == packet.ProtoUDP {
		at = l4 + csumUDP
	}
	switch {
	case len(b) < at+2:
		return false
	case valid:
		p.Csum = packet.CsumValid
	case binary.BigEndian.Uint16(b[at:]) == pseudoSum(b, proto, l4, v6):
		p.Csum = packet.CsumPartial
	}
	return true
}

// pseudoSum is the folded sum of the pseudo-header.
func pseudoSum(b []byte, proto uint8, l4 int, v6 bool) uint16 {
	s, addrs := uint32(proto)+uint32(len(b)-l4), b[12:20]
	if v6 {
		addrs = b[8:40]
	}
	for ; len(addrs) > 0; addrs = addrs[2:] {
		s += uint32(binary.BigEndian.Uint16(addrs))
	}
	s = s&0xffff + s>>16
	return uint16(s + s>>16)
}

// quiet makes the programs of a lane that was found use the TAP.
func (g *generation) quiet() error {
	if g.ring == nil {
		return nil
	}
	err := silence(g.ring)
	g.ring.Close()
	g.ring = nil
	return err
}

// silence makes programs that a process left use the TAP: nobody reads their rings.
func silence(m *ebpf.Map) error {
	mem, err := unix.Mmap(m.FD(), 0, ringData, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map rings: %w", err)
	}
	for _, at := range []int{ringAwake, ringNext + ringAwake} {
		(*atomic.Uint64)(unsafe.Pointer(&mem[at])).Store(ringOff)
	}
	return unix.Munmap(mem)
}
