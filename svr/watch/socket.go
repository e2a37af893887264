package watch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"waymark/svr/path/peer"
	"waymark/svr/wire"
)

// Port is the one that routers exchange BFD on.
const Port = wire.BFDPort

// socketBuffer is what the kernel keeps of BFD that nobody read yet, in bytes.
const socketBuffer = 1 << 20

// socket is one UDP socket of BFD: a port of one family, on every address.
type socket struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	port uint16
	v6   bool
	// scratch is the number of a port for questions about NATs, 0: it is none.
	scratch uint8
	out     sending
}

// sending is the send that is under way. It lives here so that nothing is
// allocated; the Watcher's mu guards it.
type sending struct {
	to4  unix.SockaddrInet4
	to6  unix.SockaddrInet6
	data []byte
	oob  []byte
	do   func(fd uintptr) bool
	// whole: it must not be fragmented.
	whole bool
	err   error
}

// sockets are those of a router.
type sockets []*socket

func (list sockets) close() {
	for _, s := range list {
		s.conn.Close()
	}
}

// find returns the socket that a datagram leaves by, nil without one.
func (list sockets) find(port uint16, v6 bool) *socket {
	for _, s := range list {
		if s.port == port && s.v6 == v6 {
			return s
		}
	}
	return nil
}

// Open opens the sockets that the configuration needs, both families.
func (w *Watcher) Open() error {
	for _, port := range w.ports() {
		for _, v6 := range []bool{false, true} {
			s, err := openSocket(port, v6)
			if v6 && errors.Is(err, syscall.EAFNOSUPPORT) {
				continue // a kernel without IPv6
			}
			if err != nil {
				w.socks.close()
				return err
			}
			w.socks = append(w.socks, s)
		}
	}
	return nil
}

// ports are those that the configuration needs: ours always, the standard ones
// with a neighbour there, and one to send from.
func (w *Watcher) ports() []uint16 {
	list, standard := []uint16{Port}, map[uint16]bool{}
	for _, n := range w.set.Neighbors() {
		if p := n.Config().Port; p != Port {
			standard[p] = true
		}
	}
	for p := range standard {
		list = append(list, p)
	}
	if len(standard) > 0 {
		list = append(list, peer.SourcePort)
	}
	return list
}

func openSocket(port uint16, v6 bool) (*socket, error) {
	network := "udp4"
	if v6 {
		network = "udp6"
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = prepare(int(fd), v6) }); e != nil {
			return e
		}
		return err
	}}
	pc, err := lc.ListenPacket(context.Background(), network, fmt.Sprintf(":%d", port))
	if err != nil {
		return nil, fmt.Errorf("open BFD socket: %w", err)
	}
	s := &socket{conn: pc.(*net.UDPConn), port: port, v6: v6}
	if s.raw, err = s.conn.SyscallConn(); err != nil {
		pc.Close()
		return nil, fmt.Errorf("open BFD socket: %w", err)
	}
	s.out.oob = make([]byte, 0, 128)
	s.out.do = s.sendOnce
	return s, nil
}

// prepare asks for interface, own address and hop limit of what arrives.
func prepare(fd int, v6 bool) error {
	type option struct{ level, name, value int }
	options := []option{{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer},
		{unix.IPPROTO_IP, unix.IP_PKTINFO, 1}, {unix.IPPROTO_IP, unix.IP_RECVTTL, 1},
		{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT}}
	if v6 {
		options = []option{options[0], {unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
			{unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1}, {unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1}}
	}
	for _, o := range options {
		err := unix.SetsockoptInt(fd, o.level, o.name, o.value)
		if o.name == unix.SO_RCVBUFFORCE && errors.Is(err, unix.EPERM) {
			continue // not root: what the kernel gives must do
		}
		if err != nil {
			return fmt.Errorf("set socket option %d: %w", o.name, err)
		}
	}
	return nil
}

// listen hands what arrives to the watcher until the socket is closed.
func (w *Watcher) listen(s *socket, buf []byte) {
	oob := make([]byte, 256)
	var d peer.Datagram
	for {
		n, oobn, _, from, err := s.conn.ReadMsgUDPAddrPort(buf, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an error of an earlier send, told here
		}
		d.From = netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
		index, ok := s.origin(oob[:oobn], &d)
		if !ok {
			continue
		}
		d.Data, d.Scratch = buf[:n], s.scratch
		w.arrive(index, &d)
	}
}

// arrive finds the network-interface of a datagram.
func (w *Watcher) arrive(index uint32, d *peer.Datagram) {
	w.mu.Lock()
	ifc, ok := w.indexes[index]
	w.mu.Unlock()
	if ok {
		d.If = ifc
		w.receive(d)
	}
}

// origin reads the control messages of a datagram.
func (s *socket) origin(oob []byte, d *peer.Datagram) (index uint32, ok bool) {
	for len(oob) >= unix.CmsgLen(0) {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return 0, false
		}
		oob = rest
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= 12:
			index, ok = native32(data), true
			d.To = netip.AddrPortFrom(netip.AddrFrom4([4]byte(data[8:12])), s.port)
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= 20:
			index, ok = native32(data[16:]), true
			d.To = netip.AddrPortFrom(netip.AddrFrom16([16]byte(data[:16])), s.port)
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TTL, h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_HOPLIMIT:
			if len(data) >= 4 {
				d.Hops = uint8(native32(data))
			}
		}
	}
	return index, ok
}
