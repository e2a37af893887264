package accept

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"waymark/cmd/lab/world"
	"waymark/svr/packet"
)

// synFlood sends distinct SYNs from the client's own address to machines that
// do not exist behind the hub, through a packet socket of the client's
// namespace: bounded in rate and number, inside the test's own world.
type synFlood struct {
	fd    int
	to    unix.SockaddrLinklayer
	frame [54]byte
	p     packet.Packet
	t     packet.Tuple
	sent  int
}

// floodTick is how often SYNs leave, a burst each time: the generator shares
// two processors with what it floods, and waking up costs more than sending.
const floodTick = 5 * time.Millisecond

// The flood's targets: addresses of the datacenter where nobody lives.
const (
	floodFirst = 100
	floodHosts = 100
)

// openFlood prepares a flood against the branch's LAN port.
func (s *site) openFlood() *synFlood {
	s.Helper()
	f := &synFlood{fd: -1}
	gateway := s.linkAddr(world.Branch, "lan0")
	s.must(s.inside(world.Client, func() error { return f.open(gateway) }))
	s.Cleanup(func() { unix.Close(f.fd) })
	return f
}

func (f *synFlood) open(gateway net.HardwareAddr) (err error) {
	dev, err := net.InterfaceByName("eth0")
	if err != nil {
		return err
	}
	if f.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return fmt.Errorf("open packet socket: %w", err)
	}
	if err := unix.SetsockoptInt(f.fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		return fmt.Errorf("bypass queueing: %w", err)
	}
	f.to = unix.SockaddrLinklayer{Protocol: 0x0008, Ifindex: dev.Index, Halen: 6}
	copy(f.to.Addr[:], gateway)
	copy(f.frame[0:], gateway)
	copy(f.frame[6:], dev.HardwareAddr)
	f.frame[12], f.frame[13] = 0x08, 0x00
	f.t = packet.Tuple{Proto: packet.ProtoTCP, Family: 4}
	f.t.Src, _ = packet.FromAddr(netip.MustParseAddr("192.168.1.10"))
	f.t.Dst, _ = packet.FromAddr(netip.MustParseAddr("10.20.0.0"))
	return nil
}

// linkAddr returns the MAC of an interface.
func (s *site) linkAddr(ns, dev string) (mac net.HardwareAddr) {
	s.Helper()
	s.must(s.inside(ns, func() error {
		i, err := net.InterfaceByName(dev)
		if err == nil {
			mac = i.HardwareAddr
		}
		return err
	}))
	return mac
}

// next writes SYN number n: no two of 2^22 share their addresses and ports.
func (f *synFlood) next(n int) error {
	f.t.SrcPort, f.t.DstPort = uint16(1024+n/floodHosts%60000), uint16(1+n/(floodHosts*60000))
	f.t.Dst[3] = byte(floodFirst + n%floodHosts)
	f.p.Reset(f.frame[:], 14, 14, 0)
	if packet.Build(&f.p, f.t, 64, 0, 0) == nil {
		return fmt.Errorf("build SYN: no room")
	}
	b := f.frame[f.p.L4:]
	binary.BigEndian.PutUint32(b[4:], uint32(n)*2654435761) // sequence number
	b[12], b[13], b[14], b[15] = 5<<4, packet.FlagSYN, 0xff, 0xff
	f.p.Finish()
	f.p.CompleteCsum()
	return nil
}

// run sends count SYNs at so many a second, evenly spread, and returns how long
// it took. A queue that is full for a moment loses nothing: the SYN waits.
func (f *synFlood) run(count, perSecond int) (time.Duration, error) {
	start := time.Now()
	tick := time.NewTicker(floodTick)
	defer tick.Stop()
	for end := f.sent + count; f.sent < end; <-tick.C {
		due := end - count + int(time.Since(start).Seconds()*float64(perSecond)) + 1
		for ; f.sent < min(due, end); f.sent++ {
			if err := f.next(f.sent); err != nil {
				return 0, err
			}
			err := unix.Sendto(f.fd, f.frame[:], 0, &f.to)
			if err == unix.ENOBUFS || err == unix.EAGAIN {
				break
			}
			if err != nil {
				return 0, fmt.Errorf("send SYN: %w", err)
			}
		}
	}
	return time.Since(start), nil
}
