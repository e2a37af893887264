package main

import (
	"waymark/bench/field"
	"waymark/bench/probe"
	"waymark/bench/rival"
	"waymark/bench/subject"
)

func (b *bench) overloadParts() []part {
	return []part{
		{[]string{overWG}, b.wireGuardPackets},
		{[]string{overLane, overGCM, sweepLane}, b.lanePackets},
		{[]string{sweepTC}, func() error { return b.splitLane(sweepTC, "st", false) }},
		{[]string{sweepXDP}, func() error { return b.splitLane(sweepXDP, "sx", true) }},
	}
}

func (b *bench) wireGuardPackets() error {
	l, err := field.New(b.w, "wp", 2, false)
	if err != nil {
		return err
	}
	if err := rival.WireGuard(l, func(fn func() error) error { return fn() }); err != nil {
		return err
	}
	f, err := b.flows(l, flows1k, port)
	if err != nil {
		return err
	}
	s, err := b.sink(l, false)
	if err != nil {
		return err
	}
	g, err := b.generator(l, f)
	if err != nil {
		return err
	}
	b.add(overWG, packets, func() (float64, error) {
		r, err := probe.Overload(g, s, b.span)
		return r.Delivered, err
	})
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
	tap, err := at(b, l, l.Middle, func() (*probe.Sink, error) { return probe.Cable("w0", "e0") })
	if err != nil {
		return err
	}
	if _, err := b.sink(l, false); err != nil {
		return err
	}
	bound := func(fn func() error) error { return field.Bound(1, fn) }
	if _, err := subject.Start(l, subject.Options{Lanes: "go"}, bound); err != nil {
		return err
	}
	for _, c := range []struct {
		overload, sweep string
		port            uint16
		size            int // of a frame behind the router
	}{
		{overLane, "", port, probe.FrameSize},
		{overGCM, sweepLane, subject.GCMPort, probe.FrameSize + subject.GCMGrowth},
	} {
		f, err := b.flows(l, flows1k, c.port)
		if err != nil {
			return err
		}
		g, err := b.generator(l, f)
		if err != nil {
			return err
		}
		ready := func() error { return subject.Establish(g, tap, c.size, flows1k) }
		b.add(c.overload, packets, func() (float64, error) {
			defer tap.Arm(0)
			if err := ready(); err != nil {
				return 0, err
			}
			r, err := probe.Overload(g, tap, b.span)
			return r.Delivered, err
		})
		if c.sweep != "" {
			b.sweep(c.sweep, sweep{g, tap, ready, func() error { return tap.Arm(0) }, serviceOverload})
		}
	}
	return nil
}

// splitLane is one in-kernel lane that receives, with the sink, in a thread on
// CPU 1, while the generator has CPU 0 for itself.
func (b *bench) splitLane(name, tag string, xdp bool) error {
	l, err := field.New(b.w, tag, 1, false)
	if err != nil {
		return err
	}
	f, err := b.flows(l, flows1k, port)
	if err != nil {
		return err
	}
	if err := b.lane(xdp)(l, f); err != nil {
		return err
	}
	s, err := b.sink(l, xdp)
	if err != nil {
		return err
	}
	g, err := b.generator(l, f)
	if err != nil {
		return err
	}
	if err := l.NAPI(l.Server, field.Eth); err != nil {
		return err
	}
	for _, at := range [][2]string{{l.West, field.LAN}, {l.Server, field.Eth}} {
		if err := l.Threaded(at[0], at[1], 1); err != nil {
			return err
		}
	}
	nothing := func() error { return nil }
	b.sweep(name, sweep{g, s, nothing, nothing, 0})
	return nil
}
