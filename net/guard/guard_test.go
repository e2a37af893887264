package guard_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/net/guard"
	"waymark/net/link"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/rtnl"
)

// patience is how long to wait where silence is wanted, and where something else is:
// the machine may be busy.
func patience(want string) time.Duration {
	if want == "silent" {
		return 300 * time.Millisecond
	}
	return 20 * time.Second
}

func prefix(s ...string) (p []netip.Prefix) {
	for _, x := range s {
		p = append(p, netip.MustParsePrefix(x))
	}
	return p
}

// pair makes a client and a router namespace; the router guards ports
// 20000-20999.
func pair(t *testing.T) (client, router string, cfg guard.Config) {
	client, router = nstest.New(t), nstest.New(t)
	nstest.Veth(t, netns.End{NS: client, Name: "c0", Addrs: prefix("10.1.0.2/24", "fd01::2/64")},
		netns.End{NS: router, Name: "lan0", Addrs: prefix("10.1.0.1/24", "fd01::1/64")})
	ports := []guard.Range{{First: 20000, Last: 20999}}
	return client, router, guard.Config{Owner: "test", Devices: []string{"lan0"}, Addrs: []guard.Address{
		{Addr: netip.MustParseAddr("10.1.0.1"), Ports: ports}, {Addr: netip.MustParseAddr("fd01::1"), Ports: ports}}}
}

func apply(t *testing.T, ns string, cfg guard.Config) {
	t.Helper()
	nstest.In(t, ns, func() error { return guard.Apply(cfg) })
}

// dial tells what a TCP client sees, "open", "refused" or "silent", one of which is
// wanted.
func dial(t *testing.T, ns, addr, want string) (seen string) {
	t.Helper()
	nstest.In(t, ns, func() error {
		c, err := net.DialTimeout("tcp", addr, patience(want))
		switch {
		case err == nil:
			seen = "open"
			return c.Close()
		case errors.Is(err, syscall.ECONNREFUSED):
			seen = "refused"
		case os.IsTimeout(err):
			seen = "silent"
		default:
			return err
		}
		return nil
	})
	return seen
}

// probe tells what a UDP client sees who sends n bytes, "answer", "refused" or
// "silent", one of which is wanted.
func probe(t *testing.T, ns, addr string, n int, want string) (seen string) {
	t.Helper()
	nstest.In(t, ns, func() error {
		c, err := net.Dial("udp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Write(make([]byte, n)); err != nil {
			return err
		}
		c.SetReadDeadline(time.Now().Add(patience(want)))
		_, err = c.Read(make([]byte, 9000))
		switch {
		case err == nil:
			seen = "answer"
		case errors.Is(err, syscall.ECONNREFUSED):
			seen = "refused"
		case os.IsTimeout(err):
			seen = "silent"
		default:
			return err
		}
		return nil
	})
	return seen
}

// serve listens on TCP and echoes UDP on addr until the test ends.
func serve(t *testing.T, ns, addr string) {
	t.Helper()
	nstest.In(t, ns, func() error {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		u, err := net.ListenPacket("udp", addr)
		if err != nil {
			return err
		}
		t.Cleanup(func() { u.Close() })
		go func() {
			b := make([]byte, 9000)
			for {
				n, from, err := u.ReadFrom(b)
				if err != nil {
					return
				}
				u.WriteTo(b[:n], from)
			}
		}()
		return nil
	})
}

func TestGuardedPortsAreSilent(t *testing.T) {
	client, router, cfg := pair(t)
	for _, host := range []string{"10.1.0.1", "[fd01::1]"} {
		serve(t, router, host+":20005")
		serve(t, router, host+":500")
	}
	for _, tt := range []struct {
		port            int
		before, tcp     string
		udpBefore, udp_ string
	}{
		{20005, "open", "silent", "answer", "silent"},
		{20006, "refused", "silent", "refused", "silent"},
		{20999, "refused", "silent", "refused", "silent"},
		{21000, "refused", "refused", "refused", "refused"},
		{500, "open", "open", "answer", "answer"},
	} {
		for _, host := range []string{"10.1.0.1", "[fd01::1]"} {
			addr := fmt.Sprintf("%s:%d", host, tt.port)
			nstest.In(t, router, func() error { return guard.Remove("test") })
			if got := dial(t, client, addr, tt.before); got != tt.before {
				t.Errorf("tcp %s without guard: got %s, want %s", addr, got, tt.before)
			}
			if got := probe(t, client, addr, 10, tt.udpBefore); got != tt.udpBefore {
				t.Errorf("udp %s without guard: got %s, want %s", addr, got, tt.udpBefore)
			}
			apply(t, router, cfg)
			if got := dial(t, client, addr, tt.tcp); got != tt.tcp {
				t.Errorf("tcp %s: got %s, want %s", addr, got, tt.tcp)
			}
			if got := probe(t, client, addr, 10, tt.udp_); got != tt.udp_ {
				t.Errorf("udp %s: got %s, want %s", addr, got, tt.udp_)
			}
		}
	}
}

func TestFragmentsAreGuarded(t *testing.T) {
	client, router, cfg := pair(t)
	apply(t, router, cfg)
	for _, host := range []string{"10.1.0.1", "[fd01::1]"} {
		serve(t, router, host+":20005")
		serve(t, router, host+":500")
		if got := probe(t, client, host+":20005", 4000, "silent"); got != "silent" {
			t.Errorf("fragments to guarded port of %s: got %s, want silent", host, got)
		}
		if got := probe(t, client, host+":500", 4000, "answer"); got != "answer" {
			t.Errorf("fragments to host port of %s: got %s, want answer", host, got)
		}
	}
}

// The port of DHCP clients is open where one runs, and nowhere else; what only
// looks like that port in a later fragment passes.
func TestClientPort(t *testing.T) {
	client, router, cfg := pair(t)
	serve(t, router, "10.1.0.1:68")
	serve(t, router, "10.1.0.1:500")
	for _, tt := range []struct {
		clients []string
		want    string
	}{{nil, "silent"}, {[]string{"wan0"}, "silent"}, {[]string{"lan0"}, "answer"}} {
		cfg.Clients = tt.clients
		apply(t, router, cfg)
		if got := probe(t, client, "10.1.0.1:68", 10, tt.want); got != tt.want {
			t.Errorf("clients on %v: got %s, want %s", tt.clients, got, tt.want)
		}
		if got := probe(t, client, "10.1.0.1:500", 4000, "answer"); got != "answer" {
			t.Errorf("clients on %v: another port: got %s", tt.clients, got)
		}
	}
}

// tap counts the UDP packets to a port that an ETH_P_ALL tap sees.
func tap(t *testing.T, ns string, port uint16) func() int {
	t.Helper()
	var fd int
	nstest.In(t, ns, func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, unix.ETH_P_ALL<<8)
		return err
	})
	t.Cleanup(func() { unix.Close(fd) })
	return func() (count int) {
		b := make([]byte, 2048)
		for {
			n, _, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				return count
			}
			if n >= 28 && b[0] == 0x45 && b[9] == unix.IPPROTO_UDP && uint16(b[22])<<8|uint16(b[23]) == port {
				count++
			}
		}
	}
}

func TestTapSeesDropped(t *testing.T) {
	client, router, cfg := pair(t)
	apply(t, router, cfg)
	count := tap(t, router, 20007)
	if got := probe(t, client, "10.1.0.1:20007", 10, "silent"); got != "silent" {
		t.Fatalf("udp: got %s, want silent", got)
	}
	if got := count(); got != 1 {
		t.Errorf("tap saw %d packets, want 1", got)
	}
}

func TestTransitIsDropped(t *testing.T) {
	client, router, cfg := pair(t)
	server := nstest.New(t)
	nstest.Veth(t, netns.End{NS: router, Name: "wan0", Addrs: prefix("10.2.0.1/24")},
		netns.End{NS: server, Name: "s0", Addrs: prefix("10.2.0.2/24")})
	serve(t, server, "10.2.0.2:500")
	routeTo(t, client, "10.1.0.1")
	routeTo(t, server, "10.2.0.1")
	nstest.In(t, router, func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
	})
	if got := dial(t, client, "10.2.0.2:500", "open"); got != "open" {
		t.Fatalf("without guard: got %s, want open", got)
	}
	cfg.Devices = append(cfg.Devices, "wan0")
	apply(t, router, cfg)
	if got := dial(t, client, "10.2.0.2:500", "silent"); got != "silent" {
		t.Errorf("with guard: got %s, want silent", got)
	}
}

func TestApplyTwiceAndRemove(t *testing.T) {
	_, router, cfg := pair(t)
	other := guard.Config{Owner: "other", Devices: []string{"lan0"}}
	nstest.In(t, router, func() error {
		for range 2 {
			if err := guard.Apply(cfg); err != nil {
				return err
			}
		}
		if err := guard.Apply(other); err != nil {
			return err
		}
		s, err := guard.Read("test")
		if err != nil || !s.Input || len(s.Devices) != 1 || s.Devices[0] != "lan0" {
			return fmt.Errorf("after apply twice: %+v, %v", s, err)
		}
		for range 2 {
			if err := guard.Remove("test"); err != nil {
				return err
			}
		}
		if s, err = guard.Read("test"); err != nil || s.Input || len(s.Devices) != 0 {
			return fmt.Errorf("after remove: %+v, %v", s, err)
		}
		if s, err = guard.Read("other"); err != nil || !s.Input {
			return fmt.Errorf("the other owner's after remove: %+v, %v", s, err)
		}
		return nil
	})
}

func TestConfigErrors(t *testing.T) {
	a := netip.MustParseAddr("10.0.0.1")
	for name, cfg := range map[string]guard.Config{
		"no owner":       {},
		"odd owner":      {Owner: "a b"},
		"no address":     {Owner: "x", Addrs: []guard.Address{{}}},
		"multicast":      {Owner: "x", Addrs: []guard.Address{{Addr: netip.MustParseAddr("224.0.0.1")}}},
		"backward range": {Owner: "x", Addrs: []guard.Address{{Addr: a, Ports: []guard.Range{{First: 2, Last: 1}}}}},
	} {
		if err := guard.Apply(cfg); !errors.Is(err, guard.ErrConfig) {
			t.Errorf("%s: got %v, want ErrConfig", name, err)
		}
	}
}

// routeTo gives a namespace's only Ethernet interface a default route.
func routeTo(t *testing.T, ns, gw string) {
	t.Helper()
	nstest.In(t, ns, func() error {
		c, err := rtnl.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		links, err := link.List(c)
		if err != nil {
			return err
		}
		for _, l := range links {
			if l.Kind == "veth" {
				return addDefault(c, l.Index, gw)
			}
		}
		return link.ErrNotFound
	})
}
