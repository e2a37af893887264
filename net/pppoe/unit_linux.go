package pppoe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"waymark/net/link"
	"waymark/net/pppoe/ppp"
	"waymark/net/rtnl"
)

const pppDevice = "/dev/ppp"

// protoOE is PX_PROTO_OE (linux/if_pppox.h).
const protoOE = 0

var errNoCall = errors.New("no PPPoE session in the kernel")

// unit is a PPP network interface. It lives as long as its descriptor.
type unit struct {
	file  *os.File // network control protocols
	fd    int
	index int // of the interface
}

// Network protocol modes of PPPIOCSNPMODE (linux/ppp-ioctl.h).
const (
	modePass = 0
	modeDrop = 1
)

// newUnit makes the interface, down.
func newUnit(c *rtnl.Conn, name string) (*unit, error) {
	fd, err := openPPP()
	if err != nil {
		return nil, err
	}
	number := int32(-1)
	if err := ioctl(fd, unix.PPPIOCNEWUNIT, unsafe.Pointer(&number)); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make PPP interface: %w", err)
	}
	l, err := link.ByName(c, fmt.Sprintf("ppp%d", number))
	if err == nil {
		err = link.SetName(c, l.Index, name)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make PPP interface %s: %w", name, err)
	}
	return &unit{file: os.NewFile(uintptr(fd), pppDevice), fd: fd, index: l.Index}, nil
}

func openPPP() (int, error) {
	fd, err := unix.Open(pppDevice, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w (the kernel needs ppp_generic and pppoe)", pppDevice, err)
	}
	return fd, nil
}

func ioctl(fd int, request uint, arg unsafe.Pointer) error {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg)); e != 0 {
		return e
	}
	return nil
}

// mode lets packets of a network protocol pass, or drops them.
func (u *unit) mode(p ppp.Protocol, pass bool) error {
	arg := struct{ protocol, mode int32 }{int32(p), modeDrop}
	if pass {
		arg.mode = modePass
	}
	if err := ioctl(u.fd, unix.PPPIOCSNPMODE, unsafe.Pointer(&arg)); err != nil {
		return fmt.Errorf("set mode of %s: %w", p, err)
	}
	return nil
}

// carry lets packets pass as wanted; the interface is up while any may.
func (u *unit) carry(c *rtnl.Conn, a Action) error {
	errs := []error{u.mode(ppp.ProtoIPv4, a.IPv4), u.mode(ppp.ProtoIPv6, a.IPv6)}
	up := a.IPv4 || a.IPv6
	if up {
		errs = append(errs, link.SetMTU(c, u.index, a.MTU))
	}
	return errors.Join(append(errs, link.SetUp(c, u.index, up))...)
}

func (u *unit) close() { u.file.Close() }

// call is a session in the kernel: the PPPoE socket and its PPP channel.
type call struct {
	socket  int
	channel *os.File // LCP and authentication
	unit    *unit
	over    chan struct{}
	read    sync.WaitGroup
}

// dial opens the session on the line and ties it to the interface.
func dial(ethernet string, c Channel, u *unit) (*call, error) {
	k := &call{socket: -1, unit: u, over: make(chan struct{})}
	if err := k.dial(ethernet, c); err != nil {
		k.release()
		return nil, err
	}
	return k, nil
}

func (k *call) dial(ethernet string, c Channel) (err error) {
	if k.socket, err = unix.Socket(unix.AF_PPPOX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protoOE); err != nil {
		return fmt.Errorf("open PPPoE socket: %w (the kernel needs pppoe)", err)
	}
	to := &unix.SockaddrPPPoE{SID: c.Session, Remote: c.AC[:], Dev: ethernet}
	if err := unix.Connect(k.socket, to); err != nil {
		return fmt.Errorf("connect session %d on %s: %w", c.Session, ethernet, err)
	}
	number, err := unix.IoctlGetInt(k.socket, unix.PPPIOCGCHAN)
	if err != nil {
		return fmt.Errorf("get PPP channel: %w", err)
	}
	fd, err := openPPP()
	if err != nil {
		return err
	}
	if err := errors.Join(unix.IoctlSetPointerInt(fd, unix.PPPIOCATTCHAN, number), unix.SetNonblock(fd, true)); err != nil {
		unix.Close(fd)
		return fmt.Errorf("attach PPP channel %d: %w", number, err)
	}
	k.channel = os.NewFile(uintptr(fd), pppDevice)
	return k.join(fd, c.MRU)
}

// join ties the channel to the interface, through which nothing passes yet.
func (k *call) join(channel int, mru uint16) error {
	if err := errors.Join(k.unit.mode(ppp.ProtoIPv4, false), k.unit.mode(ppp.ProtoIPv6, false)); err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(k.unit.fd, unix.PPPIOCSMRU, int(mru)); err != nil {
		return fmt.Errorf("set MRU: %w", err)
	}
	number := int32(0)
	if err := ioctl(k.unit.fd, unix.PPPIOCGUNIT, unsafe.Pointer(&number)); err != nil {
		return fmt.Errorf("get PPP interface: %w", err)
	}
	if err := unix.IoctlSetPointerInt(channel, unix.PPPIOCCONNECT, int(number)); err != nil {
		return fmt.Errorf("connect PPP channel: %w", err)
	}
	return nil
}

// listen hands on what both descriptors say. The channel ends with the session;
// the interface says so too while it has no channel, which is no news.
func (k *call) listen(hand func(heard, <-chan struct{}) bool) {
	k.read.Go(func() {
		drain(k.channel, k.over, hand)
		hand(heard{kind: heardEnd}, k.over)
	})
	k.read.Go(func() { drain(k.unit.file, k.over, hand) })
}

func drain(f *os.File, over <-chan struct{}, hand func(heard, <-chan struct{}) bool) {
	b := make([]byte, 2048)
	for {
		n, err := f.Read(b)
		if err != nil { // io.EOF: no session
			return
		}
		if !hand(heard{heardPPP, append([]byte(nil), b[:n]...)}, over) {
			return
		}
	}
}

// write sends a control frame: those of the link through the channel, those of
// network protocols through the interface.
func (k *call) write(frame []byte) error {
	f := k.channel
	if binary.BigEndian.Uint16(frame) < 0xc000 {
		f = k.unit.file
	}
	if _, err := f.Write(frame); err != nil {
		return fmt.Errorf("write PPP frame: %w", err)
	}
	return nil
}

// close ends the session and waits until nobody reads from it.
func (k *call) close() {
	close(k.over)
	k.release()
	k.read.Wait()
}

func (k *call) release() {
	if k.socket >= 0 {
		unix.Close(k.socket) // the interface loses its channel, its reader ends
	}
	if k.channel != nil {
		k.channel.Close()
	}
}
