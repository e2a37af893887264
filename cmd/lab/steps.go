package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
)

// bulk is the size of the big transfer in bytes.
const bulk = 1_000_000_000

var mainSteps = []step{
	{name: "dhcp", run: lteLease},
	{name: "http", run: webPage("http://10.20.0.5/", openPage, "192.168.1.10")},
	{name: "udp", run: questions},
	{name: "ping", run: pings("10.20.0.5")},
	{name: "traceroute", run: traceroute},
	{name: "http ipv6", run: webPage("http://[fd00:20::5]/", openPage, "fd00:1::10")},
	{name: "ping ipv6", run: pings("fd00:20::5")},
	{name: "payroll", run: webPage("http://10.20.0.80:8443/", secretPage, "192.168.1.10")},
	{name: "transfer", limit: 3 * time.Minute, run: transfer(bulk)},
	{name: "breakout", run: breakout},
	{name: "failover", limit: time.Minute, run: failover},
	{name: "lanes", run: whichLane},
	{name: "on the wire", run: onTheWire},
}

// lteLease looks at the lease of the branch's LTE port and at the path over it.
func lteLease(_ context.Context, l *lab) (string, error) {
	var rows []map[string]any
	if err := l.branch.ShowJSON(&rows, "dhcp", "detail"); err != nil {
		return "", err
	}
	if len(rows) != 1 || rows[0]["dhcp-state"] != "resolved" || rows[0]["server-address"] != "100.64.0.1" {
		return "", fmt.Errorf("want one lease from 100.64.0.1: %v", rows)
	}
	r := rows[0]
	lease, err := netip.ParseAddr(fmt.Sprint(r["address"]))
	first, last := netip.MustParseAddr(world.LTERange[0]), netip.MustParseAddr(world.LTERange[1])
	if err != nil || lease.Less(first) || last.Less(lease) {
		return "", fmt.Errorf("got address %v, want one of %s to %s", r["address"], first, last)
	}
	return fmt.Sprintf("%v leased %v/%v from %v, gateway %v, MTU %v, until %v", r["network-interface"], lease,
		r["prefix-length"], r["server-address"], r["gateway"], r["learned-mtu"], r["lease-expiration-time"]), nil
}

// webPage fetches a page and looks at what the server says about the client:
// SVR restores the addresses, so the server sees who really asked.
func webPage(url, want, client string) func(context.Context, *lab) (string, error) {
	return func(ctx context.Context, l *lab) (string, error) {
		page, err := traffic.Get(ctx, l.w, world.Client, url)
		if err != nil {
			return "", err
		}
		from, err := seenFrom(page, want)
		if err != nil {
			return "", err
		}
		if from.Addr().String() != client {
			return "", fmt.Errorf("the server saw %v, want %s", from.Addr(), client)
		}
		return fmt.Sprintf("%s in %.1f ms, the server saw %v", url, page.Seconds*1000, from.Addr()), nil
	}
}

// seenFrom checks a page and returns the client's address as the server saw it.
func seenFrom(page traffic.Page, want string) (netip.AddrPort, error) {
	text, from, ok := strings.Cut(page.Body, "\nfrom ")
	if page.Status != 200 || text != want || !ok {
		return netip.AddrPort{}, fmt.Errorf("got status %d and %q, want %q", page.Status, page.Body, want)
	}
	return netip.ParseAddrPort(strings.TrimSpace(from))
}

func questions(ctx context.Context, l *lab) (string, error) {
	const n = 50
	a, err := traffic.Ask(ctx, l.w, world.Client, "10.20.0.5:53", n)
	if err != nil {
		return "", err
	}
	if a.Answered != n {
		return "", fmt.Errorf("%d of %d questions answered", a.Answered, n)
	}
	return fmt.Sprintf("%d questions to 10.20.0.5:53, a session each, all answered, median %.2f ms", n, a.MedianMs), nil
}

// pingRTT is ping's last line: min/avg/max/mdev.
var pingRTT = regexp.MustCompile(`= [0-9.]+/([0-9.]+)/`)

func pings(dst string) func(context.Context, *lab) (string, error) {
	return func(ctx context.Context, l *lab) (string, error) {
		out, err := l.w.ExecContext(ctx, world.Client, "ping", "-n", "-c", "10", "-i", "0.05", "-W", "10", dst)
		if err != nil {
			return "", err
		}
		m := pingRTT.FindStringSubmatch(out)
		if m == nil || !strings.Contains(out, " 0% packet loss") {
			return "", fmt.Errorf("answers are missing:\n%s", out)
		}
		return fmt.Sprintf("10 of 10 from %s, average %s ms", dst, m[1]), nil
	}
}

// hopLine is a line of traceroute -n -q 1: number, address or star.
var hopLine = regexp.MustCompile(`(?m)^ *\d+ +(\S+)`)

func traceroute(ctx context.Context, l *lab) (string, error) {
	out, err := l.w.ExecContext(ctx, world.Client, "traceroute", "-n", "-q", "1", "-w", "5", "-m", "8", "10.20.0.5")
	if err != nil {
		return "", err
	}
	var hops []string
	for _, m := range hopLine.FindAllStringSubmatch(out, -1) {
		hops = append(hops, m[1])
	}
	if len(hops) < 2 || hops[0] != "192.168.1.1" || hops[len(hops)-1] != "10.20.0.5" {
		return "", fmt.Errorf("want a way from 192.168.1.1 to 10.20.0.5:\n%s", out)
	}
	return strings.Join(hops, " > "), nil
}

func transfer(size int64) func(context.Context, *lab) (string, error) {
	return func(ctx context.Context, l *lab) (string, error) {
		t, err := traffic.Put(ctx, l.w, world.Client, "10.20.0.5:5001", size)
		if err != nil {
			return "", err
		}
		if t.Bytes != size || t.Sent != t.Arrived {
			return "", fmt.Errorf("sent %d bytes, sum %s; arrived %d, sum %s", size, t.Sent, t.Bytes, t.Arrived)
		}
		return fmt.Sprintf("%d MB client > server over SVR: %.2f Gbit/s, SHA-256 equal", size/1_000_000, t.Gbps()), nil
	}
}

// Ports that source NAT of a breakout may use.
const (
	firstNATPort = 2048
	lastNATPort  = 9999
)

func breakout(ctx context.Context, l *lab) (string, error) {
	page, err := traffic.Get(ctx, l.w, world.Client, "http://192.0.2.10/")
	if err != nil {
		return "", err
	}
	from, err := seenFrom(page, publicPage)
	if err != nil {
		return "", err
	}
	if from.Addr().String() != "203.0.113.2" || from.Port() < firstNATPort || from.Port() > lastNATPort {
		return "", fmt.Errorf("the internet saw %v, want 203.0.113.2 and a port in %d-%d", from, firstNATPort, lastNATPort)
	}
	return fmt.Sprintf("http://192.0.2.10/ in %.1f ms, the internet saw %v", page.Seconds*1000, from), nil
}

// restartWithGuest starts the branch anew with a port for visitors.
var restartWithGuest = step{name: "guest port", run: func(_ context.Context, l *lab) (figure string, err error) {
	if err := l.branch.Stop(); err != nil {
		return "", err
	}
	if code := l.branch.ExitCode(); code != 0 {
		return "", fmt.Errorf("branch1 stopped with exit code %d:\n%s", code, l.branch.Output())
	}
	l.branch, err = l.w.StartRouter("branch1", world.Branch, world.AcmeGuest())
	if err != nil {
		return "", err
	}
	return "branch1 stopped in order and started again with a port of tenant guest", nil
}}

var guestSteps = []step{
	{name: "guest out", run: guestOut},
	{name: "guest deny", run: guestDenied},
	{name: "guest route", run: guestNoRoute},
}

// guestOut: what visitors may do.
func guestOut(ctx context.Context, l *lab) (string, error) {
	page, err := traffic.Get(ctx, l.w, world.Guest, "http://192.0.2.10/")
	if err != nil {
		return "", err
	}
	from, err := seenFrom(page, publicPage)
	return fmt.Sprintf("a visitor reads the internet, seen as %v", from), err
}

// silence is how long a refused visitor listens.
const silence = 2 * time.Second

// guestDenied: payroll names guests as denied, so they hear nothing at all.
func guestDenied(ctx context.Context, l *lab) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	page, err := traffic.Get(ctx, l.w, world.Guest, "http://10.20.0.80:8443/")
	switch {
	case err == nil:
		return "", fmt.Errorf("a visitor read payroll: %q", page.Body)
	case !errors.Is(err, context.DeadlineExceeded):
		return "", fmt.Errorf("want silence, got an answer: %w", err)
	}
	return fmt.Sprintf("a visitor asks payroll: %v of silence, as if nothing were there", silence), nil
}

// guestNoRoute: the data center knows no guests, so there is no route and
// the router says so.
func guestNoRoute(ctx context.Context, l *lab) (string, error) {
	out, err := l.w.ExecContext(ctx, world.Guest, "ping", "-n", "-c", "1", "-W", "3", "10.20.0.5")
	if err == nil {
		return "", fmt.Errorf("a visitor reached the data center:\n%s", out)
	}
	if !strings.Contains(out, "filtered") && !strings.Contains(out, "rohibited") {
		return "", fmt.Errorf("want an ICMP error, administratively prohibited:\n%s", out)
	}
	return "a visitor pings 10.20.0.5: administratively prohibited", nil
}
