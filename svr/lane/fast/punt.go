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
	lineSize  = 64   // where the next packet may begin
	markStamp = 0x80 // beside a reason in a mark
)

// Punted is a packet that a program did not forward.
type Punted struct {
	packet.Packet // If, Csum, GSO and GSOSize are set, Parse was not called
	Reason        Reason
	Hash          uint32  // 24 bits of the flow's hash, 0 unknown
	EtherType     uint16  // IPv4 or IPv6, except with PuntStation
	Src           [6]byte // of the frame; of TCP and UDP it may be a stamp's instead
	stamp         uint32  // see before in ring.go
	stamped       bool
}

// Queue is one queue of the TAP, for one goroutine.
type Queue struct {
	fd    int
	slabs [][]byte
	turn  int // slab of the next Read
	batch []Punted

	ring *ring  // beside it, nil: none
	next Punted // of the queue, while the ring has older ones
	held bool   // there is one
}

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

// ringedRead is how many packets come by the queue at a time where there is a ring: few,
// and large.
const ringedRead = 8

// Init makes room for n packets of up to 1,500 bytes a batch; super-packets take
// more of it, so that a batch of them is small and stays in the cache. The bytes of
// so many batches stay as they are at a time. Once, before Read.
func (q *Queue) Init(n, batches int) {
	const each = (Headroom + 1500 + Tailroom + lineSize - 1) &^ (lineSize - 1)
	q.batch = make([]Punted, n)
	if q.ring != nil {
		q.ring.keep, q.ring.ends = batches, make([]uint64, 0, batches+1)
		n = min(n, ringedRead)
	}
	for range batches { // behind the largest packet, which may be held, one of the ring has room
		q.slabs = append(q.slabs, make([]byte, (n-1)*each+bufSize+smallRoom))
	}
}

// Read returns the packets that wait, at most a batch. They are the caller's until
// the next Read, their bytes until as many batches with packets were read as Init
// was told. No packets is no error.
func (q *Queue) Read() ([]Punted, error) {
	if q.ring != nil {
		return q.merge()
	}
	n, rest := 0, q.slabs[q.turn]
	for n < len(q.batch) && len(rest) >= bufSize {
		got, err := readTap(q.fd, &rest, &q.batch[n])
		if err != nil {
			return nil, err
		}
		if !got {
			break
		}
		n++
	}
	return q.over(n, rest), nil
}

// merge returns what waits in the ring and in the queue, in its order: what the ring
// holds now is younger than what the queue held before, which is read after that look,
// as far as its stamps do not say that it is younger itself.
func (q *Queue) merge() ([]Punted, error) {
	q.ring.wake()
	q.ring.release()
	n, rest, dry := 0, q.slabs[q.turn], false
	if q.held {
		rest = q.carry(rest)
	}
	to := q.ring.waiting(len(q.batch))
	for n < len(q.batch) {
		if !q.held && !dry {
			if len(rest) < bufSize {
				break
			}
			got, err := readTap(q.fd, &rest, &q.next)
			if err != nil {
				return nil, err
			}
			q.held, dry = got, !got
		}
		if q.held && q.ring.before(&q.next) && q.ring.head == to {
			to = q.ring.await(len(q.batch) - n)
		}
		switch there := q.ring.head != to; {
		case q.held && !(there && q.ring.before(&q.next)):
			q.batch[n], q.held = q.next, false
			n++
		case !there:
			if n == 0 {
				q.ring.idle()
			}
			return q.over(n, rest), nil
		case len(rest) < smallRoom:
			return q.over(n, rest), nil
		case q.ring.take(&q.batch[n], &rest):
			n++
		}
	}
	return q.over(n, rest), nil
}

// carry copies the packet that is held to the front of the batch's own slab, and returns
// what is behind it.
func (q *Queue) carry(rest []byte) []byte {
	const from = Headroom - etherLen - vnetLen
	old, size := q.next.Buf, q.next.End-q.next.Off
	buf := carve(&rest, size)
	if &buf[0] != &old[0] {
		copy(buf[from:Headroom+size], old[from:])
		q.held = q.next.parse(buf, size)
	}
	return rest
}

// over ends a batch of n packets, which left so much of the slab. One that is held comes
// with the next batch.
func (q *Queue) over(n int, rest []byte) []Punted {
	if q.held || len(rest) < len(q.slabs[q.turn]) {
		q.turn = (q.turn + 1) % len(q.slabs)
	}
	if n > 0 && q.ring != nil {
		q.ring.over()
	}
	return q.batch[:n]
}

// Lost is how many packets found no room in the ring. What the queue itself lost the lane
// counts for all queues.
func (q *Queue) Lost() uint64 { return q.ring.lost() }

// Rest tells programs that the caller is about to wait for FD: what they punt from now
// on makes it readable. False: packets are there already.
func (q *Queue) Rest() bool {
	if q.ring == nil {
		return true
	}
	if q.held {
		return false
	}
	q.ring.sleep()
	return q.ring.waiting(1) == q.ring.head
}

// readTap fills p with the next packet of a queue, in front of rest, which has room for
// one; false: there is none.
func readTap(fd int, rest *[]byte, p *Punted) (bool, error) {
	for {
		const at = Headroom - etherLen - vnetLen
		room := (*rest)[at : bufSize-Tailroom]
		// Raw, as the service lane's sendmmsg is: it never waits.
		got, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&room[0])), uintptr(len(room)))
		if e == unix.EAGAIN || e == unix.EINTR {
			return false, nil
		}
		if e != 0 {
			return false, fmt.Errorf("read TAP: %w", e)
		}
		size, buf := int(got)-vnetLen-etherLen, *rest
		if p.parse(carve(&buf, size), size) {
			*rest = buf
			return true, nil
		}
	}
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
	p.Reason, p.stamped = Reason(eth[2]&^markStamp), eth[2]&markStamp != 0
	p.Hash = uint32(eth[3])<<16 | uint32(binary.BigEndian.Uint16(eth[4:]))
	p.Src = [6]byte(eth[6:12])
	p.stamp = binary.NativeEndian.Uint32(eth[8:])
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
