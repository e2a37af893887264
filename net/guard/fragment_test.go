package guard_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/net/link"
	"waymark/net/netns/nstest"
	"waymark/net/rtnl"
)

// lookalike is the guarded port 20005 over and over: what a later fragment has
// where the first one has ports must not count.
func lookalike(n int) []byte {
	b := make([]byte, n)
	for i := 0; i+1 < n; i += 2 {
		binary.BigEndian.PutUint16(b[i:], 20005)
	}
	return b
}

// fragments builds a UDP datagram from port 7 to port 500 as two IPv6 fragments
// whose flow label looks like a guarded port too.
func fragments(src, dst netip.Addr, data []byte) (packets [][]byte) {
	u := binary.BigEndian.AppendUint16(nil, 7)
	u = binary.BigEndian.AppendUint16(u, 500)
	u = binary.BigEndian.AppendUint16(u, uint16(8+len(data)))
	u = append(append(u, 0, 0), data...)
	sum := uint32(len(u)) + unix.IPPROTO_UDP
	for _, b := range [][]byte{src.AsSlice(), dst.AsSlice(), u} {
		for i := 0; i < len(b); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(b[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(u[6:], ^uint16(sum))
	const cut = 1024
	for _, f := range []struct {
		offset uint16
		data   []byte
	}{{1, u[:cut]}, {cut, u[cut:]}} {
		p := binary.BigEndian.AppendUint32(nil, 6<<28|20005)
		p = binary.BigEndian.AppendUint16(p, uint16(8+len(f.data)))
		p = append(p, unix.IPPROTO_FRAGMENT, 64)
		p = append(append(p, src.AsSlice()...), dst.AsSlice()...)
		p = append(p, unix.IPPROTO_UDP, 0)
		p = binary.BigEndian.AppendUint16(p, f.offset)
		p = append(p, 1, 2, 3, 4)
		packets = append(packets, append(p, f.data...))
	}
	return packets
}

// inject sends IPv6 packets from an interface to a MAC address.
func inject(dev string, to [6]byte, packets [][]byte) error {
	c, err := rtnl.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	l, err := link.ByName(c, dev)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	sa := &unix.SockaddrLinklayer{Protocol: unix.ETH_P_IPV6>>8 | unix.ETH_P_IPV6&0xff<<8, Ifindex: l.Index, Halen: 6}
	copy(sa.Addr[:], to[:])
	for _, p := range packets {
		if err := unix.Sendto(fd, p, 0, sa); err != nil {
			return err
		}
	}
	return nil
}

func macOf(t *testing.T, ns, dev string) (mac [6]byte) {
	t.Helper()
	nstest.In(t, ns, func() error {
		c, err := rtnl.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		l, err := link.ByName(c, dev)
		mac = l.MAC
		return err
	})
	return mac
}

// Whatever stands in a later fragment, or in the flow label, a datagram to a
// host port arrives.
func TestLaterFragmentsHaveNoPorts(t *testing.T) {
	client, router, cfg := pair(t)
	apply(t, router, cfg)
	var s net.PacketConn
	nstest.In(t, router, func() (err error) {
		s, err = net.ListenPacket("udp", ":500")
		return err
	})
	defer s.Close()
	nstest.In(t, client, func() error {
		c, err := net.Dial("udp", "10.1.0.1:500")
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write(lookalike(4000))
		return err
	})
	if n, err := readOne(s); n != 4000 {
		t.Errorf("IPv4: got %d bytes, %v, want 4000", n, err)
	}
	packets := fragments(netip.MustParseAddr("fd01::2"), netip.MustParseAddr("fd01::1"), lookalike(2000))
	nstest.In(t, client, func() error { return inject("c0", macOf(t, router, "lan0"), packets) })
	if n, err := readOne(s); n != 2000 {
		t.Errorf("IPv6: got %d bytes, %v, want 2000", n, err)
	}
}

func readOne(c net.PacketConn) (int, error) {
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, _, err := c.ReadFrom(make([]byte, 9000))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("it never arrived: %w", err)
	}
	return n, err
}
