package main

import (
	"errors"
	"fmt"
	"time"

	"waymark/bench/field"
	"waymark/bench/probe"
	"waymark/bench/subject"
)

// What crosses two routers while they are killed: datagrams of 1,200 bytes.
const (
	killSize = 42 + 1200
	killRate = 1e9 / 8 / killSize // frames per second of 1 Gbit/s
)

// killTries bounds how often all flows are sent until the kernel has them.
const killTries = 20

func (b *bench) killParts() []part {
	return []part{{[]string{lostKill}, b.kills}}
}

// kills is a line whose routers forward in the kernel, and are killed one after
// the other while it does.
func (b *bench) kills() error {
	l, f, err := b.contend("ki", 2, flows1k, port, func(*field.Line, probe.Flows) error { return nil })
	if err != nil {
		return err
	}
	s, err := at(b, l, l.Server, func() (*probe.Sink, error) { return probe.SinkTC(field.Eth, killSize) })
	if err != nil {
		return err
	}
	f.Size = killSize
	g, err := b.generator(l, f)
	if err != nil {
		return err
	}
	r, err := subject.Start(l, subject.Options{Lanes: "bpf,tc"}, field.RealTime)
	if err != nil {
		return err
	}
	b.add(lostKill, million, func() (float64, error) {
		if err := lend(g, s, r, b.span); err != nil {
			return 0, err
		}
		sent, lost, err := probe.Lost(g, s, killRate, r.Kill)
		return 1e6 * float64(lost) / float64(max(sent, 1)), err
	})
	return nil
}

// errNotLent: sessions do not get into the kernel, or it loses frames by itself.
var errNotLent = errors.New("the kernel does not forward every frame with both routers alive")

// lend sends every flow through the handshake until the kernel forwards all of
// them at full rate, in both routers, and nothing is lost.
func lend(g *probe.Generator, s *probe.Sink, r *subject.Routers, span time.Duration) error {
	var sent, lost uint64
	var times float64
	for range killTries {
		if err := g.Slowly(flows1k); err != nil {
			return err
		}
		time.Sleep(span)
		before, err := r.Forwarded()
		if err != nil {
			return err
		}
		sent, lost, err = probe.Lost(g, s, killRate, func() error { time.Sleep(span); return nil })
		if err != nil {
			return err
		}
		after, err := r.Forwarded()
		times = after - before
		if err != nil || lost == 0 && times >= 2*float64(sent) {
			return err
		}
	}
	return fmt.Errorf("%w: %d of %d got lost, %v times forwarded", errNotLent, lost, sent, times)
}
