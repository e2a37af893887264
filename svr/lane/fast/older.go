package fast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
)

// A lane whose layout this build does not know goes on beside ours: its programs
// stay on the devices, behind ours, and get what ours have no session for. They
// forward their sessions by their own table and punt the rest as ever. Its XDP
// programs go: a device has room for one, and TC forwards what they did.

// mostOlder bounds the lanes that may stay, each with the memory of its table.
const mostOlder = 2

// older is what is known of the lanes behind ours.
type older struct {
	gens []*generation
}

func (o *older) has(g *generation) bool {
	for _, k := range o.gens {
		if k == g {
			return true
		}
	}
	return false
}

// forwarded is how many packets the lanes forwarded since they were made.
func (o *older) forwarded() (n uint64) {
	for _, g := range o.gens {
		n += g.forwarded()
	}
	return n
}

// leave makes what was found, and not taken over, the older lanes.
func (l *Lane) leave(gens map[ebpf.MapID]*generation) error {
	if len(gens) > mostOlder {
		return fmt.Errorf("%d lanes on the devices, %d possible: %w", len(gens), mostOlder, ErrVersion)
	}
	if len(gens) == 0 {
		return nil
	}
	l.older = &older{}
	for _, g := range gens {
		l.older.gens = append(l.older.gens, g)
	}
	return nil
}

// The words at offOthers of the table's header: they outlive the process.
const (
	offOthers  = 1024 // of svr/pool
	wordSince  = 0    // CLOCK_MONOTONIC when the older lanes came behind ours
	wordBase   = 1    // what they had forwarded then
	wordBefore = 2    // what older lanes that have gone forwarded behind ours
	wordTick   = 3    // the programs' own: the clock as of the last jiffy (bpf/table.h)
)

func (l *Lane) other(i int) *uint64 {
	return (*uint64)(unsafe.Pointer(&l.table[offOthers+8*i]))
}

// beginOlder notes when the older lanes came behind ours, and takes over what they
// counted where it is counted as ours is: the counters of a box do not begin anew.
func (l *Lane) beginOlder() error {
	if l.older == nil || l.adopted {
		return nil
	}
	atomic.StoreUint64(l.other(wordSince), uint64(Monotonic()))
	atomic.StoreUint64(l.other(wordBase), l.older.forwarded())
	last := l.older.gens[0]
	for _, g := range l.older.gens {
		if g.header.Clock > last.header.Clock {
			last = g
		}
	}
	var cpus []counts
	m := last.maps[mapCounts]
	if m == nil || m.ValueSize() != countsSize {
		return nil
	}
	if err := m.Lookup(uint32(0), &cpus); err != nil {
		return fmt.Errorf("read counters of the older lane: %w", err)
	}
	if err := l.maps[mapCounts].Put(uint32(0), cpus); err != nil {
		return fmt.Errorf("take over counters: %w", err)
	}
	return nil
}

// Older describes the lanes of other layouts that forward behind ours.
type Older struct {
	Lanes     int    // 0: none
	Since     int64  // CLOCK_MONOTONIC when ours came in front of them
	Forwarded uint64 // packets, since then
	Memory    int    // bytes of the kernel's that go with them
}

// Older tells of them. Any goroutine.
func (l *Lane) Older() (o Older) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lookAtOlder()
}

// lookAtOlder is Older for those who hold mu.
func (l *Lane) lookAtOlder() (o Older) {
	if l.older == nil {
		return o
	}
	o.Lanes, o.Since = len(l.older.gens), int64(atomic.LoadUint64(l.other(wordSince)))
	o.Forwarded = l.older.forwarded() - atomic.LoadUint64(l.other(wordBase))
	for _, g := range l.older.gens {
		o.Memory += g.bytes
	}
	return o
}

// forwardedOlder is what older lanes forwarded behind ours, those of before too.
func (l *Lane) forwardedOlder() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lookAtOlder().Forwarded + atomic.LoadUint64(l.other(wordBefore))
}

// EndOlder takes the older lanes away: what they forwarded is punted from then on.
// On every device our program, which passed packets on, goes first.
func (l *Lane) EndOlder() error {
	if l.older == nil {
		return nil
	}
	for index, p := range l.ports {
		if len(p.older) == 0 {
			continue
		}
		if err := l.endOlder(p); err != nil {
			return fmt.Errorf("take older lane off interface %d: %w", index, err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	atomic.AddUint64(l.other(wordBefore), l.lookAtOlder().Forwarded)
	l.older.close()
	l.older = nil
	return nil
}

func (l *Lane) endOlder(p *port) error {
	if p.tc != nil {
		consts, err := l.constantsOf(&p.cfg, false)
		if err != nil {
			return err
		}
		alone := &port{cfg: p.cfg}
		if alone.tc, err = l.load(progTC, consts); err != nil {
			return err
		}
		if err := alone.replaceTC(p); err != nil {
			alone.tc.Close()
			return err
		}
		p.tc.Close()
		p.tc, p.at = alone.tc, alone.at
	}
	return p.detachOlder()
}

// detachOlder takes the programs of older lanes off a device.
func (p *port) detachOlder() error {
	var errs []error
	for _, o := range p.older {
		errs = append(errs, detachTC(p.cfg.Index, o.Program, o.at))
		o.Close()
	}
	p.older = nil
	return errors.Join(errs...)
}

func (o *older) close() {
	if o == nil {
		return
	}
	for _, g := range o.gens {
		closeMaps(g.maps)
	}
}

// word is the i-th counter of a value.
func word(b []byte, i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
