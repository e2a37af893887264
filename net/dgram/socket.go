package dgram

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Config describes a socket.
type Config struct {
	Port    uint16 // on every address
	V6      bool   // IPv6 alone, else IPv4
	Buffer  int    // bytes that the kernel keeps of what nobody read yet
	Batch   int    // datagrams that are received, or leave, by one call
	Longest int    // bytes of a datagram that are read
}

// In is a datagram that arrived.
type In struct {
	Data  []byte // good until the next batch
	From  netip.AddrPort
	To    netip.Addr
	Index uint32 // of the interface
	Hops  uint8  // TTL or hop limit
	// Age is for how long it lay in the kernel, in ns, 0: not known. Stamp asks for it.
	Age int64
}

// Out is a datagram on its way out.
type Out struct {
	Data  []byte // copied
	From  netip.Addr
	Index uint32 // of the interface
	To    netip.AddrPort
	Hops  uint8
	DSCP  uint8
	Whole bool // must not be fragmented, whatever the path MTU
}

// Socket is a UDP socket. One goroutine may receive beside one that sends.
type Socket struct {
	v6   bool
	file *os.File // the socket, which Go does not poll
	raw  syscall.RawConn
	wake *waker
	in   inbox
	out  outbox
}

// Open opens a socket.
func Open(c Config) (*Socket, error) {
	fd, err := bound(&c)
	if err != nil {
		return nil, fmt.Errorf("open UDP port %d: %w", c.Port, err)
	}
	s := &Socket{v6: c.V6, file: os.NewFile(uintptr(fd), "udp")}
	if s.raw, err = s.file.SyscallConn(); err == nil {
		s.wake, err = newWaker(fd)
	}
	if err != nil {
		s.file.Close()
		return nil, fmt.Errorf("open UDP port %d: %w", c.Port, err)
	}
	s.in.init(s, &c)
	s.out.init(s, c.Batch)
	return s, nil
}

// Close ends Wait and closes the socket; sends fail from then on.
func (s *Socket) Close() error { return errors.Join(s.wake.file.Close(), s.file.Close()) }

func bound(c *Config) (fd int, err error) {
	family := unix.AF_INET
	var to unix.Sockaddr = &unix.SockaddrInet4{Port: int(c.Port)}
	if c.V6 {
		family, to = unix.AF_INET6, &unix.SockaddrInet6{Port: int(c.Port)}
	}
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err = prepare(fd, c); err == nil {
		err = unix.Bind(fd, to)
	}
	if err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// prepare asks for interface, own address and hop limit of what arrives.
func prepare(fd int, c *Config) error {
	type option struct{ level, name, value int }
	options := []option{{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, c.Buffer},
		{unix.IPPROTO_IP, unix.IP_PKTINFO, 1}, {unix.IPPROTO_IP, unix.IP_RECVTTL, 1},
		{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT}}
	if c.V6 {
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

// Stamp has the kernel note when datagrams arrive. From then on it does so for every
// packet of the machine, at some 30 ns each.
func (s *Socket) Stamp() error {
	var err error
	if e := s.raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	}); e != nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("stamp datagrams: %w", err)
	}
	return nil
}
