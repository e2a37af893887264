package lane

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"waymark/svr/lane/l2"
	"waymark/svr/packet"
)

// refused handles message i, which the kernel did not take. A refused
// super-packet is cut in software; an offload that is refused again and again
// is dropped for good.
func (q *txQueue) refused(i int, e unix.Errno) {
	if e == unix.ENOBUFS || e == unix.EAGAIN {
		q.crowded.Add(1)
	}
	h := &q.heads[i]
	offload := e == unix.EINVAL || e == unix.EOPNOTSUPP || e == unix.EIO || h.cut.growth != 0 && goneDevice(e)
	if !offload || h.gso == packet.GSONone {
		q.counters.TxErrors++
		return
	}
	if h.cut.growth != 0 {
		q.cutter.struck(goneDevice(e))
		h.restore()
	} else if q.strikes[h.gso]++; q.strikes[h.gso] >= maxStrikes {
		q.offloads &^= offloadOf(h.gso)
	}
	var k packet.Packet
	if !q.view(i, &k) || !q.cut(&k, h) {
		q.counters.TxErrors++
	}
}

// view makes a Packet of a queued super-packet. One that was gathered from
// several buffers is joined: it allocates, a few times until the offload goes.
func (q *txQueue) view(i int, k *packet.Packet) bool {
	m := &q.hdrs[i]
	h := &q.heads[i]
	iov := unsafe.Slice(m.hdr.Iov, int(m.hdr.Iovlen))[1:]
	b := unsafe.Slice(iov[0].Base, int(iov[0].Len))
	if len(iov) > 1 {
		b = make([]byte, 0, h.ip)
		for _, v := range iov {
			b = append(b, unsafe.Slice(v.Base, int(v.Len))...)
		}
	}
	k.Reset(b, 0, len(b), 0)
	if !readVnet(h.b[:vnetLen], k) || k.Parse() != nil {
		return false
	}
	return true
}

// cut sends a super-packet as packets of its segment size with complete
// checksums, each behind the link header of h.
func (q *txQueue) cut(k *packet.Packet, h *txHead) bool {
	q.oneHead = *h
	if !q.seg.Init(k, int(k.GSOSize)) {
		return false
	}
	q.counters.TxSegmented++
	first, size, grown := uint32(0), int(k.GSOSize), q.oneHead.cut.growth
	if grown != 0 {
		first = seq(k)
	}
	for {
		q.scratch.Reset(q.scratch.Buf, Headroom, Headroom, 0)
		if !q.seg.Next(&q.scratch) {
			return true
		}
		renumber(&q.scratch, first, size, grown)
		q.scratch.CompleteCsum()
		q.sendOne()
	}
}

// sendOne transmits scratch at once, behind the link header of oneHead.
func (q *txQueue) sendOne() {
	h := &q.oneHead
	clear(h.b[:vnetLen])
	h.gso = packet.GSONone
	setIov(&q.one, &q.oneIov, h, int(h.len)-vnetLen, q.scratch.IP())
	q.name(&q.one, q.scratch.IP()[0]>>4 == 6)
	for {
		_, _, e := unix.Syscall(unix.SYS_SENDMSG, uintptr(q.fd), uintptr(unsafe.Pointer(&q.one.hdr)), unix.MSG_DONTWAIT)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			q.counters.TxErrors++
		} else {
			q.count(h)
		}
		return
	}
}

// addCut queues a super-packet whose offload the port has not: what is queued
// goes first, then the segments one by one.
func (q *txQueue) addCut(k *packet.Packet, dst, src l2.MAC, vlan uint16, l3 bool) {
	q.flush()
	h := &q.oneHead
	fill(&q.one, &q.oneIov, h, k, dst, src, vlan, l3)
	if head := *h; !q.cut(k, &head) {
		q.counters.TxErrors++
	}
}
