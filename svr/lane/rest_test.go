package lane

import (
	"context"
	"runtime"
	"testing"
	"unsafe"

	"waymark/svr/packet"
)

// where returns an address on the caller's stack.
//
//go:noinline
func where() uintptr {
	var v byte
	return uintptr(unsafe.Pointer(&v))
}

// deep needs more stack than a goroutine begins with.
//
//go:noinline
func deep(n int) (sum int) {
	var b [1024]byte
	b[n] = 1
	if n > 0 {
		sum = deep(n - 1)
	}
	return sum + int(b[n])
}

// TestStackStays: a collection does not take the stack of a lane that waits, which the
// next packets would have grown again.
func TestStackStays(t *testing.T) {
	l, err := New(nil, NewHops(1), &bench2{}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	var before, after uintptr
	err = l.Do(func() {
		deep(3)
		before = where()
		runtime.GC()
		runtime.GC()
		after = where()
	})
	if err != nil {
		t.Fatal(err)
	}
	if before != after {
		t.Error("the stack was copied")
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestGiveWay: a loop that is busy or naps calls the scheduler before that interrupts it,
// and never where it would lose the only processor.
func TestGiveWay(t *testing.T) {
	for _, c := range []struct {
		naps, busy bool
		vain       int
		now, want  int64
	}{
		{true, true, 0, 1 + wayEvery - 1, 1},
		{true, true, 0, 1 + wayEvery, 1 + wayEvery},
		{true, false, 0, 1 + wayEvery, 1},
		{true, false, 1, 1 + wayEvery - 1, 1},
		{true, false, 1, 1 + wayEvery, 1 + wayEvery},
		{true, false, napsMost, 1 + wayEvery, 1}, // the wait tells it
		{false, true, 0, 1 + 2*wayEvery, 1},
		{false, false, 1, 1 + 2*wayEvery, 1},
	} {
		l := &Lane{naps: c.naps, vain: c.vain, now: c.now, gave: 1}
		if l.giveWay(c.busy); l.gave != c.want {
			t.Errorf("others have a processor: %v, busy: %v, naps in vain: %d; at %d the loop gave way at %d, want %d", c.naps, c.busy, c.vain, c.now, l.gave, c.want)
		}
	}
	if wayEvery >= 10_000_000 {
		t.Error("the scheduler interrupts after 10 ms")
	}
}

// TestHeldRests: the memory of packets that wait is given back within a second after
// the last has left, not before, and serves the next ones.
func TestHeldRests(t *testing.T) {
	l, err := New(nil, NewHops(1), &bench2{}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := resident(t, l.held.slab); got != 0 {
		t.Errorf("%d pages before anything waits", got)
	}
	buf := make([]byte, Headroom+1400)
	for turn := range 2 {
		var p, out packet.Packet
		for i := range buf {
			buf[i] = byte(i + turn)
		}
		p.Reset(buf, Headroom, len(buf), 0)
		for range holdPerHop {
			if !l.held.put(&p, 1, 1) {
				t.Fatal("no room")
			}
		}
		for i := range holdPerHop {
			l.maintain()
			if ifc, ok := l.held.take(1, &out); !ok || ifc != 1 || string(out.IP()) != string(p.IP()) {
				t.Fatalf("packet %d: on %d, %v, %d bytes", i, ifc, ok, out.Len())
			}
		}
		if got := resident(t, l.held.slab); got < holdPerHop/4 {
			t.Errorf("%d pages just after the last", got)
		}
		l.maintain()
		if got := resident(t, l.held.slab); got != 0 {
			t.Errorf("%d pages a second later", got)
		}
	}
}
