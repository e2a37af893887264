package main

import (
	"fmt"

	"waymark/bench/field"
	"waymark/bench/probe"
	"waymark/bench/rival"
	"waymark/bench/subject"
)

// port of the server that frames of 64 bytes go to.
const port = 5001

// leastArrived is the share of frames that a pipeline must deliver: it has no
// place to lose any, so that more is missing only where something is wrong.
// The kernel's own may lose more: in front of its routers' second and third device
// frames wait in the processor's backlog, which fills when a soft interrupt is cut short.
const (
	leastArrived  = 0.98
	kernelArrived = 0.95
)

// contender sets up what stands in a line between client and server.
type contender func(l *field.Line, f probe.Flows) error

// contend makes a line of so many routers, and set sets up what stands in it for
// n flows to a port.
func (b *bench) contend(tag string, routers int, n uint32, port uint16, set contender) (l *field.Line, f probe.Flows, err error) {
	if l, err = field.New(b.w, tag, routers, false); err != nil {
		return l, f, err
	}
	if f, err = b.flows(l, n, port); err != nil {
		return l, f, err
	}
	return l, f, set(l, f)
}

func (b *bench) packetParts() []part {
	none := func(*field.Line, probe.Flows) error { return nil }
	kernel := func(l *field.Line, _ probe.Flows) error { return rival.Kernel(l) }
	nat := func(l *field.Line, _ probe.Flows) error { return rival.NAT(l) }
	return []part{
		b.pipe(ppsDrop, "xd", 0, flows1k, true, none),
		b.pipe(ppsDropM, "xm", 0, flows1M, true, none),
		b.pipe(ppsXDP, "xr", 1, flows1k, true, b.redirect),
		b.pipe(ppsXDP64k, "xs", 1, flows64k, true, b.redirect),
		b.pipe(ppsXDPM, "xt", 1, flows1M, true, b.redirect),
		b.kernelPipe(ppsKernel, "kp", 1, kernel),
		b.kernelPipe(ppsKernel2, "kq", 2, kernel),
		b.kernelPipe(ppsNAT, "np", 1, nat),
		b.pipe(ppsTC, "ft", 1, flows1k, false, b.lane(false)),
		b.pipe(ppsLane, "fa", 1, flows1k, true, b.lane(true)),
		b.pipe(ppsLane2, "fb", 2, flows1k, true, b.lane(true)),
		b.pipe(ppsLane8k, "fc", 1, flows8k, true, b.lane(true)),
		b.pipe(ppsLane64k, "fd", 1, flows64k, true, b.lane(true)),
		b.pipe(ppsLane256, "fe", 1, flows256, true, b.lane(true)),
		b.pipe(ppsLaneM, "fm", 1, flows1M, true, b.lane(true)),
	}
}

// pipe is a contestant whose generator, routers and sink share CPU 0.
func (b *bench) pipe(name, tag string, routers int, flows uint32, xdp bool, set contender) part {
	return b.pipeline(name, func() (*probe.Generator, *probe.Sink, error) { return b.chain(tag, routers, flows, xdp, set) },
		func(r probe.Rates) (float64, error) { return r.PerCPU, enough(r, leastArrived) })
}

// kernelPipe is one where the kernel forwards. What it loses counts as if it had
// arrived: the figure errs in favour of the kernel.
func (b *bench) kernelPipe(name, tag string, routers int, set contender) part {
	return b.pipeline(name, func() (*probe.Generator, *probe.Sink, error) { return b.chain(tag, routers, flows1k, false, set) },
		func(r probe.Rates) (float64, error) { return r.PerCPU / r.Arrived, enough(r, kernelArrived) })
}

// pipeline measures a chain at overload; tally is what of it counts.
func (b *bench) pipeline(name string, chain func() (*probe.Generator, *probe.Sink, error), tally func(probe.Rates) (float64, error)) part {
	return part{[]string{name}, func() error {
		g, s, err := chain()
		if err != nil {
			return err
		}
		b.add(name, packets, func() (float64, error) {
			r, err := probe.Overload(g, s, b.span)
			if err != nil {
				return 0, err
			}
			return tally(r)
		})
		return nil
	}}
}

// enough is an error if less than a share of the frames arrived.
func enough(r probe.Rates, least float64) error {
	if r.Arrived >= least {
		return nil
	}
	return fmt.Errorf("%.2f %% of the frames arrived", 100*r.Arrived)
}

// chain makes a line with a contender, a generator and a sink.
func (b *bench) chain(tag string, routers int, flows uint32, xdp bool, set contender) (*probe.Generator, *probe.Sink, error) {
	l, f, err := b.contend(tag, routers, flows, port, set)
	if err != nil {
		return nil, nil, err
	}
	s, err := b.sink(l, xdp)
	if err != nil {
		return nil, nil, err
	}
	g, err := b.generator(l, f)
	return g, s, err
}

// redirect is a bare XDP redirect.
func (b *bench) redirect(l *field.Line, _ probe.Flows) error {
	r, err := rival.Redirect(l)
	if err == nil {
		b.closers = append(b.closers, r.Close)
	}
	return err
}

// lane is the in-kernel lane with a session for each flow, by XDP or TC alone.
func (b *bench) lane(xdp bool) contender {
	return func(l *field.Line, f probe.Flows) error {
		s, err := subject.StartLanes(l, f, xdp)
		if err == nil {
			b.closers = append(b.closers, s.Close)
		}
		return err
	}
}
