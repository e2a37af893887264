package dgram

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// oobRoom is what control messages of a datagram need at most, and some more.
const oobRoom = 128

// inbox is a batch of datagrams that arrived. All arrays are made once; the kernel's
// structures point into them.
type inbox struct {
	hdrs  []mmsghdr
	iovs  []unix.Iovec
	names []unix.RawSockaddrInet6
	oob   []byte
	data  []byte
	each  int   // bytes of data
	n     int   // datagrams of the batch
	now   int64 // wall clock when they were taken, ns
	take  func(fd uintptr)
	ready func(fd uintptr) bool
}

func (b *inbox) init(s *Socket, c *Config) {
	b.hdrs, b.iovs = make([]mmsghdr, c.Batch), make([]unix.Iovec, c.Batch)
	b.names = make([]unix.RawSockaddrInet6, c.Batch)
	b.oob, b.data, b.each = make([]byte, c.Batch*oobRoom), make([]byte, c.Batch*c.Longest), c.Longest
	for i := range b.hdrs {
		h := &b.hdrs[i].hdr
		b.iovs[i].Base = &b.data[i*b.each]
		b.iovs[i].SetLen(b.each)
		h.Iov, h.Name, h.Control = &b.iovs[i], (*byte)(unsafe.Pointer(&b.names[i])), &b.oob[i*oobRoom]
		h.SetIovlen(1)
	}
	b.take = func(fd uintptr) { b.n = b.receive(fd) }
	b.ready = func(uintptr) bool { return s.Receive() > 0 }
}

// Receive takes what has arrived, a batch at most, and tells how many there were.
func (s *Socket) Receive() int {
	s.in.n = 0
	_ = s.raw.Control(s.in.take) // fails only when the socket is closed: nothing comes
	return s.in.n
}

// Batch is how many datagrams Receive takes at most.
func (s *Socket) Batch() int { return len(s.in.hdrs) }

// errorsInRow is how many errors of earlier sends, which are told here, are passed over.
const errorsInRow = 16

func (b *inbox) receive(fd uintptr) int {
	for i := range b.hdrs {
		b.hdrs[i].hdr.Namelen = uint32(unsafe.Sizeof(b.names[i]))
		b.hdrs[i].hdr.SetControllen(oobRoom)
	}
	for range errorsInRow {
		n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.hdrs[0])), uintptr(len(b.hdrs)),
			unix.MSG_DONTWAIT, 0, 0)
		if e == 0 {
			b.now = time.Now().UnixNano()
			return int(n)
		}
		if e == unix.EAGAIN {
			break
		}
	}
	return 0
}

// Datagram reads datagram i of the batch; false: the kernel did not say all about it.
func (s *Socket) Datagram(i int, d *In) (ok bool) {
	b := &s.in
	h := &b.hdrs[i]
	*d = In{Data: b.data[i*b.each:][:min(int(h.n), b.each)]}
	name := &b.names[i]
	switch name.Family {
	case unix.AF_INET6:
		d.From = netip.AddrPortFrom(netip.AddrFrom16(name.Addr), order(name.Port))
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		d.From = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), order(a.Port))
	default:
		return false
	}
	return d.origin(b.oob[i*oobRoom:][:min(int(h.hdr.Controllen), oobRoom)], b.now)
}

// order exchanges a port between network and machine.
func order(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

// origin reads the control messages of a datagram.
func (d *In) origin(oob []byte, now int64) (ok bool) {
	for len(oob) >= unix.CmsgLen(0) {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return false
		}
		oob = rest
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= 12:
			d.Index, d.To, ok = binary.NativeEndian.Uint32(data), netip.AddrFrom4([4]byte(data[8:12])), true
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= 20:
			d.Index, d.To, ok = binary.NativeEndian.Uint32(data[16:]), netip.AddrFrom16([16]byte(data[:16])), true
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TTL, h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_HOPLIMIT:
			if len(data) >= 4 {
				d.Hops = uint8(binary.NativeEndian.Uint32(data))
			}
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPNS:
			d.Age = age(data, now)
		}
	}
	return ok
}

// age is the time since a struct timespec; its seconds may have 32 bits, and wrap.
func age(b []byte, now int64) int64 {
	var sec, ns uint32
	switch {
	case len(b) >= 16:
		sec, ns = uint32(binary.NativeEndian.Uint64(b)), uint32(binary.NativeEndian.Uint64(b[8:]))
	case len(b) >= 8:
		sec, ns = binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint32(b[4:])
	default:
		return 0
	}
	return max(int64(int32(uint32(now/1e9)-sec))*1e9+now%1e9-int64(ns), 0)
}
