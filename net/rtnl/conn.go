package rtnl

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Proto marks what we made: routing protocol number and address origin
// (IFA_PROTO), the letter W.
const Proto = 0x57

// Conn is a request connection. Safe for use by several goroutines.
type Conn struct{ nl *netlink.Conn }

// Dial opens a connection in the network namespace of the calling thread.
func Dial() (*Conn, error) {
	nl, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return nil, fmt.Errorf("dial rtnetlink: %w", err)
	}
	// Filters in dump requests work only with strict checking (Linux 4.20);
	// without it we filter again ourselves, so the error is no matter.
	_ = nl.SetOption(netlink.GetStrictCheck, true)
	_ = nl.SetOption(netlink.ExtendedAcknowledge, true)
	return &Conn{nl: nl}, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.nl.Close() }

// Request sends one message (body is the fixed header followed by attributes)
// and waits for the kernel's acknowledgement.
func (c *Conn) Request(typ uint16, flags netlink.HeaderFlags, body []byte) error {
	_, err := c.nl.Execute(message(typ, netlink.Request|netlink.Acknowledge|flags, body))
	return err
}

// Get sends one message and returns the answers' bodies.
func (c *Conn) Get(typ uint16, body []byte) ([]netlink.Message, error) {
	return c.nl.Execute(message(typ, netlink.Request, body))
}

// Dump returns all objects of one kind. A dump that the kernel marks as
// interrupted by a change is asked for again.
func (c *Conn) Dump(typ uint16, body []byte) ([]netlink.Message, error) {
	for try := 0; ; try++ {
		msgs, err := c.nl.Execute(message(typ, netlink.Request|netlink.Dump, body))
		if err != nil || try == 8 || !interrupted(msgs) {
			return msgs, err
		}
	}
}

func message(typ uint16, flags netlink.HeaderFlags, body []byte) netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: flags}, Data: body}
}

func interrupted(msgs []netlink.Message) bool {
	for i := range msgs {
		if msgs[i].Header.Flags&netlink.DumpInterrupted != 0 {
			return true
		}
	}
	return false
}

// IsExist tells whether the kernel answered that the object is there already.
func IsExist(err error) bool { return errors.Is(err, unix.EEXIST) }

// IsGone tells whether the kernel answered that the object, or the device it
// belongs to, is not there (any more).
func IsGone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) ||
		errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EADDRNOTAVAIL)
}
