package dhcp4

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"waymark/net/frame"
)

// hearing is what a client listens to.
type hearing uint8

const (
	deaf     hearing = iota
	hearARP          // with a lease: others on our address
	hearAll          // DHCP and ARP, before the kernel's own filters
	hearBoth         // the same, and UDP to the lease's address
)

// heard is a frame of the packet socket, or the payload of a datagram.
type heard struct {
	data     []byte
	datagram bool
}

// wire is how a client sees its link. Sockets belong to the network namespace
// of the thread that calls listen.
type wire interface {
	listen(h hearing, lease netip.Addr) error
	send(frame []byte) error
	sendTo(d Datagram) error
	received() <-chan heard
	close()
}

// sockets is the wire of the kernel. The packet socket of ETH_P_ALL sees
// frames before the kernel's filters and the lane do, so that unicast answers to
// an address nobody has yet arrive; it is open only while there is no lease or
// one is to be extended. On a tag the kernel has no address: there it is the
// only socket, and stays.
type sockets struct {
	name  string
	index int
	vlan  uint16
	mac   frame.MAC
	in    chan heard
	done  chan struct{}
	read  sync.WaitGroup

	how   hearing
	lease netip.Addr // what how is about
	raw   *packet.Conn
	udp   net.PacketConn
}

func newSockets(name string, index int, vlan uint16, mac frame.MAC) *sockets {
	return &sockets{name: name, index: index, vlan: vlan, mac: mac, in: make(chan heard, 16), done: make(chan struct{})}
}

func (s *sockets) received() <-chan heard { return s.in }

// listen opens and closes sockets so that h is heard and nothing else.
func (s *sockets) listen(h hearing, lease netip.Addr) error {
	udp := h == hearBoth && s.vlan == 0
	if h == s.how && lease == s.lease && (!udp || s.udp != nil) {
		return nil
	}
	if frames(h) != frames(s.how) || h == hearARP && lease != s.lease {
		if err := s.openRaw(frames(h), lease); err != nil {
			return err
		}
	}
	s.how, s.lease = h, lease
	if s.udp != nil {
		s.udp.Close()
		s.udp = nil
	}
	if !udp {
		return nil
	}
	return s.openUDP(lease)
}

// frames is the packet socket's part.
func frames(h hearing) hearing { return min(h, hearAll) }

func (s *sockets) openRaw(h hearing, lease netip.Addr) error {
	if s.raw != nil {
		s.raw.Close()
		s.raw = nil
		s.how = deaf
	}
	if h == deaf {
		return nil
	}
	proto, filter := unix.ETH_P_ALL, wireFilter(s.vlan)
	if h == hearARP {
		filter = claimFilter(s.vlan, lease)
		if s.vlan == 0 {
			proto = unix.ETH_P_ARP
		}
	}
	c, err := frame.Open(s.name, s.index, proto, filter)
	if err != nil {
		return err
	}
	s.raw = c
	s.read.Go(func() { s.drain(c, false) })
	return nil
}

func (s *sockets) openUDP(lease netip.Addr) error {
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) (err error) {
		ctl := rc.Control(func(fd uintptr) {
			err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.BindToDevice(int(fd), s.name))
		})
		return errors.Join(ctl, err)
	}}
	c, err := lc.ListenPacket(context.Background(), "udp4", netip.AddrPortFrom(lease, clientPort).String())
	if err != nil {
		return fmt.Errorf("open DHCP client port of %s: %w", lease, err)
	}
	s.udp = c
	s.read.Go(func() { s.drain(c, true) })
	return nil
}

// drain hands on what a socket receives until it is closed. The interface may go
// down and come back meanwhile.
func (s *sockets) drain(c net.PacketConn, datagram bool) {
	b := make([]byte, frame.Whole)
	for {
		n, _, err := c.ReadFrom(b)
		switch {
		case errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ECONNREFUSED):
			continue
		case err != nil:
			return
		}
		select {
		case s.in <- heard{append([]byte(nil), b[:n]...), datagram}:
		case <-s.done:
			return
		default: // a flood: servers repeat what matters
		}
	}
}

func (s *sockets) send(b []byte) error {
	if s.raw == nil {
		return errNoSocket
	}
	return frame.Send(s.raw, b, s.vlan)
}

// sendTo sends by the kernel's own stack, which knows the way, or as a frame to
// the station that answered last where the kernel has no such address.
func (s *sockets) sendTo(d Datagram) error {
	if s.vlan != 0 {
		return s.sendVia(d)
	}
	if s.udp == nil {
		if err := s.openUDP(d.From); err != nil {
			return s.sendVia(d)
		}
		defer func() { // a last word: nobody listens for an answer
			s.udp.Close()
			s.udp = nil
		}()
	}
	_, err := s.udp.WriteTo(d.Payload, net.UDPAddrFromAddrPort(netip.AddrPortFrom(d.To, serverPort)))
	return err
}

func (s *sockets) sendVia(d Datagram) error {
	if s.raw == nil { // deaf already: a last word
		if err := s.openRaw(hearARP, d.From); err != nil {
			return err
		}
		defer func() { _ = s.openRaw(deaf, netip.Addr{}) }() // closing has no error that matters
	}
	return s.send(viaFrame(s.mac, d))
}

var errNoSocket = errors.New("no socket on the link")

func (s *sockets) close() {
	close(s.done)
	_ = s.openRaw(deaf, netip.Addr{}) // closing has no error that matters
	if s.udp != nil {
		s.udp.Close()
	}
	s.read.Wait()
}
