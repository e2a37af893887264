package dhcp4_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/mdlayher/packet"

	"waymark/net/addr"
	"waymark/net/dhcp4"
	"waymark/net/link"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/route"
	"waymark/net/rtnl"
	"waymark/svr/lane/lanetest/gen"
)

// patience bounds what happens sooner or later on a machine that others use as well.
const patience = time.Minute

// lan is a client and a server on one cable, each in a namespace of its own.
type lan struct {
	*testing.T
	client, server string
	dev            link.Link // the client's
	conn           *rtnl.Conn
	file           string
	vlan           uint16

	mu       sync.Mutex
	statuses []dhcp4.Status
	events   []dhcp4.Event
	told     int // events whose status has not come yet
	news     chan struct{}
	asked    []asked
}

// asked is a message of the client on the wire.
type asked struct {
	*dhcpv4.DHCPv4
	to  net.HardwareAddr
	dst netip.Addr
}

func newLAN(t *testing.T) *lan { return newTaggedLAN(t, 0) }

// newTaggedLAN is a lan whose client finds the server on a tag.
func newTaggedLAN(t *testing.T, vlan uint16) *lan {
	l := &lan{T: t, vlan: vlan, client: nstest.New(t), server: nstest.New(t), file: filepath.Join(t.TempDir(), "lease.json"), news: make(chan struct{}, 1)}
	nstest.Veth(t, netns.End{NS: l.client, Name: "c0"},
		netns.End{NS: l.server, Name: "s0", Addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}})
	nstest.In(t, l.client, func() (err error) {
		if l.conn, err = rtnl.Dial(); err == nil {
			l.dev, err = link.ByName(l.conn, "c0")
		}
		return err
	})
	t.Cleanup(func() { l.conn.Close() })
	if vlan != 0 {
		gen.Tagger(t, l.server, "s0", vlan)
	}
	l.capture()
	return l
}

// capture notes what the client sends.
func (l *lan) capture() {
	var c *packet.Conn
	nstest.In(l, l.server, func() error {
		ifi, err := net.InterfaceByName("s0")
		if err != nil {
			return err
		}
		c, err = packet.Listen(ifi, packet.Raw, 0x0800, nil)
		return err
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if n < 282 || b[23] != 17 || b[36] != 0 || b[37] != 67 {
				continue
			}
			p, err := dhcpv4.FromBytes(b[42:n])
			if err != nil {
				l.Errorf("client sent what cannot be read: %v", err)
				continue
			}
			l.mu.Lock()
			l.poke()
			l.asked = append(l.asked, asked{DHCPv4: p, to: append(net.HardwareAddr{}, b[:6]...), dst: netip.AddrFrom4([4]byte(b[30:34]))})
			l.mu.Unlock()
		}
	}()
	l.Cleanup(func() { c.Close(); <-done })
}

// run starts a client and returns it with what ends it.
func (l *lan) run() (*dhcp4.Client, func()) {
	c, end := l.later()
	c.Link(true)
	return c, end
}

// later is run without a link.
func (l *lan) later() (*dhcp4.Client, func()) {
	c := dhcp4.NewClient(dhcp4.Options{
		Interface: "c0", Index: l.dev.Index, VLAN: l.vlan, File: l.file, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Config: dhcp4.Config{MAC: l.dev.MAC, ClientID: dhcp4.DUIDClientID(1, l.dev.MAC), VendorClass: "waymark", Hostname: "branch1"},
		Changed: func(s dhcp4.Status) {
			l.apply(s.Lease)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.statuses, l.told = append(l.statuses, s), 0
			l.poke()
		},
		Event: func(e dhcp4.Event) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.events = append(l.events, e)
			l.told++
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- netns.Do(l.client, func() error { c.Run(ctx); return nil }) }()
	end := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			l.Error(err)
		}
	})
	l.Cleanup(end)
	return c, end
}

// apply does what the router does with a lease; the second time it must find
// nothing to do.
func (l *lan) apply(lease *dhcp4.Lease) {
	if l.vlan != 0 {
		return // the kernel has no part in it
	}
	for i := range 2 {
		a, err := addr.Apply(l.conn, lease.Addresses(l.dev.Index))
		if err != nil {
			l.Error(err)
		}
		r, err := route.Apply(l.conn, append(lease.DefaultRoutes(l.dev.Index, 200), lease.StaticRoutes(l.dev.Index, 200)...))
		if err != nil {
			l.Error(err)
		}
		if i == 1 && (!a.Empty() || !r.Empty()) {
			l.Errorf("applied twice: %+v, %+v", a, r)
		}
	}
}

// poke wakes until.
func (l *lan) poke() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// until waits for an event behind the first skip ones, and returns its number.
func (l *lan) until(skip int, kind dhcp4.EventKind) int {
	l.Helper()
	for late := time.After(patience); ; {
		l.mu.Lock()
		for i, e := range l.events {
			if i >= skip && e.Kind == kind && len(l.statuses) > 0 && l.told == 0 {
				l.mu.Unlock()
				return i + 1
			}
		}
		l.mu.Unlock()
		select {
		case <-l.news:
			continue
		case <-late:
		}
		break
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Fatalf("no event %q; there were %v", kind, l.events)
	return 0
}

// last returns the newest status with a lease or without.
func (l *lan) last() dhcp4.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.statuses[len(l.statuses)-1]
}

// since returns the messages sent behind the first n.
func (l *lan) since(n int) []asked {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]asked(nil), l.asked[n:]...)
}

// has tells whether the client's interface has an address.
func (l *lan) has(a string) bool {
	l.Helper()
	list, err := addr.List(l.conn)
	if err != nil {
		l.Fatal(err)
	}
	for _, x := range list {
		if x.Index == l.dev.Index && x.Prefix.String() == a {
			return true
		}
	}
	return false
}

// serve starts a program in the server's namespace and waits for a word of it.
func (l *lan) serve(word string, env []string, argv ...string) (stop func()) {
	l.Helper()
	cmd := exec.Command(nstest.Program(l, argv[0]), argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := netns.Start(l.server, cmd); err != nil {
		l.Fatal(err)
	}
	ready, gone := make(chan struct{}), make(chan struct{})
	var text strings.Builder
	go func() {
		seen := false
		for s := bufio.NewScanner(r); s.Scan(); {
			text.WriteString(s.Text() + "\n")
			if !seen && strings.Contains(s.Text(), word) {
				seen = true
				close(ready)
			}
		}
	}()
	go func() { _ = cmd.Wait(); w.Close(); close(gone) }() // it ends by our signal
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-gone
		if l.Failed() {
			l.Logf("%s:\n%s", argv[0], text.String())
		}
	})
	l.Cleanup(stop)
	select {
	case <-ready:
	case <-gone:
		l.Fatalf("%s ended:\n%s", argv[0], text.String())
	case <-time.After(patience):
		l.Fatalf("%s never said %q", argv[0], word)
	}
	return stop
}

// leaseSeconds is how long Kea's leases are: on a busy machine it needs some seconds
// to start, and the next one starts before a lease is over.
const leaseSeconds = 20

// keaConfig is a server with such leases, renewed after 2 s.
const keaConfig = `{"Dhcp4": {"interfaces-config": {"interfaces": ["s0"], "dhcp-socket-type": "raw"},
 "lease-database": {"type": "memfile", "persist": false}, "authoritative": true,
 "valid-lifetime": %[2]d, "renew-timer": 2, "rebind-timer": 5, "decline-probation-period": 60,
 "subnet4": [{"id": 1, "subnet": "%[1]s0/24", "interface": "s0", "pools": [{"pool": "%[1]s100 - %[1]s110"}],
   "option-data": [{"name": "routers", "data": "%[1]s1"}, {"name": "domain-name-servers", "data": "9.9.9.9"},
                   {"name": "interface-mtu", "data": "1400"}]}],
 "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}]}}`

func (l *lan) kea(net string) (stop func()) {
	l.Helper()
	dir := l.TempDir()
	file := filepath.Join(dir, "kea.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, keaConfig, net, leaseSeconds), 0o644); err != nil {
		l.Fatal(err)
	}
	return l.serve("DHCP4_STARTED", []string{"KEA_PIDFILE_DIR=" + dir, "KEA_LOCKFILE_DIR=none"}, "kea-dhcp4", "-c", file)
}

// ip changes the server's side.
func (l *lan) ip(args ...string) {
	l.Helper()
	cmd := exec.Command("ip", args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := netns.Run(l.server, cmd); err != nil {
		l.Fatalf("ip %v: %v\n%s", args, err, out.String())
	}
}

// A short lease from Kea: renewed by unicast for as long as the server
// lives, extended by another server when it is gone, lost when all are.
func TestKeaRenewRebindExpire(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	stop := l.kea("192.0.2.")
	l.run()
	n := l.until(0, dhcp4.Obtained)
	s := l.last().Lease
	if !l.has(s.Address.String()) || s.Address.Bits() != 24 || s.MTU != 1400 || s.Gateway.String() != "192.0.2.1" || s.Seconds != leaseSeconds {
		t.Errorf("lease %+v", s)
	}
	before := len(l.since(0))
	n = l.until(n, dhcp4.Renewed)
	l.until(n, dhcp4.Renewed)
	for _, m := range l.since(before) {
		if m.to.String() == "ff:ff:ff:ff:ff:ff" || m.dst.String() != "192.0.2.1" || m.ClientIPAddr.String() != s.Address.Addr().String() ||
			m.Options.Has(dhcpv4.OptionRequestedIPAddress) || m.Options.Has(dhcpv4.OptionServerIdentifier) {
			t.Errorf("renewal to %v, %v: %v", m.to, m.dst, m)
		}
	}
	// Another server on the same network: it hears no unicast to the first.
	stop()
	l.ip("address", "add", "192.0.2.2/24", "dev", "s0")
	l.ip("address", "del", "192.0.2.1/24", "dev", "s0")
	l.ip("address", "add", "192.0.2.2/24", "dev", "s0")
	stop = l.kea("192.0.2.")
	n = l.until(n, dhcp4.Altered)
	if got := l.last().Lease; got.Server.String() != "192.0.2.2" || got.Address != s.Address {
		t.Errorf("rebound lease %+v", got)
	}
	stop()
	l.until(n, dhcp4.Expired)
	if l.has(s.Address.String()) {
		t.Error("the address stays behind its lease")
	}
}

// A link that flaps into another network: NAK, then a lease there. A process
// that ends keeps its lease for the next one.
func TestKeaRebootAndNAK(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	stop := l.kea("192.0.2.")
	_, end := l.run()
	n := l.until(0, dhcp4.Obtained)
	first := l.last().Lease.Address
	end()
	before := len(l.since(0))
	c, _ := l.run()
	n = l.until(n, dhcp4.Obtained)
	if got := l.last().Lease.Address; got != first {
		t.Errorf("after a restart: %v, before %v", got, first)
	}
	m := l.since(before)
	if len(m) == 0 || m[0].MessageType() != dhcpv4.MessageTypeRequest || !m[0].Options.Has(dhcpv4.OptionRequestedIPAddress) ||
		m[0].Options.Has(dhcpv4.OptionServerIdentifier) {
		t.Fatalf("restarted with %v", m)
	}
	for _, r := range m[1:] { // a renewal may have followed
		if r.MessageType() != dhcpv4.MessageTypeRequest || r.ClientIPAddr.String() != first.Addr().String() {
			t.Errorf("after a restart: %v", r)
		}
	}
	stop()
	l.ip("address", "flush", "dev", "s0", "scope", "global")
	l.ip("address", "add", "198.51.100.1/24", "dev", "s0")
	l.kea("198.51.100.")
	c.Link(false)
	c.Link(true)
	n = l.until(n, dhcp4.Refused)
	l.until(n, dhcp4.Obtained)
	if got := l.last().Lease.Address; got.Masked().String() != "198.51.100.0/24" || l.has(first.String()) {
		t.Errorf("in the other network: %v; old one there: %t", got, l.has(first.String()))
	}
}

// On a tag, without any device of the kernel for it: Kea's lease is got,
// renewed by unicast, and given back.
func TestKeaOnTag(t *testing.T) {
	t.Parallel()
	l := newTaggedLAN(t, 35)
	l.kea("192.0.2.")
	_, end := l.run()
	n := l.until(0, dhcp4.Obtained)
	s := l.last().Lease
	before := len(l.since(0))
	n = l.until(n, dhcp4.Renewed)
	for _, m := range l.since(before) {
		if m.to.String() == "ff:ff:ff:ff:ff:ff" || m.dst.String() != "192.0.2.1" || m.ClientIPAddr.String() != s.Address.Addr().String() {
			t.Errorf("renewal to %v, %v: %v", m.to, m.dst, m)
		}
	}
	// A later process gives back what this one got.
	end()
	before = len(l.since(0))
	c, _ := l.later()
	c.Release()
	l.until(n, dhcp4.GivenBack)
	l.sent(before, dhcpv4.MessageTypeRelease)
	if _, err := os.Stat(l.file); !os.IsNotExist(err) {
		t.Errorf("the lease is kept: %v", err)
	}
}

// sent waits until the client's next message behind the first n is on the wire.
func (l *lan) sent(n int, kind dhcpv4.MessageType) {
	l.Helper()
	for late := time.After(patience); ; {
		if m := l.since(n); len(m) > 0 {
			if m[0].MessageType() != kind || len(m) != 1 {
				l.Errorf("sent %v, want one %v", m, kind)
			}
			return
		}
		select {
		case <-l.news:
		case <-late:
			l.Fatalf("no %v", kind)
		}
	}
}

// Another station holds the address that Kea gives: it is declined, and Kea
// gives the next.
func TestKeaConflict(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.ip("address", "add", "192.0.2.100/32", "dev", "s0")
	l.kea("192.0.2.")
	l.run()
	n := l.until(0, dhcp4.Taken)
	begin := time.Now()
	l.until(n, dhcp4.Obtained)
	if got := l.last().Lease.Address.Addr().String(); got == "192.0.2.100" || time.Since(begin) < 10*time.Second {
		t.Errorf("got %s after %v", got, time.Since(begin))
	}
}

// dnsmasq, whose answers on a veth have half a checksum: routes, MTU and the
// conductor by option 43.
func TestDnsmasq(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.serve("DHCP, IP range", nil, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=s0", "--bind-interfaces",
		"--user=root", "--log-facility=-", "--dhcp-leasefile="+filepath.Join(t.TempDir(), "leases"), "--dhcp-authoritative",
		"--dhcp-range=192.0.2.50,192.0.2.60,255.255.255.0,2m", "--dhcp-option=option:mtu,1300", "--dhcp-option=option:router,192.0.2.9",
		"--dhcp-option=121,0.0.0.0/0,192.0.2.1,10.7.0.0/16,192.0.2.2", "--dhcp-option=vendor:waymark,1,conductor.example")
	l.run()
	l.until(0, dhcp4.Obtained)
	s := l.last().Lease
	if s.MTU != 1300 || s.Gateway.String() != "192.0.2.1" || len(s.Routes) != 1 || s.Routes[0].Dst.String() != "10.7.0.0/16" ||
		len(s.Conductor.Hosts) != 1 || s.Conductor.Hosts[0] != "conductor.example" {
		t.Errorf("lease %+v", s)
	}
	list, err := route.List(l.conn)
	if err != nil || len(list) != 2 {
		t.Errorf("routes %v, %v", list, err)
	}
}
