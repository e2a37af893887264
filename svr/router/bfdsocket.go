package router

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

const bfdPort = wire.BFDPort

// bfdBuffer is what the kernel keeps of BFD that nobody read yet, in bytes.
const bfdBuffer = 1 << 20

// bfdSocket is one UDP socket of BFD: a port of one family, on every address.
type bfdSocket struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	port uint16
	v6   bool
	out  sending
}

// sending is the send that is under way. It lives here so that nothing is
// allocated; the watcher's mu guards it.
type sending struct {
	to4  unix.SockaddrInet4
	to6  unix.SockaddrInet6
	data []byte
	oob  []byte
	do   func(fd uintptr) bool
	err  error
}

// sockets are those of a router.
type sockets []*bfdSocket

func (list sockets) close() {
	for _, s := range list {
		s.conn.Close()
	}
}

// find returns the socket that a datagram leaves by, nil without one.
func (list sockets) find(port uint16, v6 bool) *bfdSocket {
	for _, s := range list {
		if s.port == port && s.v6 == v6 {
			return s
		}
	}
	return nil
}

// open opens the sockets for the given ports, both families.
func (w *watcher) open(ports ...uint16) error {
	for _, port := range ports {
		for _, v6 := range []bool{false, true} {
			s, err := openBFD(port, v6)
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

func openBFD(port uint16, v6 bool) (*bfdSocket, error) {
	network := "udp4"
	if v6 {
		network = "udp6"
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = prepareBFD(int(fd), v6) }); e != nil {
			return e
		}
		return err
	}}
	pc, err := lc.ListenPacket(context.Background(), network, fmt.Sprintf(":%d", port))
	if err != nil {
		return nil, fmt.Errorf("open BFD socket: %w", err)
	}
	s := &bfdSocket{conn: pc.(*net.UDPConn), port: port, v6: v6}
	if s.raw, err = s.conn.SyscallConn(); err != nil {
		pc.Close()
		return nil, fmt.Errorf("open BFD socket: %w", err)
	}
	s.out.oob = make([]byte, 0, 128)
	s.out.do = s.sendOnce
	return s, nil
}

// prepareBFD asks for interface, own address and hop limit of what arrives.
func prepareBFD(fd int, v6 bool) error {
	type option struct{ level, name, value int }
	options := []option{{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bfdBuffer},
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
func (w *watcher) listen(s *bfdSocket) {
	buf, oob := make([]byte, peer.MaxDatagram), make([]byte, 256)
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
		d.Data = buf[:n]
		w.arrive(index, &d)
	}
}

// arrive finds the network-interface of a datagram.
func (w *watcher) arrive(index uint32, d *peer.Datagram) {
	w.mu.Lock()
	ifc, ok := w.indexes[index]
	w.mu.Unlock()
	if ok {
		d.If = ifc
		w.receive(d)
	}
}

// origin reads the control messages of a datagram.
func (s *bfdSocket) origin(oob []byte, d *peer.Datagram) (index uint32, ok bool) {
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
