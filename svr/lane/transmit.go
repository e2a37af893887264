package lane

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"waymark/svr/lane/l2"
	"waymark/svr/packet"
)

const (
	txBatch    = 128 // messages per sendmmsg
	maxStrikes = 3   // refusals of an offload in a row before it is dropped
)

// mmsghdr is struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// txHead is what precedes a packet on its way out: virtio-net header and link
// header, contiguous.
type txHead struct {
	b   [vnetLen + l2.MaxHeader]byte
	len uint8
	gso packet.GSO // GSONone unless a super-packet
	ip  uint32     // bytes of IP
	cut cutNote
}

// txQueue collects a batch of packets for one port. All arrays are made once;
// the kernel's structures point into them.
type txQueue struct {
	fd       int
	n        int
	hdrs     []mmsghdr
	iovs     [][2]unix.Iovec
	heads    []txHead
	offloads Offload
	strikes  [packet.GSOUDP + 1]uint8
	counters *PortCounters
	crowded  atomic.Uint64 // messages that the kernel had no room for
	one      mmsghdr       // for segments cut in software
	oneIov   [2]unix.Iovec
	oneHead  txHead
	scratch  packet.Packet
	seg      packet.Segmenter
	names    *[2]unix.RawSockaddrLinklayer // IPv4, IPv6 on devices without link header; else nil
	cutter   cutter
}

func (q *txQueue) init(fd int, o Offload, c *PortCounters) {
	q.fd, q.offloads, q.counters = fd, o, c
	q.hdrs = make([]mmsghdr, txBatch)
	q.iovs = make([][2]unix.Iovec, txBatch)
	q.heads = make([]txHead, txBatch)
	q.scratch.Buf = make([]byte, smallBuf)
	for i := range q.hdrs {
		prepare(&q.hdrs[i], &q.iovs[i], &q.heads[i])
	}
	prepare(&q.one, &q.oneIov, &q.oneHead)
}

// nameProtocols makes every message say which protocol its packet is: ppp does
// not look by itself and drops what has none.
func (q *txQueue) nameProtocols(index int) {
	q.names = new([2]unix.RawSockaddrLinklayer)
	for i, p := range []uint16{unix.ETH_P_IP, unix.ETH_P_IPV6} {
		q.names[i] = unix.RawSockaddrLinklayer{Family: unix.AF_PACKET, Protocol: htons(p), Ifindex: int32(index)}
	}
}

// name addresses a message with an IP packet.
func (q *txQueue) name(m *mmsghdr, v6 bool) {
	if q.names == nil {
		return
	}
	n := &q.names[0]
	if v6 {
		n = &q.names[1]
	}
	m.hdr.Name, m.hdr.Namelen = (*byte)(unsafe.Pointer(n)), uint32(unsafe.Sizeof(*n))
}

func prepare(m *mmsghdr, iov *[2]unix.Iovec, h *txHead) {
	iov[0].Base = &h.b[0]
	m.hdr.Iov = &iov[0]
	m.hdr.SetIovlen(2)
}

// add queues a packet behind the link header in link (empty on L3 devices) and
// returns its position. The queue must have room.
func (q *txQueue) add(k *packet.Packet, dst, src l2.MAC, vlan uint16, l3 bool) int {
	i := q.n
	q.n++
	fill(&q.hdrs[i], &q.iovs[i], &q.heads[i], k, dst, src, vlan, l3)
	q.name(&q.hdrs[i], k.V6())
	return i
}

func fill(m *mmsghdr, iov *[2]unix.Iovec, h *txHead, k *packet.Packet, dst, src l2.MAC, vlan uint16, l3 bool) {
	n := 0
	if !l3 {
		typ := uint16(l2.TypeIPv4)
		if k.V6() {
			typ = l2.TypeIPv6
		}
		n = l2.PutHeader(h.b[vnetLen:], dst, src, vlan, typ)
	}
	writeVnet((*[vnetLen]byte)(h.b[:]), k, n)
	setIov(m, iov, h, n, k.Buf[k.Off:k.End])
	h.gso = packet.GSONone
	if superPacket(k) {
		h.gso = k.GSO
	}
}

// setIov points a message to its head and its payload.
func setIov(m *mmsghdr, iov *[2]unix.Iovec, h *txHead, link int, b []byte) {
	h.len, h.ip, h.cut.growth = uint8(vnetLen+link), uint32(len(b)), 0
	m.hdr.Name, m.hdr.Namelen = nil, 0
	iov[0].SetLen(vnetLen + link)
	iov[1].Base = unsafe.SliceData(b)
	iov[1].SetLen(len(b))
	m.hdr.Iov = &iov[0]
	m.hdr.SetIovlen(2)
}

// addRaw queues a frame that is not IP or already complete.
func (q *txQueue) addRaw(dst, src l2.MAC, vlan, etherType uint16, b []byte) {
	i := q.n
	q.n++
	h := &q.heads[i]
	n := l2.PutHeader(h.b[vnetLen:], dst, src, vlan, etherType)
	clear(h.b[:vnetLen])
	h.gso = packet.GSONone
	setIov(&q.hdrs[i], &q.iovs[i], h, n, b)
}

func (q *txQueue) full() bool { return q.n == len(q.hdrs) }

// flush transmits all queued packets; afterwards nothing refers to them.
func (q *txQueue) flush() {
	for i := 0; i < q.n; {
		sent, e := sendmmsg(q.fd, q.hdrs[i:q.n])
		switch {
		case e == 0:
			for k := i; k < i+sent; k++ {
				q.count(&q.heads[k])
			}
			i += sent
		case e == unix.EINTR:
		case goneDevice(e) && q.heads[i].cut.growth == 0:
			q.counters.TxErrors += uint64(q.n - i)
			q.counters.TxNoDevice += uint64(q.n - i)
			i = q.n
		default:
			q.refused(i, e)
			i++
		}
	}
	q.n = 0
}

// sendmmsg does not tell Go's scheduler: the call never waits, and on one CPU
// being taken for a waiting one costs 15 % (a thread switch every 20 µs).
func sendmmsg(fd int, m []mmsghdr) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)),
		unix.MSG_DONTWAIT, 0, 0)
	return int(n), e
}

func (q *txQueue) count(h *txHead) {
	q.counters.TxPackets++
	q.counters.TxBytes += uint64(h.ip)
	q.strikes[h.gso] = 0
	if h.cut.growth != 0 {
		q.cutter.strikes = 0
	}
}
