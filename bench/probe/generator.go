package probe

import (
	"errors"
	"fmt"
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

// generatorNice keeps what else runs on the generator's CPU from disturbing it.
const generatorNice = -10

// Generator sends frames into the peer of a veth interface, whose owner must
// receive by NAPI (GRO on, or an XDP program).
type Generator struct {
	ns    string
	cpu   int
	prog  *ebpf.Program
	state *ebpf.Map
}

// NewGenerator prepares to send f out of dev of namespace ns from one CPU.
func NewGenerator(ns, dev string, cpu int, f *Flows) (*Generator, error) {
	g := &Generator{ns: ns, cpu: cpu}
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

// Sent returns the frames sent so far at the present pace.
func (g *Generator) Sent() (uint64, error) {
	s, err := g.read()
	return s[0] >> s[2], err
}

func (g *Generator) read() (s [3]uint64, err error) {
	if err := g.state.Lookup(uint32(0), &s); err != nil {
		return s, fmt.Errorf("read generator: %w", err)
	}
	return s, nil
}

// pace makes one of 2^shift runs of the program send a frame, and begins with
// the first flow again.
func (g *Generator) pace(shift uint64) error {
	if err := g.state.Put(uint32(0), [3]uint64{0, 1<<shift - 1, shift}); err != nil {
		return fmt.Errorf("pace generator: %w", err)
	}
	return nil
}

// send hands n frames to the kernel; the calling thread is in g.ns.
func (g *Generator) send(n int) error {
	_, err := g.prog.Run(&ebpf.RunOptions{Data: make([]byte, FrameSize), Repeat: uint32(n), Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES})
	if err != nil {
		return fmt.Errorf("run generator: %w", err)
	}
	return nil
}

// slowShift paces Slowly: some 20,000 frames per second.
const slowShift = 10

// Slowly sends n frames, the first flow's first, at a pace that sessions can be
// made at. One system call does it all: each ends with a wait for the kernel.
func (g *Generator) Slowly(n int) error {
	if err := g.pace(slowShift); err != nil {
		return err
	}
	return g.on(func() error { return g.send(n << slowShift) })
}

// Full sends as fast as the CPU can until stop is set. It returns the CPU time
// that sending took: of its threads and of the CPU's softirq daemon, so that in
// a pipeline on one CPU nothing is left out.
//
// The kernel waits for an RCU grace period at the end of each system call, which
// may take 20 ms: two threads take turns.
func (g *Generator) Full(stop *atomic.Bool) (cpu time.Duration, err error) {
	if err := g.pace(0); err != nil {
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

// flood sends on the calling thread and returns the CPU time that took.
func (g *Generator) flood(stop *atomic.Bool) (cpu time.Duration, err error) {
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, generatorNice); err != nil {
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
