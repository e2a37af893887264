package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"waymark/bench/field"
	"waymark/bench/probe"
	"waymark/bench/subject"
	"waymark/cmd/lab/world"
)

// sessionLoad is the part of a session table that is filled.
const sessionLoad = 0.9

// leastMade is the share of a portion's sessions that must be completed. Sessions come
// in bursts, of which a machine that takes the processor away loses some; they count
// against the routers, whose time they took, and are made up for at the end.
const leastMade = 0.95

// sessionTries bounds how often sessions are made up for that were lost.
const sessionTries = 5

// sessions measures the making of sessions while it fills the tables of two
// routers, and their memory when that is done. It has rounds of its own:
// nothing is compared.
func (b *bench) sessions(values map[string][]float64) error {
	for _, p := range []struct{ profile, rate, memory string }{{"cpe", newSessions, memoryCPE}, {"hub", newMany, memoryHub}} {
		if !b.wanted(p.rate) && !b.wanted(p.memory) || p.profile == "hub" && b.quick {
			continue
		}
		rates, memory, err := b.fill(p.profile)
		if err != nil {
			return fmt.Errorf("%q, %q: %w", p.rate, p.memory, err)
		}
		values[p.rate], values[p.memory] = rates, memory
	}
	return nil
}

// firstSessions are made before anything is measured.
const firstSessions = 64

// crowd is a line of two routers whose table is being filled.
type crowd struct {
	*bench
	routers *subject.Routers
	g       *probe.Generator
	replies *probe.Sink
	next    uint64 // flow
}

// fill fills routers of a profile, in as many portions as there are rounds.
func (b *bench) fill(profile string) (rates, memory []float64, err error) {
	c, err := b.crowd(profile)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, c.routers.Stop()) }()
	use, err := subject.Capacity(c.routers.West, "session-table")
	if err != nil {
		return nil, nil, err
	}
	target := int(math.Ceil(sessionLoad * use.Capacity))
	fmt.Printf("%d sessions, profile %s\n", target, profile)
	for i := range b.rounds {
		v, err := c.portion(target*(i+1)/b.rounds - target*i/b.rounds)
		if err != nil {
			return nil, nil, err
		}
		fmt.Printf("  %-60s %8.0f %s\n", "new sessions, profile "+profile, v, perCore)
		rates = append(rates, v)
	}
	if err := c.makeUp(target); err != nil {
		return nil, nil, err
	}
	for range b.rounds {
		v, err := c.memory()
		if err != nil {
			return nil, nil, err
		}
		memory = append(memory, v)
		time.Sleep(100 * time.Millisecond)
	}
	return rates, memory, nil
}

// crowd makes the line: its server echoes, its client counts the echoes.
func (b *bench) crowd(profile string) (*crowd, error) {
	l, err := field.New(b.w, "n"+profile[:1], 2, false)
	if err != nil {
		return nil, err
	}
	c := &crowd{bench: b}
	_, err = at(b, l, l.Server, func() (*probe.Sink, error) { return probe.Echo(field.Eth) })
	if err != nil {
		return nil, err
	}
	c.replies, err = at(b, l, l.Client, func() (*probe.Sink, error) { return probe.SinkTC(field.Eth, probe.FrameSize) })
	if err != nil {
		return nil, err
	}
	f, err := b.flows(l, flows1M, port)
	if err != nil {
		return nil, err
	}
	f.Random = false // each flow once
	if err := b.hosts(l, f); err != nil {
		return nil, err
	}
	if c.g, err = b.generator(l, f); err != nil {
		return nil, err
	}
	same := func(fn func() error) error { return fn() }
	c.routers, err = subject.Start(l, subject.Options{Lanes: "bpf", Profile: profile}, same)
	if err != nil {
		return nil, err
	}
	// The first ones find out where everybody is.
	_, err = subject.Open(b.ctx, c.g, c.replies, 0, firstSessions)
	c.next = firstSessions
	return c, err
}

// hosts gives the client every address that flows come from: what is echoed
// goes back to there.
func (b *bench) hosts(l *field.Line, f probe.Flows) error {
	var list []string
	last := field.ClientAddr
	for i := range int(f.Count) {
		if a := f.Flow(i).Addr(); a != last {
			list, last = append(list, fmt.Sprintf("address add %s/16 dev %s", a, field.Eth)), a
		}
	}
	return b.w.IP(l.Client, list...)
}

// portion makes n sessions and returns how many that is per second of CPU time
// of both routers.
func (c *crowd) portion(n int) (float64, error) {
	if c.ctx.Err() != nil {
		return 0, c.ctx.Err()
	}
	before, err := c.routers.CPU()
	if err != nil {
		return 0, err
	}
	done, err := subject.Open(c.ctx, c.g, c.replies, c.next, n)
	if err != nil {
		return 0, err
	}
	after, err := c.routers.CPU()
	if err != nil {
		return 0, err
	}
	c.next += uint64(n)
	if float64(done) < leastMade*float64(n) {
		return 0, fmt.Errorf("%d of %d sessions were completed", done, n)
	}
	return float64(done) / (after - before).Seconds(), nil
}

// makeUp opens sessions until both tables hold target.
func (c *crowd) makeUp(target int) error {
	var least float64
	for range sessionTries {
		least = float64(target)
		for _, r := range []*world.Router{c.routers.West, c.routers.East} {
			use, err := subject.Capacity(r, "session-table")
			if err != nil {
				return err
			}
			least = min(least, use.Entries)
		}
		missing := target - int(least)
		if missing <= 0 {
			return nil
		}
		if _, err := subject.Open(c.ctx, c.g, c.replies, c.next, missing); err != nil {
			return err
		}
		c.next += uint64(missing)
	}
	return fmt.Errorf("tables hold %.0f sessions, want %d", least, target)
}

// memory is that of the larger of the two routers, in bytes.
func (c *crowd) memory() (most float64, err error) {
	for _, r := range []*world.Router{c.routers.West, c.routers.East} {
		use, err := subject.Capacity(r, "memory")
		if err != nil {
			return 0, err
		}
		most = max(most, use.Entries)
	}
	return most, nil
}
