package lane

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"waymark/svr/lane/l2"
	"waymark/svr/packet"
)

// receive hands up to n frames to the handler and returns how many it took off
// the ring. The frames stay taken until release.
func (p *Port) receive(l *Lane, n int) int {
	got := 0
	for ; got < n && p.ring != nil; got++ {
		f, st := p.ring.next()
		if f == nil {
			if p.ring.taken < p.ring.size {
				p.own.empty(l.now)
			}
			break
		}
		p.losing = p.losing || st&unix.TP_STATUS_LOSING != 0
		i := info(f, st)
		if st&unix.TP_STATUS_COPY != 0 {
			k := l.longBuffer()
			if k == nil {
				break // the next batch has buffers again
			}
			p.ring.take()
			p.receiveLong(l, &i, k)
			continue
		}
		p.ring.take()
		p.receiveShort(l, &i, f)
	}
	l.settle()
	return got
}

// receiveShort handles a frame that lies whole in the ring.
func (p *Port) receiveShort(l *Lane, i *frameInfo, f []byte) {
	if i.captured < i.length {
		p.sent.RxTruncated++
		return
	}
	ip := i.mac + p.linkLen()
	end := i.mac + i.captured
	if ip > end || i.mac < vnetLen || end > frameSize {
		p.sent.RxMalformed++
		return
	}
	k := &l.rx[l.waiting] // nobody else waits with it
	k.Reset(f[frameBase:], ip-frameBase, end-frameBase, 0)
	p.deliver(l, i, k, f[i.mac-vnetLen:ip])
}

// receiveLong handles a frame that the ring holds only the start of: the whole
// waits in the socket's queue. k is a large spare packet.
func (p *Port) receiveLong(l *Lane, i *frameInfo, k *packet.Packet) {
	head := vnetLen + p.linkLen()
	at := Headroom - head
	room := k.Buf[at : len(k.Buf)-Tailroom]
	// Raw, as sendmmsg is: it never waits.
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(p.in), uintptr(unsafe.Pointer(&room[0])), uintptr(len(room)),
		unix.MSG_DONTWAIT|unix.MSG_TRUNC, 0, 0)
	if e != 0 || int(n) > len(room) || int(n) < head {
		p.sent.RxTruncated++
		return
	}
	k.Reset(k.Buf, Headroom, at+int(n), 0)
	p.deliver(l, i, k, room[:head])
}

// linkLen is the length of the link header the kernel hands us.
func (p *Port) linkLen() int {
	if p.l3 {
		return 0
	}
	return l2.HeaderLen
}

// deliver hands an IP packet to the handler, or other frames of a tag to its
// station. head is the virtio-net header and the link header.
func (p *Port) deliver(l *Lane, i *frameInfo, k *packet.Packet, head []byte) {
	it := p.find(i.vlan)
	if it == nil {
		p.sent.RxIgnored++
		return
	}
	if !readVnet(head, k) {
		p.sent.RxMalformed++
		return
	}
	if it.station != nil && it.station.Input(l.now, l2.MAC(head[vnetLen+6:]), i.proto, k.IP()) {
		return
	}
	if i.pktType != packetHost || i.proto != l2.TypeIPv4 && i.proto != l2.TypeIPv6 {
		p.sent.RxIgnored++
		return
	}
	k.If = it.ID
	p.sent.RxPackets++
	p.sent.RxBytes += uint64(k.Len())
	l.hand(k)
}
