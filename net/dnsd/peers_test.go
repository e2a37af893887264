package dnsd_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"waymark/net/dnsd"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/resolve"
)

// place is a host, a box that forwards, and two providers with a resolver each.
type place struct {
	*testing.T
	host, box, isp1, isp2 string
	cmd                   *exec.Cmd // the forwarder
	out                   *bufio.Scanner
}

func newPlace(t *testing.T) *place {
	p := &place{T: t, host: nstest.New(t), box: nstest.New(t), isp1: nstest.New(t), isp2: nstest.New(t)}
	wire := func(a, an, ap, b, bn, bp string) {
		nstest.Veth(t, netns.End{NS: a, Name: an, Addrs: []netip.Prefix{netip.MustParsePrefix(ap)}},
			netns.End{NS: b, Name: bn, Addrs: []netip.Prefix{netip.MustParsePrefix(bp)}})
	}
	wire(p.host, "eth0", "192.168.1.10/24", p.box, "lan0", "192.168.1.1/24")
	wire(p.box, "wan0", "203.0.113.2/24", p.isp1, "b", "203.0.113.1/24")
	wire(p.box, "wan1", "100.64.0.2/24", p.isp2, "b", "100.64.0.1/24")
	p.run(p.isp1, "ip", "route", "add", "192.168.1.0/24", "via", "203.0.113.2")
	return p
}

// TestMain serves instead of testing when it is asked to: a forwarder asks from
// many threads, so it needs a process that is in its namespace as a whole.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		serve(os.Args[2:])
		return
	}
	os.Exit(m.Run())
}

// serve forwards what the box's LAN asks to resolvers, each given as
// SERVER=SOURCE. A signal makes it tell what it knows of them.
func serve(resolvers []string) {
	client := resolve.NewClient()
	var list []resolve.Upstream
	for _, r := range resolvers {
		server, source, _ := strings.Cut(r, "=")
		list = append(list, resolve.Upstream{Server: netip.MustParseAddr(server), Source: netip.MustParseAddr(source)})
	}
	client.Use(list)
	f := dnsd.NewForwarder(dnsd.Options{Interface: "lan0", Addrs: []netip.Addr{netip.MustParseAddr("192.168.1.1")}, Client: client})
	ask := make(chan os.Signal, 1)
	signal.Notify(ask, syscall.SIGUSR1)
	go func() {
		for range ask {
			_, stats := client.Look()
			for _, s := range stats {
				fmt.Println("STATS", s.Queries > 0, s.Failures, s.Silent.IsZero())
			}
			fmt.Println("END")
		}
	}()
	fmt.Println(f.Run(context.Background()))
}

// box runs the forwarder, in the box's namespace.
func (p *place) serve(resolvers ...string) {
	p.Helper()
	for i, r := range resolvers {
		source := "203.0.113.2"
		if r == "100.64.0.1" {
			source = "100.64.0.2"
		}
		resolvers[i] = r + "=" + source
	}
	self, err := os.Executable()
	if err != nil {
		p.Fatal(err)
	}
	p.cmd = exec.Command(self, append([]string{"serve"}, resolvers...)...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.Fatal(err)
	}
	if err := netns.Start(p.box, p.cmd); err != nil {
		p.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	p.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may be gone
		_ = p.cmd.Wait()         // it ends by our signal
	})
	p.until(p.host, "192.168.1.1")
}

// stats is what the forwarder knows of its resolvers: asked, failures, not silent.
func (p *place) stats() (list []string) {
	p.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		p.Fatal(err)
	}
	for p.out.Scan() && p.out.Text() != "END" {
		list = append(list, p.out.Text())
	}
	return list
}

// until waits until somebody serves at an address.
func (p *place) until(ns, at string) {
	p.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); ; {
		if _, err := p.try(ns, "dig", "@"+at, "+tries=1", "+timeout=1", "CH", "TXT", "version.bind"); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			p.Fatalf("nobody serves at %s", at)
		}
	}
}

func (p *place) run(ns string, argv ...string) string {
	p.Helper()
	out, err := p.try(ns, argv...)
	if err != nil {
		p.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return out
}

func (p *place) try(ns string, argv ...string) (string, error) {
	var out strings.Builder
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := netns.Run(ns, cmd)
	return out.String(), err
}

// dig asks as a host does, and waits for a forwarder that is just starting.
func (p *place) dig(args ...string) string {
	p.Helper()
	return p.run(p.host, append([]string{"dig", "@192.168.1.1", "+tries=2", "+timeout=6", "+retry=2"}, args...)...)
}

// dnsmasq is a resolver with a few names, and with one of 40 long texts.
func (p *place) dnsmasq(ns, address string) (stop func()) {
	p.Helper()
	argv := []string{"--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file", "--bind-interfaces",
		"--listen-address=" + address, "--log-facility=" + filepath.Join(p.TempDir(), "log"), "--log-queries", "--edns-packet-max=1232",
		"--host-record=www.a.example,192.0.2.7", "--host-record=from.example," + address, "--local-ttl=60", "--local=/example/"}
	for range 40 {
		argv = append(argv, "--txt-record=big.example,"+strings.Repeat("x", 200))
	}
	cmd := exec.Command(nstest.Program(p, "dnsmasq"), argv...)
	if err := netns.Start(ns, cmd); err != nil {
		p.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()         // it ends by our signal
	})
	p.Cleanup(stop)
	p.until(ns, address)
	return stop
}

// Real hosts and real resolvers: names, names that are none, answers too large
// for UDP, and a resolver that dies.
func TestPeers(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	stop := p.dnsmasq(p.isp1, "203.0.113.1")
	p.dnsmasq(p.isp2, "100.64.0.1")
	p.serve("203.0.113.1", "100.64.0.1")
	if out := p.dig("+short", "from.example"); out != "203.0.113.1\n" {
		t.Errorf("not the first resolver's answer: %s", out)
	}
	if out := p.dig("+short", "WwW.a.ExAmPlE"); out != "192.0.2.7\n" {
		t.Errorf("a name: %s", out)
	}
	if out := p.dig("nobody.example"); !strings.Contains(out, "status: NXDOMAIN") {
		t.Errorf("no name: %s", out)
	}
	for _, how := range []string{"+notcp", "+tcp"} {
		out := p.dig(how, "big.example", "TXT")
		if n := strings.Count(out, strings.Repeat("x", 200)); n != 40 || how == "+notcp" && !strings.Contains(out, "retrying in TCP mode") {
			t.Errorf("%s: %d texts", how, n)
		}
	}
	if out := p.dig("+ignore", "+notcp", "+noedns", "big.example", "TXT"); !strings.Contains(out, "flags: qr tc") {
		t.Errorf("cut: %s", out)
	}
	stop()
	// The second answers, and is asked first from now on.
	if out := p.dig("+short", "www.b.example"); strings.Contains(out, "timed out") {
		t.Errorf("with one resolver dead: %s", out)
	}
	if out := p.dig("from.example", "+short", "+cd"); out != "100.64.0.1\n" { // another question than the one kept
		t.Errorf("the dead resolver's answer: %s", out)
	}
	if got := p.stats(); len(got) != 2 || got[0] != "STATS true 1 false" || got[1] != "STATS true 0 true" {
		t.Errorf("resolvers: %q", got)
	}
}

// A resolver that says nothing at all costs the first host its time, and is
// asked last from then on.
func TestSilentResolver(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.dnsmasq(p.isp2, "100.64.0.1")
	p.serve("203.0.113.9", "100.64.0.1")
	for _, name := range []string{"www.a.example", "from.example"} {
		if out := p.dig("+short", name); strings.TrimSpace(out) == "" || strings.Contains(out, "timed out") {
			t.Errorf("%s: %s", name, out)
		}
	}
	if got := p.stats(); len(got) != 2 || got[0] != "STATS true 1 false" || got[1] != "STATS true 0 true" {
		t.Errorf("resolvers: %q", got)
	}
}

// Nobody but the LAN is served: not by the WAN's address, and not by the LAN's
// through the WAN.
func TestNoOpenResolver(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.dnsmasq(p.isp2, "100.64.0.1")
	p.serve("100.64.0.1")
	if out := p.dig("+short", "www.a.example"); !strings.Contains(out, "192.0.2.7") {
		t.Fatalf("the LAN is not served: %s", out)
	}
	for _, at := range []string{"@203.0.113.2", "@192.168.1.1"} {
		for _, how := range []string{"+notcp", "+tcp"} {
			if out, err := p.try(p.isp1, "dig", at, how, "+tries=1", "+timeout=1", "www.a.example"); err == nil {
				t.Errorf("%s %s is answered: %s", at, how, out)
			}
		}
	}
}

// A forger beside the resolver answers first, many times: number, name, letters
// wrong. None is believed, the true one is.
func TestSpoofedAnswers(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	forge(p)
	p.serve("203.0.113.1")
	if out := p.dig("+short", "www.a.example"); out != "192.0.2.7\n" {
		t.Errorf("answered %s", out)
	}
}

// forge is a resolver whose true answer comes behind forged ones.
func forge(p *place) {
	var c net.PacketConn
	nstest.In(p, p.isp1, func() (err error) {
		c, err = net.ListenPacket("udp", "203.0.113.1:53")
		return err
	})
	done := make(chan struct{})
	p.Cleanup(func() { c.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			for _, out := range forged(b[:n]) {
				_, _ = c.WriteTo(out, from) // a lost one shows in the test
			}
		}
	}()
}

// forged returns forged answers to a query and, last, the true one.
func forged(query []byte) (list [][]byte) {
	var m dnsmessage.Message
	if m.Unpack(query) != nil {
		return nil
	}
	answer := func(last byte, change func(*dnsmessage.Message)) {
		n := m
		n.Response, n.Additionals = true, nil
		n.Questions = append([]dnsmessage.Question(nil), m.Questions...)
		change(&n)
		n.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: n.Questions[0].Name, Type: 1, Class: 1, TTL: 60},
			Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, last}}}}
		if b, err := n.Pack(); err == nil {
			list = append(list, b)
		}
	}
	for i := range 20 {
		answer(66, func(n *dnsmessage.Message) { n.ID += uint16(i + 1) })
	}
	answer(66, func(n *dnsmessage.Message) { n.Questions[0].Name = dnsmessage.MustNewName("www.b.example.") })
	answer(66, func(n *dnsmessage.Message) { n.Questions[0].Type = 28 })
	answer(7, func(*dnsmessage.Message) {})
	return list
}
