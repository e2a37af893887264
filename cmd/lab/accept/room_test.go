package accept

import (
	"bytes"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/cmd/lab/world"
)

// Sizes that must fit, in bytes of UDP payload.
const (
	quicInitial = 1350 // a QUIC client's first packet
	wholeFrame4 = 1472 // an IPv4 packet of 1,500 bytes
	wholeFrame6 = 1452 // the same in IPv6
	threeFrames = 3000 // cut by the host itself
)

// secretUDP lets payroll carry datagrams too.
func secretUDP(a tree) {
	a.at("service/payroll")["transport"] = []any{ports("tcp", 8443, 8444), ports("udp", 8443, 8444, 8445)}
}

// fragmenting sets whether a socket's datagrams may be cut on their way.
func (s *site) fragmenting(c net.Conn, may bool) {
	s.Helper()
	raw, err := c.(*net.UDPConn).SyscallConn()
	s.must(err)
	four, six := unix.IP_PMTUDISC_DO, unix.IPV6_PMTUDISC_DO
	if may {
		four, six = unix.IP_PMTUDISC_DONT, unix.IPV6_PMTUDISC_DONT
	}
	var set error
	s.must(raw.Control(func(fd uintptr) {
		if c.LocalAddr().(*net.UDPAddr).IP.To4() == nil {
			set = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, six)
		} else {
			set = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, four)
		}
	}))
	s.must(set)
}

// first sends one datagram as the very first packet of a session, metadata and
// all, and checks that it arrives and comes back whole.
func (s *site) first(addr string, size int, mayFragment bool) {
	s.Helper()
	server := s.socket(world.Server, addr)
	client := s.dial(world.Client, "udp", addr)
	s.fragmenting(client, mayFragment)
	s.fragmenting(server, true) // its kernel may know a narrower way to the client from elsewhere
	text := freight(uint64(size), size)
	got, err := echoed(client, server, text)
	if err != nil || !bytes.Equal(got, text) {
		s.Errorf("datagram of %d bytes to %s: %d bytes came back, %v", size, addr, len(got), err)
	}
}

func TestRoomFirstPackets(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmeWith(t, secretUDP))
	for _, row := range []struct {
		name string
		addr string
		size int
		may  bool
	}{
		{"QUIC Initial with DF", "10.20.0.5:443", quicInitial, false},
		{"QUIC Initial, encrypted, with DF", "10.20.0.80:8443", quicInitial, false},
		{"QUIC Initial, IPv6", "[fd00:20::5]:443", quicInitial, false},
		{"1,472 bytes with DF", "10.20.0.5:4001", wholeFrame4, false},
		{"1,452 bytes, IPv6", "[fd00:20::5]:4001", wholeFrame6, false},
		{"1,472 bytes, encrypted", "10.20.0.80:8444", wholeFrame4, true},
		{"3,000 bytes, cut by the host", "10.20.0.5:4002", threeFrames, true},
		{"3,000 bytes, cut by the host, encrypted", "10.20.0.80:8445", threeFrames, true},
		{"3,000 bytes, cut by the host, IPv6", "[fd00:20::5]:4002", threeFrames, true},
		{"60,000 bytes, cut by the host", "10.20.0.5:4003", 60000, true},
	} {
		t.Run(row.name, func(t *testing.T) { s.in(t).first(row.addr, row.size, row.may) })
	}
	t.Run("encrypted, too long with DF", func(t *testing.T) { s.in(t).tooLong("10.20.0.80:8443") })
}

// tooLong: what cannot fit for good is answered by ICMP; the host learns what
// fits, and that arrives.
func (s *site) tooLong(addr string) {
	s.Helper()
	server := s.socket(world.Server, addr)
	client := s.dial(world.Client, "udp", addr)
	s.fragmenting(client, false)
	mtu := 0
	s.must(world.Until(patience, "word of what fits", func() (bool, error) {
		_, err := client.Write(make([]byte, wholeFrame4))
		if errors.Is(err, syscall.EMSGSIZE) {
			var err error
			mtu, err = pathMTU(client)
			return true, err
		}
		return false, err
	}))
	s.Logf("%s: the host learned a path MTU of %d", addr, mtu)
	if mtu < 1300 || mtu >= 1500 {
		s.Errorf("the host learned a path MTU of %d", mtu)
	}
	text := freight(5, mtu-28)
	s.drainSocket(server)
	s.must(forgetError(client))
	got, err := echoed(client, server, text)
	if err != nil || !bytes.Equal(got, text) {
		s.Errorf("datagram of the learned size %d: %d bytes came back, %v", len(text), len(got), err)
	}
}

// drainSocket throws away what arrived before, if anything did.
func (s *site) drainSocket(c *net.UDPConn) {
	s.Helper()
	s.must(c.SetReadDeadline(time.Now()))
	for {
		_, _, err := c.ReadFrom(make([]byte, 1<<16))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		s.must(err)
	}
}

// forgetError takes the error that an ICMP message left at a socket.
func forgetError(c net.Conn) error {
	raw, err := c.(*net.UDPConn).SyscallConn()
	if err != nil {
		return err
	}
	ctl := raw.Control(func(fd uintptr) { _, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR) })
	return errors.Join(ctl, err)
}

// pathMTU is what the kernel has learned about a connected socket's way.
func pathMTU(c net.Conn) (mtu int, err error) {
	raw, err := c.(*net.UDPConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	ctl := raw.Control(func(fd uintptr) {
		mtu, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU)
	})
	return mtu, errors.Join(ctl, err)
}

// Full-speed TCP over encrypted services makes no fragment, neither of IP nor
// of ours: SYNs are clamped to what fits.
func TestRoomEncryptedTCPMakesNoFragment(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmeWith(t, bothWaysSecret))
	c, err := s.w.Capture(world.ISPFiber, "branch", "ip[6:2] & 0x3fff != 0")
	s.must(err)
	for _, addr := range []string{"10.20.0.80:8443", "10.20.0.80:9443", "10.20.0.5:5001", "[fd00:20::5]:5001"} {
		s.must(both(s.connect(world.Client, s.listen(world.Server, addr)), 41, 24<<20, 1<<20))
	}
	frames, err := c.Frames()
	s.must(err)
	if n := ipFragments(frames); n != 0 {
		t.Errorf("%d IP fragments on the ISP link", n)
	}
	s.noFragments("192 MB of TCP")
}

// narrow is the MTU of a link in the middle of the way.
const narrow = 1400

// The hub's ISP link is narrow, which the branch learns from ICMP alone: TCP and
// UDP work in both directions, clear and encrypted, also with connections that
// were there before the link became narrow.
func TestRoomPathMTU(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmeWith(t, secretUDP))
	old := []pair{s.connect(world.Client, s.listen(world.Server, "10.20.0.5:5000")),
		s.connect(world.Client, s.listen(world.Server, "10.20.0.80:8444"))}
	for _, p := range old {
		s.must(both(p, 51, 200_000, 9000))
	}
	s.must(s.w.MTU(world.Hub, "wan0", narrow))
	s.must(s.w.MTU(world.ISPFiber, "hub", narrow))
	t.Run("connections from before", func(t *testing.T) {
		for _, p := range old {
			if err := both(p, 52, 2<<20, 9000); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("tcp", func(t *testing.T) {
		s := s.in(t)
		for _, addr := range []string{"10.20.0.5:5001", "10.20.0.80:8443", "[fd00:20::5]:5001"} {
			if err := both(s.connect(world.Client, s.listen(world.Server, addr)), 53, 4<<20, 9000); err != nil {
				t.Errorf("%s: %v", addr, err)
			}
		}
	})
	t.Run("udp with DF", func(t *testing.T) { s.in(t).tooLong("10.20.0.5:4001") })
	t.Run("udp that may be cut", func(t *testing.T) {
		s := s.in(t)
		s.first("10.20.0.5:4002", wholeFrame4, true)
		s.first("10.20.0.80:8443", wholeFrame4, true)
		s.first("10.20.0.5:4003", threeFrames, true)
	})
	t.Run("first packets", func(t *testing.T) {
		s := s.in(t)
		s.first("10.20.0.5:4004", narrow-28, false)
		s.first("[fd00:20::5]:4004", 1280-48, false)
	})
	for name, r := range map[string]*world.Router{"fiber": s.branch, "wan": s.hub} {
		if got := s.shownMTU(r, name); got != narrow {
			t.Errorf("%s: show peers tells a path MTU of %d, want %d", r.Run, got, narrow)
		}
	}
}

// shownMTU is the path MTU of the first path over an interface in `show peers`.
func (s *site) shownMTU(r *world.Router, iface string) int {
	s.Helper()
	var rows []struct {
		If  string `json:"network-interface"`
		MTU int    `json:"path-mtu"`
	}
	s.must(r.ShowJSON(&rows, "peers"))
	for _, row := range rows {
		if row.If == iface && row.MTU > 0 {
			return row.MTU
		}
	}
	return 0
}
