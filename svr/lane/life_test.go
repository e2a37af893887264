package lane_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"waymark/net/netns/nstest"
	"waymark/svr/lane"
	"waymark/svr/lane/lanetest"
	"waymark/svr/packet"
)

// A next-hop that does not answer costs its packets and nobody else's; when it
// comes up it serves.
func TestHopFailsAndComesBack(t *testing.T) {
	n := lanetest.NewNet(t)
	guardRouter(t, n)
	hops := n.Start(t, nil)
	waitResolved(t, n, hops)
	b, family := packet.FromAddr(netip.MustParseAddr("10.2.0.9"))
	var id uint16
	n.Lane.Do(func() {
		id, _ = hops.Get(2, b, family)
		n.Forwarder.Routes = append([]lanetest.Route{{Dst: netip.MustParsePrefix("10.2.0.9/32"), Ifc: 2, Hop: id}}, n.Forwarder.Routes...)
	})
	runFails(t, n.Client, "ping", "-q", "-c", "8", "-i", "0.05", "-W", "1", "10.2.0.9")
	eventually(t, n.Lane, "next-hop fails", func() bool { st, _ := hops.State(id); return st == lane.HopFailed })
	l, _, _ := counters(t, n)
	if l.HopHeld != 8 || l.HopDropped != 8 || l.NoHop != 0 {
		t.Errorf("got %+v, want 8 held, 8 dropped", l)
	}
	ping(t, n.Client, "10.2.0.2", 2)
	run(t, n.Server, "ip", "addr", "add", "10.2.0.9/24", "dev", lanetest.ServerIf)
	eventually(t, n.Lane, "next-hop answers", func() bool { st, _ := hops.State(id); return st == lane.HopResolved })
	ping(t, n.Client, "10.2.0.9", 2)
	n.Lane.Do(func() { hops.Release(id) })
}

// A link that goes down does not make the loop spin, and traffic goes on when
// it is back.
func TestLinkDownAndUp(t *testing.T) {
	n := lanetest.NewNet(t)
	guardRouter(t, n)
	hops := n.Start(t, nil)
	waitResolved(t, n, hops)
	ping(t, n.Client, "10.2.0.2", 1)
	run(t, n.Router, "ip", "link", "set", lanetest.RightIf, "down")
	eventually(t, n.Lane, "next-hop is lost", func() bool {
		st, _ := hops.State(n.Forwarder.Routes[1].Hop)
		return st != lane.HopResolved
	})
	before, _, _ := counters(t, n)
	runFails(t, n.Client, "ping", "-q", "-c", "5", "-i", "0.05", "-W", "1", "10.2.0.2")
	after, _, _ := counters(t, n)
	if woke := after.Wakeups - before.Wakeups; woke > 100 {
		t.Errorf("woke %d times for 5 packets", woke)
	}
	run(t, n.Router, "ip", "link", "set", lanetest.RightIf, "up")
	waitResolved(t, n, hops)
	ping(t, n.Client, "10.2.0.2", 2)
}

// Interfaces can change while the lane runs; what is wrong is refused and
// changes nothing.
func TestSetInterfaces(t *testing.T) {
	n := lanetest.NewNet(t)
	guardRouter(t, n)
	n.Start(t, nil)
	ping(t, n.Client, "10.2.0.2", 1)
	set := func(list ...lane.Interface) (err error) {
		n.Lane.Do(func() { err = n.Lane.Ports()[0].SetInterfaces(list) })
		return err
	}
	for name, list := range map[string][]lane.Interface{
		"number 0":       {{}},
		"tag twice":      {{ID: 1, VLAN: 5}, {ID: 3, VLAN: 5}},
		"tag 4095":       {{ID: 1, VLAN: 4095}},
		"the other port": {{ID: 2}},
	} {
		if err := set(list...); !errors.Is(err, lane.ErrInterface) {
			t.Errorf("%s: got %v, want ErrInterface", name, err)
		}
	}
	if err := set(lane.Interface{ID: 1}, lane.Interface{ID: 3, VLAN: 7}); err != nil {
		t.Error(err)
	}
	ping(t, n.Client, "10.2.0.2", 1)
	if err := set(lane.Interface{ID: 3, VLAN: 7}); err != nil {
		t.Error(err)
	}
	runFails(t, n.Client, "ping", "-q", "-c", "1", "-W", "1", "10.2.0.2")
	if err := set(lane.Interface{ID: 1}); err != nil {
		t.Error(err)
	}
	ping(t, n.Client, "10.2.0.2", 1)
}

// Managed neighbours are the lane's own while it runs, and gone afterwards.
func TestCloseReleasesNeighbours(t *testing.T) {
	n := lanetest.NewNet(t)
	t.Run("running", func(t *testing.T) {
		hops := n.Start(t, nil)
		waitResolved(t, n, hops)
		if out := run(t, n.Router, "ip", "neigh"); !strings.Contains(out, "managed") {
			t.Errorf("no managed neighbour:\n%s", out)
		}
	})
	if out := run(t, n.Router, "ip", "neigh"); strings.Contains(out, "managed") {
		t.Errorf("left behind:\n%s", out)
	}
}

func TestOpenPortErrors(t *testing.T) {
	ns := nstest.New(t)
	for name, want := range map[string]error{"lo": lane.ErrLinkType, "nothere": nil} {
		nstest.In(t, ns, func() error {
			p, err := lane.OpenPort(lane.PortConfig{Name: name, Workers: lanetest.Workers})
			if err == nil {
				p.Close()
				return fmt.Errorf("%s: opened", name)
			}
			if want != nil && !errors.Is(err, want) {
				return fmt.Errorf("%s: got %w", name, err)
			}
			return nil
		})
	}
}

// tun makes a device without link addresses in a namespace and returns its
// other end.
func tun(t *testing.T, ns, name string) (fd int) {
	t.Helper()
	nstest.In(t, ns, func() (err error) {
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0); err != nil {
			return fmt.Errorf("open /dev/net/tun: %w", err)
		}
		ifr, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	})
	t.Cleanup(func() { unix.Close(fd) })
	run(t, ns, "ip", "link", "set", name, "up")
	return fd
}

// Packets pass between Ethernet and a device without link header.
func TestL3Device(t *testing.T) {
	n := lanetest.NewNet(t)
	guardRouter(t, n)
	fd := tun(t, n.Router, "tun0")
	n.Start(t, func(l, r *lane.PortConfig, c *lane.Config) { r.Name = "tun0" })
	const cmd = "ping -q -c 3 -i 0.05 -W 3 10.2.0.2"
	done := make(chan string, 1)
	go func() { done <- run(t, n.Client, "sh", "-c", cmd) }()
	answerEcho(t, fd, 3)
	<-done
}

// answerEcho plays a host at the end of a tun device.
func answerEcho(t *testing.T, fd, count int) {
	t.Helper()
	b := make([]byte, 2000)
	pfd := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for count > 0 {
		if n, _ := unix.Poll(pfd, int(patience.Milliseconds())); n == 0 {
			t.Error("no packet left the tun device")
			return
		}
		n, err := unix.Read(fd, b)
		if err != nil || n < 28 || b[0] != 0x45 || b[9] != unix.IPPROTO_ICMP {
			continue // IPv6 router solicitations of the device itself
		}
		var src [4]byte
		copy(src[:], b[12:16])
		copy(b[12:16], b[16:20])
		copy(b[16:20], src[:])
		b[20] = 0 // echo reply; 0x0800 less in the sum
		sum := uint32(b[22])<<8 | uint32(b[23])
		sum += 0x0800
		sum = sum&0xffff + sum>>16
		b[22], b[23] = byte(sum>>8), byte(sum)
		if _, err := unix.Write(fd, b[:n]); err != nil {
			t.Error(err)
			return
		}
		count--
	}
}

// A port that yields hands over what it holds, gives its ring back and receives
// nothing more; it still sends, and to yield twice is nothing.
func TestYield(t *testing.T) {
	n := lanetest.NewNet(t)
	guardRouter(t, n)
	hops := n.Start(t, nil)
	waitResolved(t, n, hops)
	ping(t, n.Client, "10.2.0.2", 2)
	left := n.Lane.Ports()[0]
	for range 2 {
		var err error
		var room int
		if e := n.Lane.Do(func() { err = n.Lane.Yield(left); room = left.Memory() }); e != nil || err != nil || room != 0 {
			t.Fatalf("%v, %v, %d bytes of ring", e, err, room)
		}
	}
	count := func() (wakeups, sent, received uint64) {
		n.Lane.Do(func() { c := left.Counters(); sent, received = c.TxPackets, c.RxPackets })
		c, _, _ := counters(t, n)
		return c.Wakeups, sent, received
	}
	woke0, sent0, received0 := count()
	runFails(t, n.Client, "ping", "-q", "-c", "3", "-i", "0.05", "-W", "1", "10.2.0.2")
	runFails(t, n.Server, "ping", "-q", "-c", "3", "-i", "0.05", "-W", "1", "10.1.0.2") // no answer comes in
	woke, sent, received := count()
	if sent != sent0+3 || received != received0 || received0 == 0 || woke-woke0 > 100 {
		t.Errorf("sent %d, then %d; received %d, then %d; woke %d times", sent0, sent, received0, received, woke-woke0)
	}
}
