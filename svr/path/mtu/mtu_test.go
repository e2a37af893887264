package mtu_test

import (
	"testing"

	"waymark/svr/path/mtu"
)

const (
	ms  = int64(1e6)
	sec = int64(1e9)

	patience = 100 * ms
	roundTip = 10 * ms
)

// link is a path of a given MTU with the machine at one end, on a fake clock.
type link struct {
	m      *mtu.Machine
	now    int64
	mtu    int
	lose   func(n int) bool // of probe n, nil: none
	icmp   bool             // a router in between tells
	probes []int
	bytes  int
	flight []answer
}

type answer struct {
	at    int64
	bytes int
}

func newLink(cfg mtu.Config, most, fits int) *link {
	l := &link{m: mtu.New(cfg), now: sec, mtu: fits}
	l.m.Start(most, l.now)
	return l
}

// run lets time pass and returns when the MTU last became other than it was.
func (l *link) run(d int64) (changed int64) {
	end, last := l.now+d, l.m.MTU()
	for l.now < end {
		for {
			n, ok := l.m.Due(patience, l.now)
			if !ok {
				break
			}
			l.send(n)
		}
		next := l.m.Next(l.now)
		for _, a := range l.flight {
			next = min(next, a.at)
		}
		l.now = min(max(next, l.now), end)
		for len(l.flight) > 0 && l.flight[0].at <= l.now {
			l.m.Answered(l.flight[0].bytes, l.now)
			l.flight = l.flight[1:]
		}
		if got := l.m.MTU(); got != last {
			last, changed = got, l.now
		}
	}
	return changed
}

func (l *link) send(n int) {
	l.probes = append(l.probes, n)
	l.bytes += n
	switch {
	case n > l.mtu && l.icmp:
		l.m.TooBig(l.mtu, l.now)
	case n > l.mtu, l.lose != nil && l.lose(len(l.probes)):
	default:
		l.flight = append(l.flight, answer{l.now + roundTip, n})
	}
}

var tested = mtu.Config{Interval: 600 * sec}

// Every MTU from 1,280 to that of the device is found to the byte, whether
// routers tell of it or not.
func TestFindsEverySize(t *testing.T) {
	for _, icmp := range []bool{false, true} {
		for fits := mtu.Base; fits <= 1500; fits++ {
			l := newLink(tested, 1500, fits)
			l.icmp = icmp
			l.run(3 * sec)
			if got := l.m.MTU(); got != fits || l.m.Dead() {
				t.Errorf("ICMP %v: got %d, dead %v, want %d", icmp, got, l.m.Dead(), fits)
			}
		}
	}
}

func TestCases(t *testing.T) {
	for _, c := range []struct {
		name       string
		cfg        mtu.Config
		most, fits int
		want       int
		dead       bool
		probes     int // most
	}{
		{"device", tested, 1500, 1500, 1500, false, 1},
		{"pppoe", tested, 1492, 1492, 1492, false, 1},
		{"jumbo", tested, 9000, 9000, 9000, false, 1},
		{"jumbo over ethernet", tested, 9000, 1500, 1500, false, 120},
		{"wireguard in between", tested, 1500, 1420, 1420, false, 60},
		{"not tested", mtu.Config{}, 1500, 1400, 0, false, 0},
		{"below 1280", tested, 1500, 1279, 1280, true, 60},
		{"nothing passes", tested, 1500, 0, 0, false, 60},
		{"small device", tested, 1000, 1000, 1000, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLink(c.cfg, c.most, c.fits)
			l.run(5 * sec)
			if got := l.m.MTU(); got != c.want || l.m.Dead() != c.dead {
				t.Errorf("got %d, dead %v", got, l.m.Dead())
			}
			if len(l.probes) > c.probes {
				t.Errorf("%d probes: %v", len(l.probes), l.probes)
			}
		})
	}
}

// A size counts as too big after three silences, not after two.
func TestThreeSilences(t *testing.T) {
	for _, c := range []struct{ lost, want, probes int }{{2, 1500, 3}, {3, 1499, 0}} {
		l := newLink(tested, 1500, 1500)
		l.lose = func(n int) bool { return n <= c.lost }
		l.run(5 * sec)
		if got := l.m.MTU(); got != c.want {
			t.Errorf("%d probes lost: got %d, want %d", c.lost, got, c.want)
		}
		if c.probes > 0 && len(l.probes) != c.probes {
			t.Errorf("%d probes lost: sent %v", c.lost, l.probes)
		}
	}
}

// A path that takes more again is found at the next test, one that takes less
// as well; without tests it is tried again after ten minutes.
func TestUpAndDown(t *testing.T) {
	l := newLink(tested, 1500, 1500)
	for _, fits := range []int{1500, 1400, 1412, 1500, 1280, 1492, 1300, 1500} {
		l.mtu = fits
		l.run(610 * sec)
		if got := l.m.MTU(); got != fits {
			t.Errorf("got %d, want %d", got, fits)
		}
	}
	l = newLink(mtu.Config{}, 1500, 1400)
	l.m.Suspect(l.now)
	l.run(5 * sec)
	if l.m.MTU() != 1400 {
		t.Fatalf("suspected: got %d, want 1400", l.m.MTU())
	}
	l.mtu = 1500
	l.run(610 * sec)
	if l.m.MTU() != 1500 {
		t.Errorf("after ten minutes: got %d, want 1500", l.m.MTU())
	}
}

// Data that vanishes: what passes is in use after one silence, and exact soon.
func TestHole(t *testing.T) {
	thrifty := newLink(mtu.Config{Thrifty: true}, 1500, 1399)
	thrifty.m.Suspect(thrifty.now)
	if thrifty.run(3 * sec); thrifty.m.MTU() != 1399 {
		t.Errorf("where bytes cost money: %d", thrifty.m.MTU())
	}
	for _, fits := range []int{1280, 1300, 1399, 1400, 1499} {
		l := newLink(mtu.Config{}, 1500, fits)
		l.m.Suspect(l.now)
		l.run(patience + 100*ms)
		if got := l.m.MTU(); got > fits || got < fits-60 {
			t.Errorf("MTU %d: %d after one silence", fits, got)
		}
		l.run(3 * sec)
		if got := l.m.MTU(); got != fits {
			t.Errorf("MTU %d: found %d", fits, got)
		}
	}
}

// Doubts without ground cost less and less.
func TestDoubtsWithoutGround(t *testing.T) {
	l := newLink(tested, 1500, 1500)
	l.run(sec)
	before := l.bytes
	for range 4 * 3600 {
		l.m.Suspect(l.now)
		l.run(sec)
	}
	if n := l.m.Tests(); n > 60 {
		t.Errorf("%d tests in four hours of doubts", n)
	}
	t.Logf("%d bytes in four hours of doubts", l.bytes-before)
	l.mtu = 1400 // and one with ground is still found within the longest calm
	l.run(2 * sec)
	for range 601 {
		l.m.Suspect(l.now)
		l.run(sec)
	}
	if l.m.MTU() != 1400 {
		t.Errorf("got %d, want 1400", l.m.MTU())
	}
}

// Whoever sends ICMP changes nothing that probes do not confirm, and makes us
// send little.
func TestForgedICMP(t *testing.T) {
	l := newLink(tested, 1500, 1500)
	l.run(sec)
	before := l.bytes
	for i := range 60 * 100 {
		l.m.TooBig(68+i%1432, l.now)
		if l.run(10 * ms); l.m.MTU() != 1500 || l.m.Dead() {
			t.Fatalf("got %d, dead %v", l.m.MTU(), l.m.Dead())
		}
	}
	if rate := (l.bytes - before) / 60; rate > 20_000 {
		t.Errorf("%d bytes a second", rate)
	}
}

// A peer that starts anew answers nothing for a while: no sickness of the path.
func TestSilentPeer(t *testing.T) {
	l := newLink(tested, 1500, 1400)
	l.run(3 * sec)
	l.mtu = 0
	for range 20 {
		l.run(100 * sec)
		if l.m.Dead() || l.m.MTU() != 1400 {
			t.Fatalf("got %d, dead %v", l.m.MTU(), l.m.Dead())
		}
	}
	l.mtu = 1400
	l.m.Again(l.now)
	if l.run(sec); l.m.MTU() != 1400 {
		t.Errorf("got %d afterwards", l.m.MTU())
	}
}

// A dead path is looked at again, less and less often, and is found alive.
func TestRevives(t *testing.T) {
	l := newLink(tested, 1500, 600)
	l.run(5 * sec)
	if !l.m.Dead() {
		t.Fatal("not dead")
	}
	before := len(l.probes)
	l.run(3600 * sec)
	if n := len(l.probes) - before; n > 3*70 || n < 3*50 {
		t.Errorf("%d probes in an hour of a dead path", n)
	}
	l.mtu = 1400
	l.run(65 * sec)
	if l.m.Dead() || l.m.MTU() != 1400 {
		t.Errorf("got %d, dead %v, want 1400", l.m.MTU(), l.m.Dead())
	}
}

// A path that loses a third of everything is not taken for dead.
func TestLossIsNotDeath(t *testing.T) {
	seed, dead := uint32(1), 0
	for range 1000 {
		l := newLink(tested, 1500, 1500)
		l.lose = func(int) bool { seed = seed*1664525 + 1013904223; return seed>>16%3 == 0 }
		l.run(5 * sec)
		if l.m.Dead() {
			dead++
		}
	}
	if dead > 2 {
		t.Errorf("%d of 1000 paths dead", dead)
	}
}

// A path that takes less than 1,280 bytes is dead after three rounds of probes; one
// that stands still for a moment, whenever and for however long, is not.
func TestDeathIsQuickAndSure(t *testing.T) {
	l := newLink(mtu.Config{}, 1500, 600)
	l.m.Suspect(l.now)
	if l.run(3*patience + 250*ms); !l.m.Dead() {
		t.Errorf("not dead after %v", l.probes)
	}
	for _, cfg := range []mtu.Config{{}, {Thrifty: true}} {
		for from := int64(0); from < 800*ms; from += 7 * ms {
			for d := 50 * ms; d < 2*sec; d += 50 * ms {
				l := newLink(cfg, 1500, 1500)
				begin := l.now + from
				l.lose = func(int) bool { return l.now >= begin && l.now < begin+d || l.now < sec+90*ms && from%2 == 0 }
				l.m.Suspect(l.now)
				if l.run(4 * sec); l.m.Dead() {
					t.Fatalf("dead after a silence of %d ms, %d ms on", d/ms, from/ms)
				}
			}
		}
	}
}

// Where bytes cost money, a path that carries nothing is not tested.
func TestThrift(t *testing.T) {
	l := newLink(mtu.Config{Interval: 600 * sec, Thrifty: true}, 1500, 1500)
	l.run(sec)
	if len(l.probes) != 1 {
		t.Fatalf("at the start: %v", l.probes)
	}
	l.run(24 * 3600 * sec)
	if len(l.probes) != 1 {
		t.Errorf("%d probes on a path without traffic", len(l.probes)-1)
	}
	l.m.Busy()
	l.run(601 * sec)
	if len(l.probes) != 2 {
		t.Errorf("%d probes after traffic, want 1", len(l.probes)-1)
	}
}

func TestAllocatesNothing(t *testing.T) {
	m := mtu.New(tested)
	now := sec
	if n := testing.AllocsPerRun(100, func() {
		m.Start(1500, now)
		for range 50 {
			if b, ok := m.Due(patience, now); ok && b < 1400 {
				m.Answered(b, now)
			}
			now = max(m.Next(now), now)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
