package fast_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"waymark/svr/lane/fast"
)

// mostVerified bounds the verifier's work for a program. It is done for every
// device whenever a router starts: on a small box it is the time until packets flow.
const mostVerified = 40_000

// TestLoad: the verifier takes every form of both programs, and soon.
func TestLoad(t *testing.T) {
	w := newWorld(t, fast.Config{Ring: 1 << 20})
	for _, c := range []fast.PortConfig{
		{Index: 1, Untagged: 1, Ring: true},
		{Index: 1, Untagged: 1},
		{Index: 1, Untagged: fast.NoNetif},
		{Index: 1, Untagged: 1, XDP: true},
		{Index: 1, Untagged: 1, L3: true},
	} {
		progs := []string{fast.ProgTC, fast.ProgXDP}
		if c.L3 {
			progs = progs[:1]
		}
		for _, name := range progs {
			start := time.Now()
			verified(t, w.load(name, c), name, start)
		}
		var front *ebpf.Program
		start := time.Now()
		w.in(func() (err error) { front, err = w.lane.LoadInFront(c); return err })
		verified(t, front, fast.ProgTC+" in front of an older lane", start)
		front.Close()
	}
}

// TestOneNetif: a lane of the sizes that the compiler saw, those of a router with one
// network-interface, is mapped as any other, and its programs load.
func TestOneNetif(t *testing.T) {
	w := newWorld(t, fast.Config{Netifs: 1, Hops: 1, Own: 1, VLANs: 1})
	w.in(func() error { return w.lane.SetNetif(0, fast.NetifConfig{Index: 1, MTU: 1500}) })
	for _, name := range []string{fast.ProgTC, fast.ProgXDP} {
		w.load(name, fast.PortConfig{Index: 1, Untagged: 0, XDP: name == fast.ProgXDP})
	}
}

// verified looks at what the verifier had to do with a program.
func verified(t *testing.T, p *ebpf.Program, name string, start time.Time) {
	t.Helper()
	took := time.Since(start)
	info, err := p.Info()
	if err != nil {
		t.Fatal(err)
	}
	insns, known := info.VerifiedInstructions()
	if !known || insns > mostVerified {
		t.Errorf("%s: verified %d instructions, want at most %d", name, insns, mostVerified)
	}
	size, _ := info.JitedSize()
	t.Logf("%s: verified %d instructions in %v, %d bytes of machine code", name, insns, took, size)
}

// TestMappedOnce: however many programs are loaded, the session table stands in
// the process' memory once. (The loader of the BPF library maps what it takes
// for variables.)
func TestMappedOnce(t *testing.T) {
	w := newWorld(t, fast.Config{})
	before := bpfMappings(t)
	for range 3 {
		w.load(fast.ProgTC, fast.PortConfig{Index: 1, Untagged: 1})
	}
	if now := bpfMappings(t); now != before {
		t.Errorf("tables stand in memory %d times, %d before programs were loaded", now, before)
	}
}

// bpfMappings counts mappings of BPF maps that could be a session table; the
// constants of a program, which the library maps too, are a page.
func bpfMappings(t *testing.T) (n int) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err == nil && strings.Contains(line, "bpf-map") && to-from >= 1<<16 {
			n++
		}
	}
	return n
}
