package probe

import (
	"errors"
	"fmt"
	"math"
	"net"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"waymark/net/netns"
)

// A burst is what one system call sends: at full speed it grows from firstBurst
// frames until it takes about burstTime.
const (
	firstBurst = 1 << 14
	burstTime  = 200 * time.Millisecond
)

// GeneratorNice keeps what else runs on the generator's CPU from disturbing it.
const GeneratorNice = -10

// Generator sends frames into the peer of a veth interface, whose owner must
// receive by NAPI (GRO on, or an XDP program).
type Generator struct {
	ns    string
	cpu   int
	batch uint32
	size  int
	prog  *ebpf.Program
	state *ebpf.Map
}

// NewGenerator prepares to send f out of dev of namespace ns from one CPU.
func NewGenerator(ns, dev string, cpu int, f *Flows) (*Generator, error) {
	g := &Generator{ns: ns, cpu: cpu, batch: f.Batch, size: f.size()}
	var err error
	if g.state, err = arrayMap("generator", stateSize); err != nil {
		return nil, err
	}
	err = netns.Do(ns, func() error {
		i, err := net.InterfaceByName(dev)
		if err != nil {
			return fmt.Errorf("find %s: %w", dev, err)
		}
		g.prog, err = generatorProgram(g.state, i.Index, f)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, g.state.Close())
	}
	return g, nil
}

// Close unloads the program.
func (g *Generator) Close() error { return errors.Join(g.prog.Close(), g.state.Close()) }

// Sent returns the frames sent so far, and the number of the first flow.
func (g *Generator) Sent() (uint64, error) {
	var s [4]uint64
	if err := g.state.Lookup(uint32(0), &s); err != nil {
		return 0, fmt.Errorf("read generator: %w", err)
	}
	return s[0], nil
}

// pace makes the program send flows first to last-1 at rate frames per second;
// 0: as fast as it can.
func (g *Generator) pace(first, last uint64, rate float64) error {
	gap := uint64(0)
	if rate > 0 {
		gap = uint64(1e9/rate + 0.5)
	}
	if err := g.state.Put(uint32(0), [4]uint64{first, last, gap, 0}); err != nil {
		return fmt.Errorf("pace generator: %w", err)
	}
	return nil
}

// send runs the program n times; the calling thread is in g.ns.
func (g *Generator) send(n int) error {
	_, err := g.prog.Run(&ebpf.RunOptions{Data: make([]byte, g.size), Repeat: uint32(n), BatchSize: g.batch,
		Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES})
	if err != nil {
		return fmt.Errorf("run generator: %w", err)
	}
	return nil
}

// slowRate is a pace that sessions can be made at one by one, in frames per
// second; runRate about how often the program runs per second.
const (
	slowRate = 20e3
	runRate  = 12e6
)

// Slowly sends n frames, the first flow's first, at slowRate.
func (g *Generator) Slowly(n int) error { return g.Each(0, n, slowRate) }

// Each sends one frame of each of n flows, first on, at rate frames per second.
// One system call does nearly all: each ends with a wait for the kernel.
func (g *Generator) Each(first uint64, n int, rate float64) error {
	if err := g.pace(first, first+uint64(n), rate); err != nil {
		return err
	}
	return g.on(func() error {
		for {
			sent, err := g.Sent()
			if left := int(first) + n - int(sent); err != nil || left <= 0 {
				return err
			} else if rate > 0 {
				left = max(int(float64(left)/rate*runRate), 64)
				err = g.send(left)
			} else {
				err = g.send(left)
			}
			if err != nil {
				return err
			}
		}
	})
}

// Run sends at rate frames per second, 0: as fast as the CPU can, until stop is
// set. It returns the CPU time that sending took: of its threads and of the
// CPU's softirq daemon, so that in a pipeline on one CPU nothing is left out.
//
// The kernel waits for an RCU grace period at the end of each system call, which
// may take 20 ms: two threads take turns.
func (g *Generator) Run(rate float64, stop *atomic.Bool) (cpu time.Duration, err error) {
	if err := g.Pace(rate); err != nil {
		return 0, err
	}
	daemon := softirqd(g.cpu)
	start := ran(daemon)
	type end struct {
		cpu time.Duration
		err error
	}
	done := make(chan end, 2)
	for range cap(done) {
		go func() {
			var e end
			e.err = g.on(func() (err error) { e.cpu, err = g.flood(stop); return err })
			done <- e
		}()
	}
	for range cap(done) {
		e := <-done
		cpu, err = cpu+e.cpu, errors.Join(err, e.err)
	}
	return cpu + ran(daemon) - start, err
}

// Pace changes the rate of a generator that runs.
func (g *Generator) Pace(rate float64) error { return g.pace(0, math.MaxUint64, rate) }

// flood sends on the calling thread and returns the CPU time that took.
func (g *Generator) flood(stop *atomic.Bool) (cpu time.Duration, err error) {
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, GeneratorNice); err != nil {
		return 0, fmt.Errorf("raise priority: %w", err)
	}
	defer unix.Setpriority(unix.PRIO_PROCESS, 0, 0)
	n := firstBurst
	for !stop.Load() {
		start := threadTime()
		if err := g.send(n); err != nil {
			return cpu, err
		}
		took := threadTime() - start
		cpu += took
		if took < burstTime/2 {
			n *= 2
		}
	}
	return cpu, nil
}

// on runs fn on a thread in the namespace, bound to the generator's CPU.
func (g *Generator) on(fn func() error) error {
	return netns.Do(g.ns, func() error {
		var old, one unix.CPUSet
		if err := unix.SchedGetaffinity(0, &old); err != nil {
			return fmt.Errorf("read affinity: %w", err)
		}
		one.Set(g.cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return fmt.Errorf("bind to CPU %d: %w", g.cpu, err)
		}
		defer unix.SchedSetaffinity(0, &old)
		return fn()
	})
}
