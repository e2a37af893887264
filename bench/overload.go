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
		{[]string{overLane, overGCM, sweepFront}, b.lanePackets},
		{[]string{sweepLane}, b.splitService},
		{[]string{sweepTC}, func() error { return b.split(sweepTC, "st", false, b.lane(false)) }},
		{[]string{sweepXDP}, func() error { return b.split(sweepXDP, "sx", true, b.lane(true)) }},
		{[]string{sweepBare}, func() error { return b.split(sweepBare, "sb", true, b.redirect) }},
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

// loaded is a line of two routers that is loaded up to the wire between them.
type loaded struct {
	*field.Line
	tap     *probe.Sink
	routers *subject.Routers
}

// load makes such a line. One router is measured; the other one, behind the tap,
// is there to complete the handshakes. The server answers nothing: the peer's
// control message ends the metadata of a flow (docs/wire.md 10).
func (b *bench) load(tag string) (*loaded, error) {
	l, err := field.New(b.w, tag, 2, true)
	if err != nil {
		return nil, err
	}
	tap, err := at(b, l, l.Middle, func() (*probe.Sink, error) { return probe.Cable("w0", "e0") })
	if err != nil {
		return nil, err
	}
	if _, err := b.sink(l, false); err != nil {
		return nil, err
	}
	r, err := subject.Start(l, subject.Options{Lanes: "go"}, func(fn func() error) error { return field.Bound(1, fn) })
	return &loaded{l, tap, r}, err
}

// service is a port of the server as a loaded line sees it.
type service struct {
	port uint16
	size int // of a frame behind the router
}

var (
	clearService = service{port, probe.FrameSize}
	gcmService   = service{subject.GCMPort, probe.FrameSize + subject.GCMGrowth}
)

// to makes a generator for a service and what puts its sessions in place.
func (b *bench) to(l *loaded, s service) (g *probe.Generator, ready, done func() error, err error) {
	f, err := b.flows(l.Line, flows1k, s.port)
	if err != nil {
		return nil, nil, nil, err
	}
	g, err = b.generator(l.Line, f)
	ready = func() error {
		// While others were measured these routers had no processor for seconds.
		if err := l.routers.PathUp(); err != nil {
			return err
		}
		return subject.Establish(g, l.tap, s.size, flows1k)
	}
	return g, ready, func() error { return l.tap.Arm(0) }, err
}

// lanePackets is the service lane of a router that has CPU 1, while the
// generator and what receives its frames have CPU 0.
func (b *bench) lanePackets() error {
	l, err := b.load("lp")
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		service
	}{{overLane, clearService}, {overGCM, gcmService}} {
		g, ready, done, err := b.to(l, c.service)
		if err != nil {
			return err
		}
		b.add(c.name, packets, func() (float64, error) {
			defer done()
			if err := ready(); err != nil {
				return 0, err
			}
			r, err := probe.Overload(g, l.tap, b.span)
			return r.Delivered, err
		})
		if c.name == overGCM {
			b.sweep(sweepFront, sweep{g, l.tap, ready, done, serviceOverload})
		}
	}
	return nil
}

// Priorities of a thread that receives. Alone on its CPU it need only be spared
// other work of the machine. Beside a router it is to be the router's equal: our
// session's group is raised (raise), but of its weight the router's CPU gets only
// what a router (nice 0) is beside the generator (GeneratorNice), which is about
// what one thread of GeneratorNice weighs outside of the group. Above that the
// thread starves the router, and what is measured is the scheduler.
const (
	aloneNice = -20
	levelNice = probe.GeneratorNice
)

// splitService is the service lane of a router that shares CPU 1 with the
// thread that receives its frames, as on a box that is overloaded.
func (b *bench) splitService() error {
	l, err := b.load("ls")
	if err != nil {
		return err
	}
	g, ready, done, err := b.to(l, gcmService)
	if err != nil {
		return err
	}
	b.sweep(sweepLane, sweep{g, l.tap, ready, done, serviceOverload})
	return l.Threaded(l.West, field.LAN, 1, levelNice)
}

// split is a contestant in the kernel that receives in a thread on CPU 1, while
// the generator has CPU 0 for itself. The sink receives in soft interrupts of
// that thread: in one of its own it would wait for its turn while its ring runs
// over.
func (b *bench) split(name, tag string, xdp bool, set contender) error {
	l, f, err := b.contend(tag, 1, flows1k, port, set)
	if err != nil {
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
	nothing := func() error { return nil }
	b.sweep(name, sweep{g, s, nothing, nothing, 0})
	return l.Threaded(l.West, field.LAN, 1, aloneNice)
}
