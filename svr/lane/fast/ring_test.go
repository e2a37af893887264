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
	known, _ := w.lane.RingReserved()
	if n := r.count(fast.PuntSlow); n < 5000 || r.wrong != 0 || known == 0 {
		t.Errorf("%d packets came, %d by the wrong way, %d bytes by the ring", n, r.wrong, known)
	}
}

// TestRingOrder: packets of a flow keep their order, and none gets lost, while the
// reader falls asleep and wakes at any moment, in either ring.
func TestRingOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		known bool
		from  packet.Tuple
	}{
		{"known session", true, tuple(packet.ProtoTCP, "10.1.0.2:7", "10.2.0.2:7")},
		{"unknown flow", false, tuple(packet.ProtoUDP, "10.1.0.2:7", "10.2.0.2:7")},
	} {
		t.Run(c.name, func(t *testing.T) {
			const all = 100_000
			w, row := ringWorld(t)
			w.connect(row, false)
			queue, other := w.lane.Queues(0)
			if c.known {
				w.session(c.from, tuple(c.from.Proto, "10.2.0.1:16386", "10.2.0.2:7"), 1500)
			} else {
				queue, other = other, queue
			}
			queue.Init(48, 1)
			other.Init(1, 1)
			n := ordered(t, w, row, queue, c.from, all)
			bytes, wrong := w.lane.RingReserved()
			if !c.known {
				bytes, wrong = wrong, bytes
			}
			t.Logf("%d naps, %d bytes by the ring", n, bytes)
			if n < 100 || bytes < all*100 || wrong != 0 {
				t.Errorf("%d naps, %d bytes of the ring, %d of the other: not what is to be tested", n, bytes, wrong)
			}
		})
	}
}

// ordered takes numbered packets from a queue, with rests, and returns how many.
func ordered(t *testing.T, w *world, row *fasttest.Row, q *fast.Queue, from packet.Tuple, all uint32) (naps int) {
	const ahead = 150
	var got atomic.Uint32
	sent := inside(row.Client, func() error { return numbered(row, from, all, ahead, &got) })
	rnd, deadline := rand.New(rand.NewPCG(1, 2)), time.Now().Add(time.Minute)
	for got.Load() < all {
		list, err := q.Read()
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if n := number(&list[i]); n != got.Load() {
				t.Fatalf("packet %d came, want %d", n, got.Load())
			}
			got.Add(1)
		}
		if len(list) > 0 && rnd.IntN(8) > 0 {
			continue
		}
		if q.Rest() {
			naps++
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(q.FD()), Events: unix.POLLIN}}, 100)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d packets of %d came; lost %d", got.Load(), all, w.counters().Lost)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	return naps
}

// number is that in a packet's last bytes.
func number(p *fast.Punted) uint32 { return binary.BigEndian.Uint32(p.IP()[p.Len()-4:]) }

// TestRingLarge: super-packets come by the TAP, what is between them by the ring, all of
// it in order.
func TestRingLarge(t *testing.T) {
	for _, c := range []struct {
		name          string
		large, single int // bytes of payload
		between       uint32
		batch         int
		batches       int
		entry         int // of a single one in the ring
	}{
		{"small ones", 3000, 100, 9, 48, 1, 192},
		{"large ones", 3000, 600, 9, 48, 1, 1408},
		{"more small ones than a batch has", 60_000, 100, 150, 48, 1, 192},
		{"more large ones than a batch has", 60_000, 600, 70, 48, 1, 1408},
		{"more small ones than a batch has, of which some are kept", 60_000, 100, 150, 48, 3, 192},
		{"one at a time, beside the largest", 65_400, 100, 9, 1, 1, 192},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, row := ringWorld(t)
			w.connect(row, false)
			from := tuple(packet.ProtoTCP, "10.1.0.2:7", "10.2.0.2:7")
			w.session(from, tuple(packet.ProtoTCP, "10.2.0.1:16386", "10.2.0.2:7"), 1500)
			known, _ := w.lane.Queues(0)
			known.Init(c.batch, c.batches)
			fd := clientSocket(t, row)
			if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
				t.Fatal(err)
			}
			f := frame{t: from, ttl: 9, flags: packet.FlagACK, payload: make([]byte, c.large)}
			large := link(row.A0.MAC, row.C0.MAC, 0, 4, f.ip())
			f.payload = f.payload[:c.single]
			single := link(row.A0.MAC, row.C0.MAC, 0, 4, f.ip())
			const groups = 5
			all := c.between + 1
			for n := range groups * all {
				if n%all == 0 {
					sendVnet(t, fd, large, n, 1000)
				} else {
					sendVnet(t, fd, single, n, 0)
				}
			}
			inOrder(t, w, known, 0, groups*all, func(n uint32, p *fast.Punted) bool { return (n%all == 0) == (p.GSO == packet.GSOTCP4) })
			least := (groups*int(c.between) - 1) * c.entry // one may wake
			if n, _ := w.lane.RingReserved(); int(n) < least {
				t.Errorf("%d bytes by the ring, want %d", n, least)
			}
		})
	}
}

// sendVnet sends a frame whose last bytes are a number; gso: bytes of a segment's payload.
func sendVnet(t *testing.T, fd int, b []byte, n uint32, gso uint16) {
	binary.BigEndian.PutUint32(b[len(b)-4:], n)
	head := make([]byte, 10) // struct virtio_net_hdr
	if gso != 0 {
		head[0], head[1] = 1, 1 // partial checksum, TCP over IPv4
		binary.NativeEndian.PutUint16(head[2:], 54)
		binary.NativeEndian.PutUint16(head[4:], gso)
		binary.NativeEndian.PutUint16(head[6:], 34)
		binary.NativeEndian.PutUint16(head[8:], 16)
	}
	if _, err := unix.Write(fd, append(head, b...)); err != nil {
		t.Fatal(err)
	}
}

// TestRingFull: what finds no room goes by the TAP, in order, up to 500; more is lost and
// counted, until the reader had nothing to do.
func TestRingFull(t *testing.T) {
	w, row := ringWorld(t)
	w.connect(row, false)
	from := tuple(packet.ProtoTCP, "10.1.0.2:7", "10.2.0.2:7")
	w.session(from, tuple(packet.ProtoTCP, "10.2.0.1:16386", "10.2.0.2:7"), 1500)
	known, _ := w.lane.Queues(0)
	known.Init(48, 1)
	fd := clientSocket(t, row)
	f := frame{t: from, ttl: 9, flags: packet.FlagACK, payload: make([]byte, 1300)}
	b := link(row.A0.MAC, row.C0.MAC, 0, 4, f.ip())
	const room, all = ringSize / 2112, ringSize/2112 + 500
	for n := range uint32(all + 50) {
		binary.BigEndian.PutUint32(b[len(b)-4:], n)
		if _, err := unix.Write(fd, b); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			inOrder(t, w, known, 0, 1, func(uint32, *fast.Punted) bool { return true }) // the reader is awake from here on
		}
	}
	inOrder(t, w, known, 1, all, func(uint32, *fast.Punted) bool { return true })
	if n, _ := w.lane.RingReserved(); n != room*2112 || w.counters().Lost != 49 {
		t.Errorf("%d bytes by the ring of %d, %d packets lost", n, ringSize, w.counters().Lost)
	}
	if list, err := known.Read(); len(list) != 0 || err != nil {
		t.Fatal(list, err)
	}
	for range room + 100 {
		if _, err := unix.Write(fd, b); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.counters().Lost; n != 49 {
		t.Errorf("%d packets lost after the reader had nothing to do", n)
	}
}

// inOrder reads the packets from number first up to end, each as it should be.
func inOrder(t *testing.T, w *world, q *fast.Queue, first, end uint32, right func(n uint32, p *fast.Punted) bool) {
	t.Helper()
	for want, deadline := first, time.Now().Add(20*time.Second); want < end; {
		list, err := q.Read()
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if n := number(&list[i]); n != want || !right(n, &list[i]) {
				t.Fatalf("packet %d came with GSO %v, want %d", n, list[i].GSO, want)
			}
			want++
		}
		if time.Now().After(deadline) {
			t.Fatalf("packet %d did not come; %d lost", want, w.counters().Lost)
		}
	}
}

// clientSocket sends frames from the client.
func clientSocket(t *testing.T, row *fasttest.Row) (fd int) {
	if err := netns.Do(row.Client, func() (err error) {
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: row.C0.Index})
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
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
			binary.BigEndian.PutUint32(b[len(b)-4:], i)
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
	fd := clientSocket(t, row)
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
	if got, _ := w.lane.RingReserved(); got < 5*ringSize || w.counters().Lost != 0 {
		t.Errorf("%d bytes by the ring, %d packets lost", got, w.counters().Lost)
	}
}
