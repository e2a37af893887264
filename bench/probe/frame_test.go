package probe

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// valid tells whether both checksums of a generated frame are right.
func valid(b []byte) bool {
	ip, udp := b[14:34], b[offPort:FrameSize]
	pseudo := sum(protoUDP+uint32(len(udp)), ip[12:20])
	return sum(0, ip) == 0xffff && sum(uint32(pseudo), udp) == 0xffff
}

// TestGenerator runs the program as the kernel does, one frame at a time, over
// a page that a router has scribbled on.
func TestGenerator(t *testing.T) {
	f := Flows{DstMAC: [6]byte{2, 1}, SrcMAC: [6]byte{2, 2}, From: [4]byte{10, 1}, To: [4]byte{10, 2, 0, 2}, Port: 5001, Count: 1 << 20}
	state, err := arrayMap("state", stateSize)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	p, err := generatorProgram(state, 1, &f)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, flow := range []uint64{0, 1, 1023, 1 << 14, 1<<20 - 1, 1 << 20} {
		if err := state.Put(uint32(0), [4]uint64{flow, flow + 1}); err != nil {
			t.Fatal(err)
		}
		out := run(t, p)
		got := netip.AddrPortFrom(netip.AddrFrom4([4]byte(out[offSource-2:])), binary.BigEndian.Uint16(out[offPort:]))
		if want := f.Flow(int(flow & (1<<20 - 1))); got != want || !valid(out) {
			t.Errorf("flow %d: got source %v checksums %t, want %v", flow, got, valid(out), want)
		}
		for _, c := range []struct {
			name  string
			state [4]uint64
		}{
			{"limit reached", [4]uint64{flow, flow}},
			{"not due", [4]uint64{flow, flow + 1, 1, math.MaxInt64}},
		} {
			if err := state.Put(uint32(0), c.state); err != nil {
				t.Fatal(err)
			}
			if v, err := p.Run(&ebpf.RunOptions{Data: make([]byte, FrameSize)}); err != nil || v != xdpDrop {
				t.Errorf("flow %d, %s: got verdict %d %v, want %d", flow, c.name, v, err, xdpDrop)
			}
		}
	}
}

// run runs a program once over a page that a router has scribbled on.
func run(t *testing.T, p *ebpf.Program) []byte {
	t.Helper()
	in, out := bytes.Repeat([]byte{0xa5}, FrameSize), make([]byte, FrameSize)
	if _, err := p.Run(&ebpf.RunOptions{Data: in, DataOut: out}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPace: a paced generator sends what is due, and catches up little.
func TestPace(t *testing.T) {
	state, err := arrayMap("state", stateSize)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	p, err := generatorProgram(state, 1, &Flows{Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const gap = slack / 4
	if err := state.Put(uint32(0), [4]uint64{0, math.MaxUint64, gap, 0}); err != nil {
		t.Fatal(err)
	}
	run(t, p)
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatal(err)
	}
	var got [4]uint64
	if err := state.Lookup(uint32(0), &got); err != nil {
		t.Fatal(err)
	}
	if now := uint64(ts.Nano()); got[0] != 1 || got[3] > now-slack+gap || got[3] < now-slack+gap-1e9 {
		t.Errorf("got %d frames, next due at %d; want 1 and shortly before %d", got[0], got[3], now-slack+gap)
	}
}

// TestStamp: stamped frames are valid, and the delay sink reads what they say.
func TestStamp(t *testing.T) {
	state, err := arrayMap("state", stateSize)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	p, err := generatorProgram(state, 1, &Flows{From: [4]byte{10, 1}, To: [4]byte{10, 2, 0, 2}, Port: 5001, Count: 1, Stamp: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := state.Put(uint32(0), [4]uint64{0, 1}); err != nil {
		t.Fatal(err)
	}
	out := run(t, p)
	if !valid(out) || binary.NativeEndian.Uint32(out[offStamp:]) == 0 {
		t.Errorf("got stamp %x, checksums %t", out[offStamp:offStamp+8], valid(out))
	}
	d, err := newDelay()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	q, err := delayTC(d.counter)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if v, err := q.Run(&ebpf.RunOptions{Data: out}); err != nil || v != tcDrop {
		t.Fatalf("sink: got verdict %d %v, want %d", v, err, tcDrop)
	}
	if h, err := d.histogram(); err != nil || h.total() != 1 || h[0] != 0 {
		t.Errorf("sink: got %d frames, %d of them at once, %v", h.total(), h[0], err)
	}
}

func TestQuantile(t *testing.T) {
	h := make(histogram, delaySteps)
	h[10], h[20], h[delaySteps-1] = 98, 1, 1
	for _, c := range []struct {
		q    float64
		want time.Duration
		ok   bool
	}{{0.5, 10 << delayShift, true}, {0.985, 20 << delayShift, true}, {1, 0, false}} {
		got, err := h.quantile(c.q)
		if (err == nil) != c.ok || c.ok && (got < c.want || got > c.want+1<<delayShift) {
			t.Errorf("quantile %v: got %v %v, want %v", c.q, got, err, c.want)
		}
	}
}

// TestEcho: what comes back is valid and for the sender.
func TestEcho(t *testing.T) {
	f := Flows{DstMAC: [6]byte{2, 1}, SrcMAC: [6]byte{2, 2}, From: [4]byte{10, 1}, To: [4]byte{10, 2, 0, 2}, Port: 5001, Count: 1}
	p, err := echoTC(1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	in, out := f.frame(), make([]byte, FrameSize)
	if _, err := p.Run(&ebpf.RunOptions{Data: in[:], DataOut: out}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ at, from, n int }{{0, 6, 6}, {6, 0, 6}, {26, 30, 4}, {30, 26, 4}, {34, 36, 2}, {36, 34, 2}} {
		if !bytes.Equal(out[c.at:c.at+c.n], in[c.from:c.from+c.n]) {
			t.Errorf("bytes at %d: got %x, want %x", c.at, out[c.at:c.at+c.n], in[c.from:c.from+c.n])
		}
	}
	if !valid(out) {
		t.Error("checksums are wrong")
	}
}
