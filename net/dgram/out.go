package dgram

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// short is how many bytes a datagram has that waits for others; longer ones leave at once.
const short = 512

// outbox is what waits to leave. All arrays are made once; the kernel's structures
// point into them.
type outbox struct {
	n     int
	hdrs  []mmsghdr
	iovs  []unix.Iovec
	names []unix.RawSockaddrInet6
	oob   [][oobRoom]byte
	data  [][short]byte
	whole bool // what leaves now must not be fragmented
	flush func(fd uintptr)
}

func (q *outbox) init(s *Socket, n int) {
	q.hdrs, q.iovs, q.names = make([]mmsghdr, n), make([]unix.Iovec, n), make([]unix.RawSockaddrInet6, n)
	q.oob, q.data = make([][oobRoom]byte, n), make([][short]byte, n)
	for i := range q.hdrs {
		h := &q.hdrs[i].hdr
		h.Iov, h.Name, h.Control = &q.iovs[i], (*byte)(unsafe.Pointer(&q.names[i])), &q.oob[i][0]
		h.SetIovlen(1)
	}
	q.flush = func(fd uintptr) { q.leave(fd, s.v6) }
}

// Send has a datagram leave from the address and by the interface it names, at the next
// Flush or before. What the kernel cannot take then is lost, as on any wire.
func (s *Socket) Send(o *Out) {
	q := &s.out
	alone := o.Whole || len(o.Data) > short
	if alone || q.n == len(q.hdrs) {
		s.Flush()
	}
	i := q.n
	q.n++
	q.address(i, o, s.v6)
	if !alone {
		q.point(i, q.data[i][:copy(q.data[i][:], o.Data)])
		return
	}
	q.point(i, o.Data)
	q.whole = o.Whole
	s.Flush()
	q.whole = false
	q.point(i, q.data[i][:0])
}

// Flush sends what waits.
func (s *Socket) Flush() {
	if s.out.n > 0 {
		_ = s.raw.Control(s.out.flush) // fails only when the socket is closed
		s.out.n = 0
	}
}

func (q *outbox) point(i int, b []byte) {
	q.iovs[i].Base = unsafe.SliceData(b)
	q.iovs[i].SetLen(len(b))
}

// leave hands everything to the kernel.
func (q *outbox) leave(fd uintptr, v6 bool) {
	if q.whole { // the other packets of the socket may be fragmented
		if fragment(int(fd), v6, false) != nil {
			return // cut in pieces it would prove nothing
		}
		defer func() { _ = fragment(int(fd), v6, true) }() // it could be set before
	}
	for i := 0; i < q.n; {
		n, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&q.hdrs[i])), uintptr(q.n-i),
			unix.MSG_DONTWAIT, 0, 0)
		switch e {
		case 0:
			i += max(int(n), 1)
		case unix.EINTR:
		default:
			i++ // that one is lost
		}
	}
}

// fragment lets the kernel cut what leaves or not. Forbidden, packets have DF and
// leave as long as the device takes them, whatever path MTU the kernel knows.
func fragment(fd int, v6, may bool) error {
	how := unix.IP_PMTUDISC_PROBE // the values of IPv6 are the same
	if may {
		how = unix.IP_PMTUDISC_DONT
	}
	if v6 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, how)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, how)
}

// address writes where a datagram goes to, and how.
func (q *outbox) address(i int, o *Out, v6 bool) {
	h, oob := &q.hdrs[i].hdr, q.oob[i][:0]
	if v6 {
		q.names[i] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: order(o.To.Port()), Addr: o.To.Addr().As16()}
		h.Namelen = unix.SizeofSockaddrInet6
		oob = pktinfo6(oob, o.Index, o.From)
		oob = number(oob, unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, uint32(o.Hops))
		oob = number(oob, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, uint32(o.DSCP)<<2)
	} else {
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(&q.names[i]))
		*a = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: order(o.To.Port()), Addr: o.To.Addr().As4()}
		h.Namelen = unix.SizeofSockaddrInet4
		oob = pktinfo4(oob, o.Index, o.From)
		oob = number(oob, unix.IPPROTO_IP, unix.IP_TTL, uint32(o.Hops))
		oob = number(oob, unix.IPPROTO_IP, unix.IP_TOS, uint32(o.DSCP)<<2)
	}
	h.SetControllen(len(oob))
}

// head appends the header of a control message with so many bytes of data.
func head(oob []byte, level, kind, size int) []byte {
	n := unix.CmsgLen(size)
	if unix.SizeofCmsghdr == 16 {
		oob = binary.NativeEndian.AppendUint64(oob, uint64(n))
	} else {
		oob = binary.NativeEndian.AppendUint32(oob, uint32(n))
	}
	oob = binary.NativeEndian.AppendUint32(oob, uint32(level))
	return binary.NativeEndian.AppendUint32(oob, uint32(kind))
}

// pad fills up to the alignment of the next control message.
func pad(oob []byte, start, size int) []byte {
	for len(oob) < start+unix.CmsgSpace(size) {
		oob = append(oob, 0)
	}
	return oob
}

// pktinfo6 appends struct in6_pktinfo: address, index.
func pktinfo6(oob []byte, index uint32, from netip.Addr) []byte {
	start, a := len(oob), from.As16()
	oob = append(head(oob, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, 20), a[:]...)
	return pad(binary.NativeEndian.AppendUint32(oob, index), start, 20)
}

// pktinfo4 appends struct in_pktinfo: index, source address, unused.
func pktinfo4(oob []byte, index uint32, from netip.Addr) []byte {
	start, a := len(oob), from.As4()
	oob = binary.NativeEndian.AppendUint32(head(oob, unix.IPPROTO_IP, unix.IP_PKTINFO, 12), index)
	return pad(append(append(oob, a[:]...), 0, 0, 0, 0), start, 12)
}

func number(oob []byte, level, kind int, v uint32) []byte {
	start := len(oob)
	return pad(binary.NativeEndian.AppendUint32(head(oob, level, kind, 4), v), start, 4)
}
