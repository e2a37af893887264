package dhcpd_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"waymark/net/dhcpd"
	"waymark/net/frame"
	"waymark/net/link"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/rtnl"
	"waymark/svr/lane/lanetest/gen"
)

// patience bounds what happens sooner or later on a machine that others use as well.
const patience = time.Minute

// lan is a server and hosts on one switch, each in a namespace of its own.
type lan struct {
	*testing.T
	server, middle string
	hosts          []string
	dev            link.Link // the server's
	vlan           uint16
	dir            string
	daemon         *dhcpd.Daemon
	stop           func()
}

func newLAN(t *testing.T, hosts int, vlan uint16) *lan {
	l := &lan{T: t, server: nstest.New(t), middle: nstest.New(t), vlan: vlan, dir: t.TempDir()}
	l.ip(l.middle, "link", "add", "br0", "type", "bridge")
	l.ip(l.middle, "link", "set", "br0", "up")
	end := netns.End{NS: l.server, Name: "s0"}
	if vlan == 0 {
		end.Addrs = []netip.Prefix{netip.MustParsePrefix("192.168.1.1/24")}
	}
	l.plug(end, "p0")
	for i := range hosts {
		h := nstest.New(t)
		l.plug(netns.End{NS: h, Name: "c0"}, fmt.Sprintf("p%d", i+1))
		if vlan != 0 {
			gen.Tagger(t, h, "c0", vlan)
		}
		l.hosts = append(l.hosts, h)
	}
	nstest.In(t, l.server, func() error {
		c, err := rtnl.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		l.dev, err = link.ByName(c, "s0")
		return err
	})
	l.start()
	return l
}

func (l *lan) plug(e netns.End, port string) {
	l.Helper()
	nstest.Veth(l, e, netns.End{NS: l.middle, Name: port})
	l.ip(l.middle, "link", "set", port, "master", "br0")
}

func (l *lan) ip(ns string, args ...string) {
	l.Helper()
	cmd := exec.Command("ip", args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := netns.Run(ns, cmd); err != nil {
		l.Fatalf("ip %v: %v\n%s", args, err, out.String())
	}
}

// start runs a daemon; a second one after stop is a restart.
func (l *lan) start() {
	l.daemon = dhcpd.NewDaemon(dhcpd.Options{Interface: "s0", Index: l.dev.Index, VLAN: l.vlan, File: filepath.Join(l.dir, "leases.json"),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Config: dhcpd.Config{MAC: l.dev.MAC, MaxLease: 10 * time.Minute, Pools: []dhcpd.Pool{{
			Server: netip.MustParsePrefix("192.168.1.1/24"), Start: netip.MustParseAddr("192.168.1.100"), End: netip.MustParseAddr("192.168.1.103"),
			Static:  map[frame.MAC]netip.Addr{{2, 0, 0, 0, 7, 7}: netip.MustParseAddr("192.168.1.50")},
			Options: map[uint8][]byte{3: {192, 168, 1, 1}, 6: {192, 168, 1, 1}, 15: []byte("lan.example"), 42: {192, 168, 1, 1}}}}}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- netns.Do(l.server, func() error { return l.daemon.Run(ctx) }) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			l.Error(err)
		}
	})
	l.Cleanup(l.stop)
	l.leases() // it serves
}

func (l *lan) leases() []dhcpd.Lease {
	l.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	list, _, _, err := l.daemon.Look(ctx)
	if err != nil {
		l.Fatal(err)
	}
	return list
}

// client is a program that runs on a host.
type client struct {
	*lan
	cmd   *exec.Cmd
	lines chan string
	gone  chan struct{}
}

// script tells each event of a client on one line.
const script = "#!/bin/sh\n" + `
if [ -n "$reason" ]; then # dhclient
	echo "EVENT $reason ip=$new_ip_address router=$new_routers dns=$new_domain_name_servers domain=$new_domain_name"
	[ "$reason" != BOUND ] || ip address add "$new_ip_address/24" dev "$interface"
else # udhcpc
	echo "EVENT $1 ip=$ip router=$router dns=$dns domain=$domain lease=$lease ntp=$ntpsrv"
	[ "$1" != bound ] || ip address add "$ip/24" dev "$interface"
fi
`

func (l *lan) run(host int, argv ...string) *client {
	l.Helper()
	file := filepath.Join(l.dir, "script")
	if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
		l.Fatal(err)
	}
	for i, a := range argv {
		argv[i] = strings.ReplaceAll(strings.ReplaceAll(a, "SCRIPT", file), "DIR", l.dir)
	}
	c := &client{lan: l, cmd: exec.Command(nstest.Program(l, argv[0]), argv[1:]...), lines: make(chan string, 1000), gone: make(chan struct{})}
	r, w := io.Pipe()
	c.cmd.Stdout, c.cmd.Stderr = w, w
	if err := netns.Start(l.hosts[host], c.cmd); err != nil {
		l.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(r); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	go func() { _ = c.cmd.Wait(); w.Close(); close(c.gone) }() // it ends by our signal
	l.Cleanup(func() {
		_ = c.cmd.Process.Kill() // gone already is as good
		<-c.gone
	})
	return c
}

// until waits for an event and returns its fields.
func (c *client) until(event string) map[string]string {
	c.Helper()
	late, all := time.After(patience), ""
	for {
		select {
		case s := <-c.lines:
			all += s + "\n"
			rest, ok := strings.CutPrefix(s, "EVENT "+event+" ")
			if !ok {
				continue
			}
			m := map[string]string{}
			for f := range strings.FieldsSeq(rest) {
				k, v, _ := strings.Cut(f, "=")
				m[k] = v
			}
			return m
		case <-late:
			c.Fatalf("no event %q:\n%s", event, all)
		}
	}
}

func (c *client) signal(s syscall.Signal) {
	c.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.Fatal(err)
	}
}

// udhcpc and dhclient are the arguments of real clients on c0.
func udhcpc(more ...string) []string {
	return append([]string{"busybox", "udhcpc", "-i", "c0", "-f", "-t", "5", "-T", "2", "-A", "2", "-s", "SCRIPT", "-O", "ntpsrv", "-x", "hostname:pc1"}, more...)
}

func dhclient(n int) []string {
	return []string{"dhclient", "-d", "-sf", "SCRIPT", "-cf", "/dev/null", "-lf", fmt.Sprintf("DIR/dhclient%d.leases", n), "-pf", fmt.Sprintf("DIR/dhclient%d.pid", n), "c0"}
}

// Real clients get, renew and give back; a restarted server knows them.
func TestClients(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 2, 0)
	first := l.run(0, udhcpc("-R")...)
	a := first.until("bound")
	for key, want := range map[string]string{"router": "192.168.1.1", "dns": "192.168.1.1", "domain": "lan.example", "lease": "600", "ntp": "192.168.1.1"} {
		if a[key] != want {
			t.Errorf("udhcpc: %s is %q, want %q", key, a[key], want)
		}
	}
	second := l.run(1, dhclient(1)...)
	b := second.until("BOUND")
	if b["ip"] == a["ip"] || b["router"] != "192.168.1.1" || b["domain"] != "lan.example" {
		t.Errorf("dhclient: %v, udhcpc %v", b, a)
	}
	l.stop()
	l.start()
	first.signal(syscall.SIGUSR1)
	if again := first.until("renew"); again["ip"] != a["ip"] {
		t.Errorf("renewed %v, had %v", again, a)
	}
	if list := l.leases(); len(list) != 2 || list[0].State != dhcpd.Leased || list[1].State != dhcpd.Leased || list[0].Hostname+list[1].Hostname != "pc1" {
		t.Errorf("leases %+v", list)
	}
	first.signal(syscall.SIGTERM)
	first.until("deconfig")
	<-first.gone
	l.until("release", func(list []dhcpd.Lease) bool {
		for _, x := range list {
			if x.Address.String() == a["ip"] {
				return x.State == dhcpd.Free
			}
		}
		return false
	})
}

// until waits until the leases are as wanted.
func (l *lan) until(what string, good func([]dhcpd.Lease) bool) {
	l.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		if good(l.leases()) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			l.Fatalf("no %s: %+v", what, l.leases())
		}
	}
}

// A host that was told its address by hand has one of the pool: nobody else
// gets it. A host with an assignment gets that.
func TestConflictOnTheWire(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 3, 0)
	for _, a := range []string{"100", "101", "102"} {
		l.ip(l.hosts[0], "address", "add", "192.168.1."+a+"/24", "dev", "c0")
	}
	if got := l.run(1, udhcpc("-q")...).until("bound"); got["ip"] != "192.168.1.103" {
		t.Errorf("got %v, and all others are taken", got)
	}
	l.ip(l.hosts[2], "link", "set", "c0", "address", "02:00:00:00:07:07")
	if got := l.run(2, dhclient(2)...).until("BOUND"); got["ip"] != "192.168.1.50" {
		t.Errorf("got %v, its own is .50", got)
	}
}

// On a tag the kernel has no part in it. (dhclient hears no tagged frames, not
// even those whose tag the device takes off.)
func TestClientsOnTag(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 2, 7)
	a := l.run(0, udhcpc()...).until("bound")
	b := l.run(1, udhcpc("-x", "hostname:pc2")...).until("bound")
	if a["ip"] == "" || a["ip"] == b["ip"] || a["router"] != "192.168.1.1" {
		t.Errorf("%v, %v", a, b)
	}
}

// A second server on the interface is an error, not a fight.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 0, 0)
	d := dhcpd.NewDaemon(dhcpd.Options{Interface: "s0", Index: l.dev.Index, File: filepath.Join(l.dir, "x"), Log: slog.Default()})
	if err := netns.Do(l.server, func() error { return d.Run(context.Background()) }); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("second server: %v", err)
	}
}
