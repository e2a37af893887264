package dhcpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"waymark/net/frame"
)

// wire is how a daemon sees its link.
type wire interface {
	open() error
	send(frame []byte) error
	received() <-chan []byte
	close()
}

// sockets is the wire of the kernel. Without a tag the sockets stand behind the
// lane, which costs it nothing, and a UDP socket that hears nothing keeps the
// kernel from telling hosts that there is no server. On a tag there is one
// socket before the lane, because the kernel drops what has a tag it does not
// know.
type sockets struct {
	name  string
	index int
	vlan  uint16
	in    chan []byte
	done  chan struct{}
	read  sync.WaitGroup

	raw   []*packet.Conn
	quiet net.PacketConn
}

func (s *sockets) received() <-chan []byte { return s.in }

func (s *sockets) open() error {
	protocols, begin := []int{unix.ETH_P_IP, unix.ETH_P_ARP}, frame.Untagged()
	if s.vlan != 0 {
		protocols, begin = []int{unix.ETH_P_ALL}, frame.OnTag(s.vlan)
	}
	filter := frame.Assemble(begin, frame.ToPort(serverPort))
	for _, p := range protocols {
		c, err := frame.Open(s.name, s.index, p, filter)
		if err != nil {
			return errors.Join(err, s.shut())
		}
		s.raw = append(s.raw, c)
	}
	if s.vlan == 0 {
		if err := s.openQuiet(); err != nil {
			return errors.Join(err, s.shut())
		}
	}
	for _, c := range s.raw {
		s.read.Go(func() { s.drain(c) })
	}
	return nil
}

// openQuiet takes UDP port 67 of the interface. Another server there is an error.
func (s *sockets) openQuiet() error {
	nothing, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 0}})
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(nothing))
	for i, r := range nothing {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) (err error) {
		ctl := rc.Control(func(fd uintptr) {
			err = errors.Join(unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog),
				unix.BindToDevice(int(fd), s.name))
		})
		return errors.Join(ctl, err)
	}}
	if s.quiet, err = lc.ListenPacket(context.Background(), "udp4", fmt.Sprintf("0.0.0.0:%d", serverPort)); err != nil {
		return fmt.Errorf("open DHCP server port of %s: %w", s.name, err)
	}
	return nil
}

// drain hands on what a socket receives until it is closed. A flood is dropped:
// hosts ask again.
func (s *sockets) drain(c *packet.Conn) {
	b := make([]byte, frame.Whole)
	for {
		n, _, err := c.ReadFrom(b)
		switch {
		case errors.Is(err, unix.ENETDOWN):
			continue
		case err != nil:
			return
		}
		select {
		case s.in <- append([]byte(nil), b[:n]...):
		case <-s.done:
			return
		default:
		}
	}
}

func (s *sockets) send(b []byte) error { return frame.Send(s.raw[0], b, s.vlan) }

func (s *sockets) shut() error {
	var errs []error
	for _, c := range s.raw {
		errs = append(errs, c.Close())
	}
	if s.quiet != nil {
		errs = append(errs, s.quiet.Close())
	}
	s.raw, s.quiet = nil, nil
	return errors.Join(errs...)
}

func (s *sockets) close() {
	close(s.done)
	_ = s.shut() // closing has no error that matters
	s.read.Wait()
}
