package lane_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/net/netns/nstest"
	"waymark/svr/lane"
	"waymark/svr/lane/lanetest"
)

// UDP super-packets (UDP_SEGMENT, as QUIC senders use them) arrive as the
// datagrams they stand for, cut by the receiving kernel or by us.
func TestUDPSuperPackets(t *testing.T) {
	const size, segments, sends = 1200, 40, 5
	for name, off := range map[string]lane.Offload{"offload": 0, "cut in software": lane.OffloadAll} {
		t.Run(name, func(t *testing.T) {
			n := lanetest.NewNet(t)
			guardRouter(t, n)
			hops := n.Start(t, func(l, r *lane.PortConfig, c *lane.Config) { r.NoOffload = off })
			waitResolved(t, n, hops)
			for _, host := range []string{"10.2.0.2", "fd02::2"} {
				var server net.PacketConn
				nstest.In(t, n.Server, func() (err error) {
					if server, err = net.ListenPacket("udp", net.JoinHostPort(host, "0")); err != nil {
						return err
					}
					return setsockopt(server.(*net.UDPConn), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20)
				})
				nstest.In(t, n.Client, func() error { return sendSegments(server.LocalAddr().String(), size, segments, sends) })
				got, err := countDatagrams(server, size, segments*sends)
				if err != nil || got != segments*sends {
					t.Errorf("%s: got %d whole datagrams, %v, want %d", host, got, err, segments*sends)
				}
				server.Close()
			}
			_, left, right := counters(t, n)
			if left.RxPackets > 200 || off == 0 && right.TxSegmented != 0 || off != 0 && right.TxSegmented == 0 || right.TxErrors != 0 {
				t.Errorf("left %+v, right %+v", left, right)
			}
		})
	}
}

// sendSegments sends datagrams that end in the start of their own SHA-256.
func sendSegments(to string, size, segments, sends int) error {
	c, err := net.Dial("udp", to)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := setsockopt(c.(*net.UDPConn), unix.SOL_UDP, unix.UDP_SEGMENT, size); err != nil {
		return err
	}
	for s := range sends {
		var b []byte
		for i := range segments {
			d := make([]byte, size-8)
			copy(d, fmt.Sprintf("%d/%d", s, i))
			sum := sha256.Sum256(d)
			b = append(append(b, d...), sum[:8]...)
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func setsockopt(c *net.UDPConn, level, option, value int) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, value) })
	return errors.Join(cerr, err)
}

// countDatagrams reads until want whole datagrams came.
func countDatagrams(c net.PacketConn, size, want int) (got int, err error) {
	c.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 65536)
	for got < want {
		n, _, err := c.ReadFrom(b)
		if err != nil {
			return got, err
		}
		if sum := sha256.Sum256(b[:max(n-8, 0)]); n == size && string(sum[:8]) == string(b[n-8:n]) {
			got++
		}
	}
	return got, nil
}
