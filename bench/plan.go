package main

import (
	"errors"
	"fmt"
	"time"

	"waymark/bench/field"
	"waymark/bench/host"
	"waymark/bench/probe"
	"waymark/bench/rival"
	"waymark/bench/subject"
	"waymark/cmd/lab/world"
)

// contestant is one thing that is measured in every round.
type contestant struct {
	name    string
	unit    unit
	measure func() (float64, error)
}

type unit string

const (
	packets unit = "Mpps"
	bits    unit = "Gbit/s"
)

// per is how many of what measure returns make one of the unit.
func (u unit) per() float64 {
	if u == packets {
		return 1e6
	}
	return 1e9
}

// figure is a ratio of two contestants, round by round. goal 0: for reference.
type figure struct {
	id, name    string
	over, under string
	goal        float64
}

// Names of contestants.
const (
	tcpKernel = "TCP, kernel forwarding"
	tcpWG     = "TCP, wireguard-go"
	tcpClear  = "TCP, Waymark service lane, clear"
	tcpCBC    = "TCP, Waymark service lane, AES-128-CBC + HMAC"
	ppsDrop   = "64 bytes, XDP drop"
	ppsXDP    = "64 bytes, bare XDP redirect"
	ppsKernel = "64 bytes, kernel forwarding"
	ppsNAT    = "64 bytes, kernel + nftables NAT"
	overWG    = "64 bytes overloaded, wireguard-go"
	overLane  = "64 bytes overloaded, Waymark service lane"
)

var figures = []figure{
	{"2-13a", "TCP single stream, clear, 2 routers / wireguard-go", tcpClear, tcpWG, 3.5},
	{"2-13b", "TCP single stream, AES-128-CBC + HMAC-SHA256-128, 2 routers / wireguard-go", tcpCBC, tcpWG, 1.0},
	{"2-13c", "64 bytes, service lane overloaded, 1 router / wireguard-go overloaded", overLane, overWG, 8},
	{"ref-1", "TCP, Waymark service lane, clear / kernel forwarding", tcpClear, tcpKernel, 0},
	{"ref-2", "TCP, wireguard-go / kernel forwarding", tcpWG, tcpKernel, 0},
	{"ref-3", "64 bytes, service lane overloaded / kernel forwarding", overLane, ppsKernel, 0},
	{"ref-4", "64 bytes, nftables NAT / kernel forwarding", ppsNAT, ppsKernel, 0},
	{"ref-5", "64 bytes, bare XDP redirect / kernel forwarding", ppsXDP, ppsKernel, 0},
}

// flows of every 64-byte figure.
const flowCount = 1024

// bench is everything that is set up once: the lines and what runs in them.
type bench struct {
	w           *world.World
	span        time.Duration // of one measurement
	warm        time.Duration // of a transfer before it is counted
	contestants []contestant
	closers     []func() error
}

// close detaches every program. The world goes its own way.
func (b *bench) close() error {
	var errs []error
	for i := len(b.closers) - 1; i >= 0; i-- {
		errs = append(errs, b.closers[i]())
	}
	return errors.Join(errs...)
}

// setUp builds every line whose contestants are wanted.
func (b *bench) setUp(wanted func(string) bool) error {
	for _, s := range []struct {
		names []string
		build func() error
	}{
		{[]string{ppsDrop}, b.drop},
		{[]string{ppsXDP}, b.redirect},
		{[]string{ppsKernel}, b.kernelPackets},
		{[]string{ppsNAT}, b.natPackets},
		{[]string{tcpKernel}, b.kernelTCP},
		{[]string{tcpWG}, b.wireGuardTCP},
		{[]string{overWG}, b.wireGuardPackets},
		{[]string{tcpClear, tcpCBC}, b.laneTCP},
		{[]string{overLane}, b.lanePackets},
	} {
		any := false
		for _, n := range s.names {
			any = any || wanted(n)
		}
		if !any {
			continue
		}
		if err := s.build(); err != nil {
			return fmt.Errorf("set up %s: %w", s.names[0], err)
		}
	}
	return nil
}

func (b *bench) add(name string, u unit, measure func() (float64, error)) {
	b.contestants = append(b.contestants, contestant{name, u, measure})
}

// pipeline adds a contestant whose generator, router and sink share CPU 0.
func (b *bench) pipeline(name string, l *field.Line, s *probe.Sink) error {
	g, err := b.generator(l)
	if err != nil {
		return err
	}
	b.add(name, packets, func() (float64, error) {
		r, err := probe.Overload(g, s, b.span)
		return r.PerCPU, err
	})
	return nil
}

// generator sends from the client of a line to what stands beside it.
func (b *bench) generator(l *field.Line) (*probe.Generator, error) {
	next, dev := l.Server, field.Eth
	if l.West != "" {
		next, dev = l.West, field.LAN
	}
	if err := l.NAPI(next, dev); err != nil {
		return nil, err
	}
	f := probe.Flows{From: field.ClientAddr.As4(), To: field.ServerAddr.As4(), Port: 5001, Count: flowCount}
	var err error
	if f.DstMAC, err = l.MAC(next, dev); err != nil {
		return nil, err
	}
	if f.SrcMAC, err = l.MAC(l.Client, field.Eth); err != nil {
		return nil, err
	}
	g, err := probe.NewGenerator(b.w.NS(l.Client), field.Eth, 0, &f)
	if err == nil {
		b.closers = append(b.closers, g.Close)
	}
	return g, err
}

// sink attaches a sink at the server of a line.
func (b *bench) sink(l *field.Line, attach func(string, int) (*probe.Sink, error)) (s *probe.Sink, err error) {
	err = l.In(l.Server, func() error {
		s, err = attach(field.Eth, probe.FrameSize)
		return err
	})
	if err == nil {
		b.closers = append(b.closers, s.Close)
	}
	return s, err
}

func (b *bench) transfer(name string, l *field.Line, port uint16) {
	b.add(name, bits, func() (float64, error) { return host.Transfer(l, port, b.warm, b.span) })
}

func (b *bench) drop() error {
	l, err := field.New(b.w, "xd", 0, false)
	if err != nil {
		return err
	}
	s, err := b.sink(l, probe.SinkXDP)
	if err != nil {
		return err
	}
	return b.pipeline(ppsDrop, l, s)
}

func (b *bench) redirect() error {
	l, err := field.New(b.w, "xr", 1, false)
	if err != nil {
		return err
	}
	r, err := rival.Redirect(l)
	if err != nil {
		return err
	}
	b.closers = append(b.closers, r.Close)
	s, err := b.sink(l, probe.SinkXDP)
	if err != nil {
		return err
	}
	return b.pipeline(ppsXDP, l, s)
}

func (b *bench) kernelPackets() error { return b.kernelLine("kp", ppsKernel, rival.Kernel) }
func (b *bench) natPackets() error    { return b.kernelLine("np", ppsNAT, rival.NAT) }

func (b *bench) kernelLine(tag, name string, set func(*field.Line) error) error {
	l, err := field.New(b.w, tag, 1, false)
	if err != nil {
		return err
	}
	if err := set(l); err != nil {
		return err
	}
	s, err := b.sink(l, probe.SinkTC)
	if err != nil {
		return err
	}
	return b.pipeline(name, l, s)
}

func (b *bench) kernelTCP() error {
	l, err := field.New(b.w, "kt", 2, false)
	if err != nil {
		return err
	}
	if err := rival.Kernel(l); err != nil {
		return err
	}
	b.transfer(tcpKernel, l, subject.ClearPort)
	return nil
}

func (b *bench) wireGuardTCP() error {
	l, err := field.New(b.w, "wt", 2, false)
	if err != nil {
		return err
	}
	if err := rival.WireGuard(l, field.RealTime); err != nil {
		return err
	}
	b.transfer(tcpWG, l, subject.ClearPort)
	return nil
}

func (b *bench) wireGuardPackets() error {
	l, err := field.New(b.w, "wp", 2, false)
	if err != nil {
		return err
	}
	if err := rival.WireGuard(l, func(fn func() error) error { return fn() }); err != nil {
		return err
	}
	s, err := b.sink(l, probe.SinkTC)
	if err != nil {
		return err
	}
	g, err := b.generator(l)
	if err != nil {
		return err
	}
	b.add(overWG, packets, func() (float64, error) {
		r, err := probe.Overload(g, s, b.span)
		return r.Delivered, err
	})
	return nil
}

func (b *bench) laneTCP() error {
	l, err := field.New(b.w, "lt", 2, false)
	if err != nil {
		return err
	}
	if _, err := subject.Start(l, field.RealTime); err != nil {
		return err
	}
	b.transfer(tcpClear, l, subject.ClearPort)
	b.transfer(tcpCBC, l, subject.SealedPort)
	return nil
}

// lanePackets loads one router; the other one, behind the tap, is there to
// complete the handshakes. The server answers nothing: the peer's control
// message ends the metadata of a flow (protocol.md 4).
func (b *bench) lanePackets() error {
	l, err := field.New(b.w, "lp", 2, true)
	if err != nil {
		return err
	}
	var tap *probe.Sink
	err = l.In(l.Middle, func() error {
		tap, err = probe.Cable("w0", "e0", probe.FrameSize)
		return err
	})
	if err != nil {
		return err
	}
	b.closers = append(b.closers, tap.Close)
	if _, err := b.sink(l, probe.SinkTC); err != nil {
		return err
	}
	if _, err := subject.Start(l, func(fn func() error) error { return field.Bound(1, fn) }); err != nil {
		return err
	}
	g, err := b.generator(l)
	if err != nil {
		return err
	}
	b.add(overLane, packets, func() (float64, error) {
		if err := subject.Establish(g, tap, flowCount); err != nil {
			return 0, err
		}
		defer tap.Arm(false)
		r, err := probe.Overload(g, tap, b.span)
		return r.Delivered, err
	})
	return nil
}
