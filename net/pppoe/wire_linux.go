package pppoe

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"waymark/net/link"
	"waymark/net/pppoe/disc"
	"waymark/net/rtnl"
)

// overhead is what PPPoE and PPP add to an IP packet, in bytes.
const overhead = 8

// sockets is the wire of the kernel.
type sockets struct {
	ethernet string
	index    int
	port     int // below it, or itself
	name     string
	in       chan heard
	done     chan struct{}
	read     sync.WaitGroup // of discovery

	former int          // MTU of the port to put back; 0: none
	raw    *packet.Conn // discovery; nil: not open
	conn   *rtnl.Conn   // nil: not open
	unit   *unit        // nil: not made
	call   *call        // nil: no session
}

func newSockets(o *Options) *sockets {
	return &sockets{ethernet: o.Ethernet, index: o.Index, port: o.Port, name: o.Name, in: make(chan heard, 16), done: make(chan struct{})}
}

func (s *sockets) received() <-chan heard { return s.in }
func (s *sockets) formerMTU() int         { return s.former }

// prepare opens what lasts as long as the client. An interface that cannot be
// made yet is tried again with every session.
func (s *sockets) prepare(mru uint16, former int) (mtu int, err error) {
	if s.conn, err = rtnl.Dial(); err != nil {
		return 0, err
	}
	if mtu, err = s.widen(int(mru)+overhead, former); err != nil {
		return 0, err
	}
	return mtu - overhead, errors.Join(s.listen(), s.make())
}

// widen raises the MTU of the port, and of a VLAN device on it, if packets need
// it and the port can. That of a VLAN device falls with its port's.
func (s *sockets) widen(want, former int) (int, error) {
	l, err := link.ByIndex(s.conn, s.port)
	if err != nil {
		return 0, err
	}
	s.former = former
	if l.MTU < want {
		if link.SetMTU(s.conn, s.port, want) != nil {
			return l.MTU, nil // a device of 1500 bytes is nothing wrong
		}
		if former == 0 {
			s.former = l.MTU
		}
	}
	if s.port == s.index {
		return max(l.MTU, want), nil
	}
	if err := link.SetMTU(s.conn, s.index, want); err != nil {
		return 0, err
	}
	return want, nil
}

func (s *sockets) listen() error {
	ifi := &net.Interface{Index: s.index, Name: s.ethernet, HardwareAddr: make(net.HardwareAddr, 6)}
	c, err := packet.Listen(ifi, packet.Raw, disc.EtherType, nil)
	if err != nil {
		return fmt.Errorf("open discovery socket on %s: %w", s.ethernet, err)
	}
	s.raw = c
	s.read.Go(func() { s.hearDiscovery(c) })
	return nil
}

// hearDiscovery hands on what the line says until the socket is closed. The line
// may go down and come back meanwhile.
func (s *sockets) hearDiscovery(c *packet.Conn) {
	b := make([]byte, 2048)
	for {
		n, _, err := c.ReadFrom(b)
		switch {
		case errors.Is(err, unix.ENETDOWN):
			continue
		case err != nil:
			return
		}
		select {
		case s.in <- heard{heardDiscovery, append([]byte(nil), b[:n]...)}:
		default: // a flood: access concentrators repeat what matters
		}
	}
}

// hand gives something to the client; false: nobody wants it any more.
func (s *sockets) hand(h heard, over <-chan struct{}) bool {
	select {
	case s.in <- h:
		return true
	case <-over:
	case <-s.done:
	}
	return false
}

func (s *sockets) discover(frame []byte) error {
	if s.raw == nil {
		if err := s.listen(); err != nil {
			return err
		}
	}
	to := make(net.HardwareAddr, 6)
	copy(to, frame)
	if _, err := s.raw.WriteTo(frame, &packet.Addr{HardwareAddr: to}); err != nil {
		return fmt.Errorf("send on %s: %w", s.ethernet, err)
	}
	return nil
}

// make makes the interface.
func (s *sockets) make() (err error) {
	if s.unit == nil {
		s.unit, err = newUnit(s.conn, s.name)
	}
	return err
}

func (s *sockets) open(c Channel) error {
	if s.conn == nil {
		return errors.New("no netlink socket")
	}
	if err := s.make(); err != nil {
		return err
	}
	k, err := dial(s.ethernet, c, s.unit)
	if err != nil {
		return err
	}
	s.call = k
	k.listen(s.hand)
	return nil
}

func (s *sockets) write(frame []byte) error {
	if s.call == nil {
		return errNoCall
	}
	return s.call.write(frame)
}

func (s *sockets) carry(a Action) error {
	if s.unit == nil {
		return errNoCall
	}
	return s.unit.carry(s.conn, a)
}

func (s *sockets) hangup() {
	if s.call != nil {
		s.call.close()
		s.call = nil
	}
	s.drain()
}

// drain forgets what a session said that is over; what discovery heard in the
// meantime comes again.
func (s *sockets) drain() {
	for {
		select {
		case <-s.in:
		default:
			return
		}
	}
}

func (s *sockets) close() {
	close(s.done)
	s.hangup()
	if s.unit != nil {
		s.unit.close()
	}
	if s.raw != nil {
		s.raw.Close()
	}
	s.read.Wait()
	if s.conn != nil {
		if s.former != 0 {
			_ = link.SetMTU(s.conn, s.port, s.former) // the device may be gone
		}
		s.conn.Close()
	}
}
