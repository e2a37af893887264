package frame

import (
	"errors"
	"fmt"
	"net"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Open opens a packet socket on a Linux interface, for whole frames of a
// protocol (unix.ETH_P_ALL: before the kernel's filters and the lane). What the
// machine itself sends it does not hear.
func Open(name string, index, protocol int, filter []bpf.RawInstruction) (*packet.Conn, error) {
	ifi := &net.Interface{Index: index, Name: name, HardwareAddr: make(net.HardwareAddr, 6)}
	c, err := packet.Listen(ifi, packet.Raw, protocol, &packet.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("open packet socket on %s: %w", name, err)
	}
	if err := ignoreOutgoing(c); err != nil {
		c.Close()
		return nil, fmt.Errorf("open packet socket on %s: %w", name, err)
	}
	return c, nil
}

// ignoreOutgoing keeps the kernel from copying for a socket what others send.
func ignoreOutgoing(c *packet.Conn) error {
	rc, err := c.SyscallConn()
	if err != nil {
		return err
	}
	ctl := rc.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1) })
	return errors.Join(ctl, err)
}

// Send sends a frame on a tag, 0 without one.
func Send(c *packet.Conn, frame []byte, vlan uint16) error {
	_, err := c.WriteTo(Tagged(frame, vlan), &packet.Addr{HardwareAddr: net.HardwareAddr(Broadcast[:])})
	return err
}
