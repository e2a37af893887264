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

// The ring is memory that programs copy packets of known sessions to, from ports
// towards peers (bpf/ring.h): a read of the TAP less for each. Where its reader sleeps
// the first packet goes by the TAP, which wakes it.

// Places in its memory, as bpf/ring.h has them.
const (
	ringReserved = 0
	ringConsumed = 64
	ringAwake    = 128
	ringLost     = 192
	ringHead     = 4096
	ringIP       = 576
	ringTail     = 192
	ringLine     = 64
	ringEntry    = 64       // bytes of an entry in front of a packet's buffer
	ringSlack    = 68 << 10 // behind the end: an entry begins in front of it
	ringOn       = 1        // in the word that says whether the reader is awake
	ringOff      = 2        // there: for good
	ringFull     = 1        // in a tag
	ringSkip     = 2
	ringTaken    = 3
	mapRing      = ".data.ring" // not of the lane's: another process does not look for it
)

// ring is its reader, for one goroutine but for the atomic words in the memory.
type ring struct {
	mem  []byte
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

// createRing makes the map.
func createRing(bytes int) (*ebpf.Map, error) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: mapRing, Type: ebpf.Array, KeySize: 4, ValueSize: ringHead + ringBytes(bytes) + ringSlack,
		MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE})
	if err != nil {
		return nil, fmt.Errorf("create map %s: %w", mapRing, refused(err))
	}
	return m, nil
}

// openRing maps the memory of a new ring.
func openRing(m *ebpf.Map, bytes int) (*ring, error) {
	mem, err := mapMemory(m)
	if err != nil {
		return nil, err
	}
	return &ring{mem: mem, size: uint64(ringBytes(bytes)), key: rand.Uint64() &^ 63}, nil
}

func (r *ring) close() {
	if r != nil {
		r.word(ringAwake).Store(ringOff)
		_ = unix.Munmap(r.mem)
	}
}

// lost are packets that found no room.
func (r *ring) lost() uint64 {
	if r == nil {
		return 0
	}
	return r.word(ringLost).Load()
}

// brought are those that its reader took.
func (r *ring) brought() uint64 {
	if r == nil {
		return 0
	}
	return r.took.Load()
}

// word is a word of the head.
func (r *ring) word(at int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&r.mem[at])) }

// sleep tells programs that the next packet is to wake the reader.
func (r *ring) sleep() { r.word(ringAwake).Store(0) }

// wake tells them that nothing has to; it may be too late.
func (r *ring) wake() {
	r.word(ringAwake).CompareAndSwap(0, r.word(ringReserved).Load()|ringOn)
}

// edge is the position in front of which everything is older than the packet that
// wakes the reader, if one did.
func (r *ring) edge() (at uint64, woken bool) {
	w := r.word(ringAwake).Load()
	return w &^ ringOn, w != 0
}

// entry is where the entry at a position is, and tag its first word.
func (r *ring) entry(at uint64) []byte { return r.mem[ringHead+at&(r.size-1):] }
func (r *ring) tag(at uint64) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&r.entry(at)[0]))
}

// next is the position behind an entry that was put.
func (r *ring) next(at uint64) uint64 {
	n := uint64(binary.NativeEndian.Uint32(r.entry(at)[8:]))
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

// take fills batch with the packets in front of a position and returns how many there
// are.
func (r *ring) take(batch []Punted, to uint64) (n int) {
	for ; r.head != to && n < len(batch); r.head = r.next(r.head) {
		full, taken := (r.head|ringFull)^r.key, (r.head|ringTaken)^r.key
		if r.tag(r.head).CompareAndSwap(full, taken) && batch[n].parseEntry(r.entry(r.head)) {
			n++
		}
	}
	r.ends = append(r.ends, r.head)
	r.took.Add(uint64(n))
	return n
}

// release gives the memory back of batches whose bytes nobody needs any more.
func (r *ring) release() {
	if n := len(r.ends) - (r.keep - 1); n > 0 {
		r.word(ringConsumed).Store(r.ends[n-1])
		r.ends = r.ends[:copy(r.ends, r.ends[n:])]
	}
}

// parseEntry fills p from an entry.
func (p *Punted) parseEntry(e []byte) bool {
	size := int(binary.NativeEndian.Uint32(e[8:])) - etherLen
	if !p.parseMark(e[ringEntry:ringIP+size+ringTail:ringIP+size+ringTail], size) {
		return false
	}
	gso, valid := binary.NativeEndian.Uint16(e[12:]), binary.NativeEndian.Uint16(e[14:]) != 0
	return p.guess(gso, valid)
}

// guess says what the kernel does not tell a program: whether a checksum is partial.
// That of a super-packet is, and one that is the pseudo-header's alone. Where that is
// the right one by chance, the packet leaves with a right one, too.
func (p *Punted) guess(gso uint16, valid bool) bool {
	b := p.IP()
	if len(b) < packet.IPv4Size+packet.UDPSize {
		return false
	}
	proto, l4, v6 := b[9], packet.IPv4Size, b[0]>>4 == 6
	if v6 {
		proto, l4 = b[6], packet.IPv6Size
	}
	at, kind := l4+csumTCP, packet.GSOTCP4
	switch {
	case proto == packet.ProtoUDP:
		at, kind = l4+csumUDP, packet.GSOUDP
	case v6:
		kind = packet.GSOTCP6
	}
	switch {
	case len(b) < at+2:
		return false
	case gso != 0:
		p.Csum, p.GSO, p.GSOSize = packet.CsumPartial, kind, gso
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

// silence makes programs that a process left use the TAP: nobody reads their ring.
func silence(m *ebpf.Map) error {
	mem, err := unix.Mmap(m.FD(), 0, ringHead, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map ring: %w", err)
	}
	(*atomic.Uint64)(unsafe.Pointer(&mem[ringAwake])).Store(ringOff)
	return unix.Munmap(mem)
}
