package watch

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"waymark/svr/path/peer"
)

func native32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }

// Transmit implements peer.Output; mu is held. It never waits: what the kernel
// cannot take now is lost, as on any wire.
func (w *Watcher) Transmit(s *peer.Sending) {
	f := &w.tables.Interfaces[s.If]
	if f.VLAN != 0 {
		if s.Scratch != 0 {
			port, ok := w.scratch.tag(s)
			if !ok {
				return
			}
			s.Port = port
		}
		w.sendTagged(s)
		return
	}
	index, ok := w.indexOf(s.If)
	if s.Scratch != 0 {
		if ok || len(s.Data) == 0 {
			w.sendScratch(index, s)
		}
		return
	}
	if sock := w.socks.find(s.Port, !s.To.Addr().Is4()); ok && sock != nil {
		sock.send(index, s)
	}
}

// indexOf returns the kernel's index of a network-interface.
func (w *Watcher) indexOf(ifc uint16) (uint32, bool) {
	for index, id := range w.indexes {
		if id == ifc {
			return index, true
		}
	}
	return 0, false
}

// send sends one datagram from the address and by the interface it names.
func (s *socket) send(index uint32, p *peer.Sending) {
	o := &s.out
	o.data, o.oob = p.Data, o.oob[:0]
	if s.v6 {
		a := p.Local.As16()
		o.to6 = unix.SockaddrInet6{Port: int(p.To.Port()), Addr: p.To.Addr().As16()}
		o.control(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, a[:], index)
		o.number(unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, uint32(p.Hops))
		o.number(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, uint32(p.DSCP)<<2)
	} else {
		var info [8]byte // struct in_pktinfo behind the index: source, then unused
		a := p.Local.As4()
		copy(info[:], a[:])
		o.to4 = unix.SockaddrInet4{Port: int(p.To.Port()), Addr: p.To.Addr().As4()}
		o.pktinfo4(index, info[:])
		o.number(unix.IPPROTO_IP, unix.IP_TTL, uint32(p.Hops))
		o.number(unix.IPPROTO_IP, unix.IP_TOS, uint32(p.DSCP)<<2)
	}
	o.whole = p.Whole
	_ = s.raw.Write(o.do) // fails only when the socket is closed
}

// sendOnce never asks to be called again.
func (s *socket) sendOnce(fd uintptr) bool {
	if s.out.whole { // the other packets of the socket may be fragmented
		if s.out.err = s.fragment(int(fd), false); s.out.err != nil {
			return true // cut in pieces it would prove nothing
		}
		defer s.fragment(int(fd), true)
	}
	if s.v6 {
		_, s.out.err = unix.SendmsgN(int(fd), s.out.data, s.out.oob, &s.out.to6, unix.MSG_DONTWAIT)
	} else {
		_, s.out.err = unix.SendmsgN(int(fd), s.out.data, s.out.oob, &s.out.to4, unix.MSG_DONTWAIT)
	}
	return true
}

// fragment lets the kernel cut what leaves or not. Forbidden, packets have DF and
// leave as long as the device takes them, whatever path MTU the kernel knows.
func (s *socket) fragment(fd int, may bool) error {
	how := unix.IP_PMTUDISC_PROBE // the values of IPv6 are the same
	if may {
		how = unix.IP_PMTUDISC_DONT
	}
	if s.v6 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, how)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, how)
}

// head appends the header of a control message with so many bytes of data.
func (o *sending) head(level, kind, size int) {
	n := unix.CmsgLen(size)
	if unix.SizeofCmsghdr == 16 {
		o.oob = binary.NativeEndian.AppendUint64(o.oob, uint64(n))
	} else {
		o.oob = binary.NativeEndian.AppendUint32(o.oob, uint32(n))
	}
	o.oob = binary.NativeEndian.AppendUint32(o.oob, uint32(level))
	o.oob = binary.NativeEndian.AppendUint32(o.oob, uint32(kind))
}

// pad fills up to the alignment of the next control message.
func (o *sending) pad(start, size int) {
	for len(o.oob) < start+unix.CmsgSpace(size) {
		o.oob = append(o.oob, 0)
	}
}

// control appends struct in6_pktinfo: address, index.
func (o *sending) control(level, kind int, addr []byte, index uint32) {
	start, size := len(o.oob), len(addr)+4
	o.head(level, kind, size)
	o.oob = binary.NativeEndian.AppendUint32(append(o.oob, addr...), index)
	o.pad(start, size)
}

// pktinfo4 appends struct in_pktinfo: index, source address, unused.
func (o *sending) pktinfo4(index uint32, addrs []byte) {
	start, size := len(o.oob), 4+len(addrs)
	o.head(unix.IPPROTO_IP, unix.IP_PKTINFO, size)
	o.oob = append(binary.NativeEndian.AppendUint32(o.oob, index), addrs...)
	o.pad(start, size)
}

func (o *sending) number(level, kind int, v uint32) {
	start := len(o.oob)
	o.head(level, kind, 4)
	o.oob = binary.NativeEndian.AppendUint32(o.oob, v)
	o.pad(start, 4)
}
