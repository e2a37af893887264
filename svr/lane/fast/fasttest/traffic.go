package fasttest

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"waymark/net/netns/nstest"
	"waymark/svr/lane/lanetest/gen"
)

//go:embed bpf/gen_bpfel.o
var object []byte

// HashObject holds program hash: the lane over a BPF hash map (bpf/hash.c).
//
//go:embed bpf/hash_bpfel.o
var HashObject []byte

// Flows describes what a generator sends: 60-byte UDP frames.
type Flows struct {
	Count  int  // a power of two
	Random bool // order
	Source netip.Addr
	Target netip.Addr
	Port   uint16
	To     [6]byte // destination MAC
	From   [6]byte
	Out    int // interface; the frames come out at its peer
}

// Flow returns source address and port of flow f.
func (g *Flows) Flow(f int) netip.AddrPort {
	b := g.Source.As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(f>>14))
	return netip.AddrPortFrom(netip.AddrFrom4(b), 16384+uint16(f&0x3fff))
}

// Set is the loaded programs.
type Set struct {
	t    testing.TB
	coll *ebpf.Collection
}

// Programs loads some of gen.c's programs with constants.
func Programs(t testing.TB, consts map[string]any, names ...string) *Set {
	t.Helper()
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	for n := range spec.Programs {
		keep := false
		for _, m := range names {
			keep = keep || n == m
		}
		if !keep {
			delete(spec.Programs, n)
		}
	}
	for n, v := range consts {
		if err := spec.Variables[n].Set(v); err != nil {
			t.Fatal(err)
		}
	}
	c, err := ebpf.NewCollection(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &Set{t: t, coll: c}
}

// Generator loads the generator.
func Generator(t testing.TB, f Flows) *Set {
	t.Helper()
	word := func(a netip.Addr) uint32 { b := a.As4(); return binary.BigEndian.Uint32(b[:]) }
	var m [12]byte
	copy(m[0:], f.To[:])
	copy(m[6:], f.From[:])
	var words [3]uint32
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(m[4*i:])
	}
	random := uint32(0)
	if f.Random {
		random = 1
	}
	return Programs(t, map[string]any{"out": uint32(f.Out), "flows": uint32(f.Count), "random_order": random,
		"source": word(f.Source), "target": word(f.Target), "port": f.Port, "mac": words}, "gen")
}

// Send sends n frames from a thread of the namespace on CPU cpu and returns the
// CPU time of the thread: on one CPU all hops run in it, and what other processes
// take does not count.
func (s *Set) Send(ns string, n, cpu int) (took time.Duration) {
	s.t.Helper()
	nstest.In(s.t, ns, func() error {
		if err := gen.Pin(cpu); err != nil {
			return err
		}
		defer gen.Unpin()
		start := threadTime()
		_, err := s.coll.Programs["gen"].Run(&ebpf.RunOptions{Data: make([]byte, 60), Repeat: uint32(n),
			Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES})
		took = threadTime() - start
		return err
	})
	return took
}

func threadTime() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) // cannot fail
	return time.Duration(ts.Nano())
}

// XDP attaches a program to an interface until the test ends.
func (s *Set) XDP(ns string, index int, name string) {
	s.t.Helper()
	nstest.In(s.t, ns, func() error {
		l, err := link.AttachXDP(link.XDPOptions{Program: s.coll.Programs[name], Interface: index, Flags: link.XDPDriverMode})
		if err == nil {
			s.t.Cleanup(func() { l.Close() })
		}
		return err
	})
}

// TC attaches a program to the ingress of an interface until the test ends.
func (s *Set) TC(ns string, index int, name string) {
	s.t.Helper()
	nstest.In(s.t, ns, func() error {
		l, err := link.AttachTCX(link.TCXOptions{Program: s.coll.Programs[name], Interface: index, Attach: ebpf.AttachTCXIngress})
		if err == nil {
			s.t.Cleanup(func() { l.Close() })
		}
		return err
	})
}

// Redirect sets where program bare sends.
func (s *Set) Redirect(ns string, index int) {
	s.t.Helper()
	nstest.In(s.t, ns, func() error { return s.coll.Maps["devs"].Put(uint32(0), uint32(index)) })
}

// Counters of the programs.
const (
	Sent = iota
	Got
	Bad
	Tags // sum of the numbers of the VLAN tags that tc_sink saw
)

// Count reads a counter.
func (s *Set) Count(i int) (n uint64) {
	s.t.Helper()
	var cpus []uint64
	if err := s.coll.Maps["counters"].Lookup(uint32(i), &cpus); err != nil {
		s.t.Fatal(err)
	}
	for _, v := range cpus {
		n += v
	}
	return n
}
