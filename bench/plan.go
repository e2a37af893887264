package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"waymark/bench/field"
	"waymark/bench/probe"
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
	packets  unit = "Mpps"
	bits     unit = "Gbit/s"
	micros   unit = "µs"
	perCore  unit = "1/s and core"
	megabyte unit = "MB"
	million  unit = "per million"
)

// per is how many of what measure returns make one of the unit.
func (u unit) per() float64 {
	switch u {
	case packets, megabyte:
		return 1e6
	case bits:
		return 1e9
	case micros:
		return 1e3
	}
	return 1
}

// Numbers of flows.
const (
	flows1k  = 1 << 10 // of every figure that names no other
	flows8k  = 1 << 13
	flows64k = 1 << 16
	flows256 = 1 << 18
	flows1M  = 1 << 20
)

// pace says how long everything takes.
type pace struct {
	rounds   int
	span     time.Duration // of a measurement of packets
	transfer time.Duration // of a transfer, counted after warm
	warm     time.Duration
	settle   time.Duration // of a step of a sweep, before it is counted for step
	step     time.Duration
	quick    bool // profile hub is left out
}

// bench is everything that is set up once: the lines and what runs in them.
type bench struct {
	pace
	ctx         context.Context
	w           *world.World
	wanted      func(string) bool
	contestants []contestant
	curves      map[string][]curve // of sweeps, by round
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

// part builds the line of some contestants.
type part struct {
	names []string
	build func() error
}

func (b *bench) parts() []part {
	return slices.Concat(b.packetParts(), b.transferParts(), b.overloadParts(), b.delayParts(), b.killParts())
}

// setUp builds every line whose contestants are wanted.
func (b *bench) setUp() error {
	for _, p := range b.parts() {
		if !slices.ContainsFunc(p.names, b.wanted) {
			continue
		}
		if b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		if err := p.build(); err != nil {
			return fmt.Errorf("set up %q: %w", p.names[0], err)
		}
	}
	return nil
}

func (b *bench) add(name string, u unit, measure func() (float64, error)) {
	b.contestants = append(b.contestants, contestant{name, u, measure})
}

// flows are what a generator sends down a line: n flows to a port, in random
// order when there are many.
func (b *bench) flows(l *field.Line, n uint32, port uint16) (f probe.Flows, err error) {
	f = probe.Flows{From: field.ClientAddr.As4(), To: field.ServerAddr.As4(), Port: port, Count: n, Random: n > flows1k}
	next, dev := l.First()
	if f.DstMAC, err = l.MAC(next, dev); err != nil {
		return f, err
	}
	f.SrcMAC, err = l.MAC(l.Client, field.Eth)
	return f, err
}

// generator sends flows from the client of a line to what stands beside it.
func (b *bench) generator(l *field.Line, f probe.Flows) (*probe.Generator, error) {
	next, dev := l.First()
	if err := l.NAPI(next, dev); err != nil {
		return nil, err
	}
	g, err := probe.NewGenerator(b.w.NS(l.Client), field.Eth, 0, &f)
	if err == nil {
		b.closers = append(b.closers, g.Close)
	}
	return g, err
}

// held is something in the kernel that close takes away.
type held interface{ Close() error }

// at runs attach in a namespace of a line and keeps what it attached.
func at[T held](b *bench, l *field.Line, ns string, attach func() (T, error)) (s T, err error) {
	err = l.In(ns, func() error {
		s, err = attach()
		return err
	})
	if err == nil {
		b.closers = append(b.closers, s.Close)
	}
	return s, err
}

// sink attaches a sink at the server of a line: where XDP frames arrive, or
// where socket buffers do.
func (b *bench) sink(l *field.Line, xdp bool) (*probe.Sink, error) {
	attach := probe.SinkTC
	if xdp {
		attach = probe.SinkXDP
	}
	return at(b, l, l.Server, func() (*probe.Sink, error) { return attach(field.Eth, probe.FrameSize) })
}
