package fast

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"waymark/svr/packet"
)

// Room in the buffers of a Queue, in bytes: as in the service lane's.
const (
	Headroom = 512
	Tailroom = 512

	vnetLen   = 10
	etherLen  = 14
	maxPacket = 1<<16 + 128
	bufSize   = Headroom + maxPacket + Tailroom
	lineSize  = 64 // where the next packet may begin
)

// Punted is a packet that a program did not forward.
type Punted struct {
	packet.Packet // If, Csum, GSO and GSOSize are set, Parse was not called
	Reason        Reason
	Hash          uint32 // 24 bits of the flow's hash, 0 unknown
	EtherType     uint16 // IPv4 or IPv6, except with PuntStation
	Src           [6]byte
}

// Queue is one queue of the TAP, for one goroutine.
type Queue struct {
	fd    int
	slabs [][]byte
	turn  int // slab of the next Read
	batch []Punted

	ring  *ring  // beside it, nil: none
	phase phase  // of the ring
	owed  uint64 // position up to which the ring's packets come next
	older int    // packets that the queue brought since the reader is awake
	limit int    // most that the queue holds
}

// phase says which packets of a flow are older, those in the queue or in the ring.
type phase uint8

const (
	asleep   phase = iota // the next packet comes by the queue; what the ring holds in front of it is older
	waking                // programs use the ring; what the queue holds still is older
	bothWays              // programs use the ring for what they put there, and the queue for other flows
)

func newQueue(fd int) *Queue { return &Queue{fd: fd} }

// Queues returns the queues of worker w: first that of packets of known
// sessions, to be served before the other one, that of unknown flows. Each flow
// stays with one worker.
func (l *Lane) Queues(w int) (known, unknown *Queue) {
	n := len(l.tap.queues) / 2
	return l.tap.queues[w], l.tap.queues[n+w]
}

// FD is the descriptor to poll for readability.
func (q *Queue) FD() int { return q.fd }

// Memory returns the bytes of the queue's buffers.
func (q *Queue) Memory() int {
	n := len(q.slabs) * len(q.slabs[0])
	if q.ring != nil {
		n += len(q.ring.mem)
	}
	return n
}

// Init makes room for n packets of up to 1,500 bytes a batch; super-packets take
// more of it, so that a batch of them is small and stays in the cache. The bytes of
// so many batches stay as they are at a time. Once, before Read.
func (q *Queue) Init(n, batches int) {
	const each = (Headroom + 1500 + Tailroom + lineSize - 1) &^ (lineSize - 1)
	for range batches {
		q.slabs = append(q.slabs, make([]byte, (n-1)*each+bufSize))
	}
	q.batch = make([]Punted, n)
	if q.ring != nil {
		q.ring.keep, q.ring.ends = batches, make([]uint64, 0, batches+1)
	}
}

// Read returns the packets that wait, at most a batch. They are the caller's until
// the next Read, their bytes until as many batches with packets were read as Init
// was told. No packets is no error.
func (q *Queue) Read() ([]Punted, error) {
	if q.ring == nil {
		return q.readTap()
	}
	if q.phase == asleep {
		q.wake()
	}
	if q.owed != q.ring.head {
		return q.readRing()
	}
	// Whatever came to the ring before this look came behind what the queue held then.
	there := q.ring.waiting(len(q.batch))
	list, err := q.readTap()
	q.older += len(list)
	if q.phase == waking && (len(list) == 0 || q.older >= q.limit) {
		q.phase = bothWays
	}
	if q.phase == bothWays {
		q.owed = there
	}
	if err != nil || len(list) > 0 || q.owed == q.ring.head {
		return list, err
	}
	return q.readRing()
}

// wake owes what the ring held before the packet that woke us; when there is none of
// that any more, the queue is next.
func (q *Queue) wake() {
	q.owed = q.ring.waiting(len(q.batch))
	edge, woken := q.ring.edge()
	if woken {
		q.owed = min(q.owed, max(edge, q.ring.head))
	}
	if q.owed != q.ring.head {
		return
	}
	if !woken {
		q.ring.wake()
	}
	q.phase, q.older = waking, 0
}

// readRing returns the packets that the ring owes, and what it had before is over.
// Those that programs took back are in the queue.
func (q *Queue) readRing() ([]Punted, error) {
	q.ring.release()
	if n := q.ring.take(q.batch, q.owed); n > 0 {
		return q.batch[:n], nil
	}
	return q.readTap()
}

// Lost is how many packets found the ring full. What the queue itself lost the lane
// counts for all queues.
func (q *Queue) Lost() uint64 { return q.ring.lost() }

// Rest tells programs that the caller is about to wait for FD: what they punt from now
// on makes it readable. False: packets are there already.
func (q *Queue) Rest() bool {
	switch {
	case q.ring == nil:
		return true
	case q.phase == waking:
		return false // the queue may hold what is older than the ring's
	case q.phase == bothWays:
		q.phase = asleep
		q.ring.sleep()
	}
	return q.ring.waiting(1) == q.ring.head
}

// readTap reads the queue itself.
func (q *Queue) readTap() ([]Punted, error) {
	n := 0
	for rest := q.slabs[q.turn]; n < len(q.batch) && len(rest) >= bufSize; {
		const at = Headroom - etherLen - vnetLen
		room := rest[at : bufSize-Tailroom]
		// Raw, as the service lane's sendmmsg is: it never waits.
		got, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(q.fd), uintptr(unsafe.Pointer(&room[0])), uintptr(len(room)))
		if e == unix.EAGAIN || e == unix.EINTR {
			break
		}
		if e != 0 {
			return nil, fmt.Errorf("read TAP: %w", e)
		}
		size := int(got) - vnetLen - etherLen
		end := Headroom + max(size, 0) + Tailroom
		if q.batch[n].parse(rest[:end:end], size) {
			n++
			rest = rest[(end+lineSize-1)&^(lineSize-1):]
		}
	}
	if n > 0 {
		q.turn = (q.turn + 1) % len(q.slabs)
	}
	return q.batch[:n], nil
}

// parse fills p from a buffer that holds size bytes of IP packet behind both
// headers; false for what no program of ours sent.
func (p *Punted) parse(buf []byte, size int) bool {
	return p.parseMark(buf, size) && readVnet(buf[Headroom-etherLen-vnetLen:], &p.Packet)
}

// parseMark is parse for a packet without what the kernel knows of it.
func (p *Punted) parseMark(buf []byte, size int) bool {
	if size < 0 {
		return false
	}
	eth := buf[Headroom-etherLen : Headroom]
	p.Reset(buf, Headroom, Headroom+size, binary.BigEndian.Uint16(eth))
	p.Reason = Reason(eth[2])
	p.Hash = uint32(eth[3])<<16 | uint32(binary.BigEndian.Uint16(eth[4:]))
	p.Src = [6]byte(eth[6:12])
	p.EtherType = binary.BigEndian.Uint16(eth[12:])
	return p.Reason.Punted() && p.Reason.String() != ""
}

// Values of struct virtio_net_hdr, in host byte order (linux/virtio_net.h).
const (
	vnetNeedsCsum = 1
	vnetDataValid = 2
	vnetTCP4      = 1
	vnetTCP6      = 4
	vnetUDPL4     = 5
	vnetECN       = 0x80
	csumTCP       = 16
	csumUDP       = 6
)

// readVnet takes over what the kernel knows of a packet; false for checksums
// and super-packets that are none of ours to complete.
func readVnet(h []byte, p *packet.Packet) bool {
	switch {
	case h[0]&vnetNeedsCsum != 0:
		p.Csum = packet.CsumPartial
		if off := binary.NativeEndian.Uint16(h[8:]); off != csumTCP && off != csumUDP {
			return false
		}
	case h[0]&vnetDataValid != 0:
		p.Csum = packet.CsumValid
	}
	switch h[1] &^ vnetECN {
	case 0:
		return true
	case vnetTCP4:
		p.GSO = packet.GSOTCP4
	case vnetTCP6:
		p.GSO = packet.GSOTCP6
	case vnetUDPL4:
		p.GSO = packet.GSOUDP
	default:
		return false
	}
	p.GSOSize = binary.NativeEndian.Uint16(h[4:])
	return p.GSOSize != 0
}
