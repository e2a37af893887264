package fast_test

import (
	"encoding/binary"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/net/netns"
	"waymark/svr/lane/fast"
	"waymark/svr/lane/fast/fasttest"
	"waymark/svr/packet"
)

const ringSize = 1 << 20

// ringWorld is a row whose ports have a ring.
func ringWorld(t *testing.T) (*world, *fasttest.Row) {
	row := fasttest.NewRow(t)
	w := &world{t: t, ns: row.Router, ring: true}
	w.open(fast.Config{Ring: ringSize})
	return w, row
}

// TestRingStream: a stream whose every packet comes by the ring arrives unharmed.
func TestRingStream(t *testing.T) {
	w, row := ringWorld(t)
	r := &relay{w: w}
	r.start(t, row)
	w.connect(row, false)
	for ns, dev := range map[string]string{row.Client: "c0", row.Server: "s0"} { // the relay cuts nothing
		if err := netns.Run(ns, exec.Command("ethtool", "-K", dev, "tso", "off", "gso", "off")); err != nil {
			t.Fatal(err)
		}
	}
	w.session(tuple(packet.ProtoTCP, "10.1.0.2:40001", "10.2.0.2:5300"), tuple(packet.ProtoTCP, "10.2.0.1:16386", "10.2.0.2:5300"), 1500)
	stream(t, row, "10.1.0.2:40001", "10.2.0.2:5300", "10.2.0.2:5300", 8<<20)
	if n := r.count(fast.PuntSlow); n < 5000 || r.wrong != 0 || w.lane.RingReserved() == 0 {
		t.Errorf("%d packets came, %d by the wrong way, %d bytes by the ring", n, r.wrong, w.lane.RingReserved())
	}
}

// TestRingOrder: packets of a flow keep their order, and none gets lost, while the
// reader falls asleep and wakes at any moment.
func TestRingOrder(t *testing.T) {
	const all, ahead = 100_000, 200
	w, row := ringWorld(t)
	w.connect(row, false)
	from := tuple(packet.ProtoTCP, "10.1.0.2:7", "10.2.0.2:7")
	w.session(from, tuple(packet.ProtoTCP, "10.2.0.1:16386", "10.2.0.2:7"), 1500)
	known, _ := w.lane.Queues(0)
	known.Init(48, 1)
	var got atomic.Uint32
	sent := inside(row.Client, func() error { return numbered(row, from, all, ahead, &got) })
	rnd, deadline := rand.New(rand.NewPCG(1, 2)), time.Now().Add(time.Minute)
	naps, rings := 0, 0
	for got.Load() < all {
		list, err := known.Read()
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			b := list[i].IP()
			if n := binary.BigEndian.Uint32(b[40:]); n != got.Load() {
				t.Fatalf("packet %d came, want %d", n, got.Load())
			}
			got.Add(1)
		}
		if len(list) > 0 && rnd.IntN(8) > 0 {
			rings++
			continue
		}
		if known.Rest() {
			naps++
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(known.FD()), Events: unix.POLLIN}}, 100)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d packets of %d came; lost %d", got.Load(), all, w.counters().Lost)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d naps, %d batches, %d bytes by the ring", naps, rings, w.lane.RingReserved())
	if naps < 100 || w.lane.RingReserved() < all*100 {
		t.Errorf("%d naps, %d bytes of the ring: not what is to be tested", naps, w.lane.RingReserved())
	}
}

// numbered sends numbered datagrams from one CPU, so that they keep their order,
// some more than were received.
func numbered(row *fasttest.Row, from packet.Tuple, all, ahead uint32, got *atomic.Uint32) error {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	var one unix.CPUSet
	one.Set(0)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: row.C0.Index}); err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	f := frame{t: from, ttl: 9, flags: packet.FlagACK, payload: make([]byte, 100)}
	b := link(row.A0.MAC, row.C0.MAC, 0, 4, f.ip())
	for i := uint32(0); i < all; {
		for n := rnd.Uint32N(40); n > 0 && i < all; n-- {
			binary.BigEndian.PutUint32(b[14+40:], i)
			if _, err := unix.Write(fd, b); err != nil {
				return err
			}
			i++
		}
		for i-got.Load() > ahead || rnd.IntN(3) == 0 && i != got.Load() {
			runtime.Gosched()
		}
	}
	return nil
}

// TestRingAllocs: what comes by the ring costs no memory, and its memory is used
// again and again.
func TestRingAllocs(t *testing.T) {
	w, row := ringWorld(t)
	w.connect(row, false)
	from := tuple(packet.ProtoTCP, "10.1.0.2:7", "10.2.0.2:7")
	w.session(from, tuple(packet.ProtoTCP, "10.2.0.1:16386", "10.2.0.2:7"), 1500)
	known, _ := w.lane.Queues(0)
	known.Init(48, 3)
	fd := -1
	if err := netns.Do(row.Client, func() (err error) {
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: row.C0.Index})
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	f := frame{t: from, ttl: 9, flags: packet.FlagACK, payload: make([]byte, 1000)}
	b := link(row.A0.MAC, row.C0.MAC, 0, 4, f.ip())
	turn := func() {
		for range 20 {
			_, _ = unix.Write(fd, b)
		}
		for n := 0; n < 20; {
			list, err := known.Read()
			if err != nil {
				t.Fatal(err)
			}
			n += len(list)
		}
	}
	if n := testing.AllocsPerRun(500, turn); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got := w.lane.RingReserved(); got < 5*ringSize || w.counters().Lost != 0 {
		t.Errorf("%d bytes by the ring, %d packets lost", got, w.counters().Lost)
	}
}
