// Package lanetest builds a client, a router and a server in network
// namespaces, and a trivial forwarder for the router, for tests and
// measurements of the lane.
package lanetest

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"

	"waymark/net/link"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/route"
	"waymark/net/rtnl"
	"waymark/svr/lane"
	"waymark/svr/packet"
)

// Forwarder is a Handler that forwards by destination prefix and nothing else.
type Forwarder struct {
	Lane   *lane.Lane
	Routes []Route
	Before func(p *packet.Packet) // looks at or changes each packet, may be nil
	Missed int
}

// Route sends a prefix to a next-hop.
type Route struct {
	Dst  netip.Prefix
	Ifc  uint16
	Hop  uint16
	Next netip.Addr // zero: on link is not supported
}

// Receive implements lane.Handler.
func (f *Forwarder) Receive(p *packet.Packet, now int64) {
	if p.Parse() != nil || !p.DecTTL() {
		f.Missed++
		return
	}
	if f.Before != nil {
		f.Before(p)
	}
	dst := p.T.DstAddr()
	for i := range f.Routes {
		if r := &f.Routes[i]; r.Dst.Contains(dst) {
			f.Lane.Send(p, r.Ifc, r.Hop)
			return
		}
	}
	f.Missed++
}

// Batch implements lane.Handler.
func (f *Forwarder) Batch(list []*packet.Packet, now int64) {
	for _, p := range list {
		f.Receive(p, now)
	}
}

// Tick implements lane.Handler.
func (f *Forwarder) Tick(now int64) int64 { return 0 }

// Net is three namespaces in a row: client 10.1.0.2 and fd01::2, router .1 on
// both sides, server 10.2.0.2 and fd02::2.
type Net struct {
	Client, Router, Server string
	Forwarder              *Forwarder
	Lane                   *lane.Lane
	Damaged                atomic.Int64 // packets that Damage spoilt
}

// Names of the interfaces.
const (
	ClientIf = "c0"
	LeftIf   = "lan0"
	RightIf  = "wan0"
	ServerIf = "s0"
)

func prefixes(list ...string) (p []netip.Prefix) {
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

// NewNet makes the namespaces and the links; the router forwards nothing yet.
func NewNet(t testing.TB) *Net {
	t.Helper()
	return NewNetAddrs(t, netns.End{Addrs: prefixes("10.1.0.1/24", "fd01::1/64")})
}

// NewNetAddrs is NewNet with other addresses on the router's left interface.
func NewNetAddrs(t testing.TB, left netns.End) *Net {
	t.Helper()
	n := &Net{Client: nstest.New(t), Router: nstest.New(t), Server: nstest.New(t)}
	nstest.Veth(t, netns.End{NS: n.Client, Name: ClientIf, Addrs: prefixes("10.1.0.2/24", "fd01::2/64")},
		netns.End{NS: n.Router, Name: LeftIf, Addrs: left.Addrs})
	nstest.Veth(t, netns.End{NS: n.Server, Name: ServerIf, Addrs: prefixes("10.2.0.2/24", "fd02::2/64")},
		netns.End{NS: n.Router, Name: RightIf, Addrs: prefixes("10.2.0.1/24", "fd02::1/64")})
	gateway(t, n.Client, ClientIf, "10.1.0.1", "fd01::1")
	gateway(t, n.Server, ServerIf, "10.2.0.1", "fd02::1")
	return n
}

// gateway sets default routes.
func gateway(t testing.TB, ns, dev string, gws ...string) {
	t.Helper()
	nstest.In(t, ns, func() error {
		c, err := rtnl.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		l, err := link.ByName(c, dev)
		if err != nil {
			return err
		}
		var want []route.Route
		for _, g := range gws {
			a := netip.MustParseAddr(g)
			dst := netip.MustParsePrefix("0.0.0.0/0")
			if a.Is6() {
				dst = netip.MustParsePrefix("::/0")
			}
			want = append(want, route.Route{Dst: dst, Gateway: a, Index: l.Index})
		}
		_, err = route.Apply(c, want)
		return err
	})
}

// Workers is how many workers lanes have that say nothing else.
var Workers int

// Start opens both ports with a lane that forwards between client and server,
// and runs it until the test ends. change may alter the configuration.
func (n *Net) Start(t testing.TB, change func(left, right *lane.PortConfig, cfg *lane.Config)) *lane.Hops {
	t.Helper()
	left := lane.PortConfig{Name: LeftIf, Interfaces: []lane.Interface{{ID: 1}}}
	right := lane.PortConfig{Name: RightIf, Interfaces: []lane.Interface{{ID: 2}}}
	cfg := lane.Config{Workers: Workers}
	if change != nil {
		change(&left, &right, &cfg)
	}
	n.Forwarder = &Forwarder{}
	hops := lane.NewHops(64)
	nstest.In(t, n.Router, func() error { return n.open(left, right, hops, cfg) })
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Lane.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("lane: %v", err)
		}
		if err := n.Lane.Close(); err != nil {
			t.Errorf("close lane: %v", err)
		}
	})
	return hops
}

func (n *Net) open(left, right lane.PortConfig, hops *lane.Hops, cfg lane.Config) error {
	var ports []*lane.Port
	for _, c := range []lane.PortConfig{left, right} {
		c.Workers = cfg.Workers
		p, err := lane.OpenPort(c)
		if err != nil {
			return err
		}
		ports = append(ports, p)
	}
	l, err := lane.New(ports, hops, n.Forwarder, cfg)
	if err != nil {
		return err
	}
	n.Lane, n.Forwarder.Lane = l, l
	l1, r1 := left.Interfaces[0].ID, right.Interfaces[0].ID
	n.Forwarder.Routes = []Route{
		{Dst: netip.MustParsePrefix("10.1.0.0/24"), Ifc: l1, Next: netip.MustParseAddr("10.1.0.2")},
		{Dst: netip.MustParsePrefix("10.2.0.0/24"), Ifc: r1, Next: netip.MustParseAddr("10.2.0.2")},
		{Dst: netip.MustParsePrefix("fd01::/64"), Ifc: l1, Next: netip.MustParseAddr("fd01::2")},
		{Dst: netip.MustParsePrefix("fd02::/64"), Ifc: r1, Next: netip.MustParseAddr("fd02::2")},
	}
	for i := range n.Forwarder.Routes {
		r := &n.Forwarder.Routes[i]
		b, family := packet.FromAddr(r.Next)
		var ok bool
		if r.Hop, ok = hops.Get(r.Ifc, b, family); !ok {
			return fmt.Errorf("no room for next-hop %s", r.Next)
		}
	}
	return nil
}

// Damage spoils the last byte of every nth large TCP packet that has a full
// checksum, from now on.
func (n *Net) Damage(t testing.TB, nth int) {
	t.Helper()
	seen := 0
	err := n.Lane.Do(func() {
		n.Forwarder.Before = func(p *packet.Packet) {
			if p.Kind != packet.KindTCP || p.Csum == packet.CsumPartial || len(p.Payload()) < 1000 {
				return
			}
			if seen++; seen%nth == 0 {
				p.Buf[p.End-1] ^= 0x55
				n.Damaged.Add(1)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
