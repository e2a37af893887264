package watch

import (
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"waymark/net/dgram"
	"waymark/svr/path/bfd"
	"waymark/svr/path/peer"
)

func TestTires(t *testing.T) {
	for _, row := range []struct {
		name    string
		gap     int64
		scratch uint8
		want    bool
	}{
		{"a packet now and then", grain, 0, false}, {"packet after packet", grain - 1, 0, true},
		{"answers about a NAT", 1, 1, false},
	} {
		s := &socket{scratch: row.scratch}
		now, got := int64(1e9), false
		for range tireless + 1 { // the first one has nobody before it
			now += row.gap
			got = s.tires(now)
		}
		if got != row.want {
			t.Errorf("%s: tires %v, want %v", row.name, got, row.want)
		}
	}
	s := &socket{}
	for i := range int64(10 * tireless) { // bursts that end
		now := i/(tireless-1)*10*grain + i
		if s.tires(now) {
			t.Fatalf("tires at packet %d", i)
		}
	}
}

// watching is a watcher without paths that hears one port, on a clock of the test's.
func watching(t *testing.T, port uint16, now *int64) (w *Watcher, send func()) {
	t.Helper()
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	s, err := openSocket(port, false, socketBatch, peer.MaxDatagram)
	if err != nil {
		t.Fatal(err)
	}
	w = &Watcher{log: slog.New(slog.DiscardHandler), clock: func() int64 { return *now }, wakeup: make(chan struct{}, 1),
		indexes: map[uint32]uint16{uint32(lo.Index): 0}, socks: sockets{s}, waiting: bfd.Never}
	w.set = peer.NewSet(peer.Config{Out: w})
	t.Cleanup(w.socks.close)
	self := netip.MustParseAddr("127.0.0.1")
	return w, func() {
		w.mu.Lock()
		defer w.release()
		s.Send(&dgram.Out{Data: []byte{0}, From: self, Index: uint32(lo.Index), To: netip.AddrPortFrom(self, port), Hops: 64})
	}
}

// heard is how many datagrams the paths were given; mu is held.
func (w *Watcher) heard() uint64 { return w.set.Count(peer.Refresh) }

// A socket where packets follow each other closely is left to the timer, which takes
// what came once per grain, and gives it back when nothing comes any more. Nothing is
// lost on the way, and whoever speaks then is heard at once.
func TestRest(t *testing.T) {
	now := int64(1e9)
	w, send := watching(t, 16378, &now)
	s := w.socks[0]
	ended := make(chan struct{})
	go func() { w.listen(s, nil); close(ended) }()
	state := func() (heard uint64, rests bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.heard(), len(w.resting) > 0
	}
	until := func(what string, ok func(heard uint64, rests bool) bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); !ok(state()); {
			if time.Now().After(deadline) {
				heard, rests := state()
				t.Fatalf("%s: heard %d, rests %v", what, heard, rests)
			}
			<-time.After(time.Millisecond)
		}
	}
	sent := uint64(0)
	say := func() { send(); sent++ }
	for rests := false; !rests; {
		say()
		until("a packet", func(heard uint64, r bool) bool { rests = r; return heard == sent || r })
	}
	if sent < tireless || len(w.wakeup) == 0 {
		t.Errorf("rests after %d packets, timer woken %d times", sent, len(w.wakeup))
	}
	for range 3 * socketBatch {
		say()
	}
	now += grain
	if wait := w.round(); wait != grain {
		t.Errorf("the timer comes round in %v, want %v", time.Duration(wait), time.Duration(grain))
	}
	if heard, rests := state(); heard != sent || !rests {
		t.Fatalf("heard %d of %d, rests %v", heard, sent, rests)
	}
	w.round() // for something else: it is too soon to look
	for range awake {
		if _, rests := state(); !rests {
			t.Fatal("rests no more while packets may come")
		}
		now += grain
		w.round()
	}
	until("the end of the rest", func(_ uint64, rests bool) bool { return !rests })
	say()
	until("the packet after a rest", func(heard uint64, _ bool) bool { return heard == sent })
	w.socks.close()
	<-ended
}

// A datagram is dated by its stamp, but never before the last look that left nothing: the
// wall clock may have been set.
func TestDated(t *testing.T) {
	const now = int64(10e9)
	for _, row := range []struct {
		name              string
		age, looked, want int64
	}{
		{"no stamp", 0, 5e9, now}, {"stamped", 3e6, 5e9, now - 3e6}, {"older than the last look", 7e9, 9e9, 9e9},
	} {
		if got := dated(row.age, row.looked, now); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}
