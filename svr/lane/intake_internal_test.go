package lane

import "testing"

// ms is a millisecond of the loop's clock.
const ms = int64(1e6)

// laneOf is a lane with a port that receives, interface 1, and one that only sends, 2.
func laneOf() (*Lane, *Port, *Port) {
	l := &Lane{now: 5000 * ms, cfg: Config{Feeds: make([]Feed, 1)}}
	in, out := &Port{ring: &ring{}}, &Port{}
	l.byID = []*iface{nil, {port: in}, {port: out}}
	l.shared.Store(&l.byID)
	l.awake.Store(l.now)
	return l, in, out
}

// A loss counts if it is of note, and for a while; what is late counts as long as it
// is; each for the interfaces that it concerns.
func TestBehind(t *testing.T) {
	for _, c := range []struct {
		name    string
		is      func(l *Lane, in, out *Port)
		in, out bool // who is behind
	}{
		{"nothing", func(*Lane, *Port, *Port) {}, false, false},
		{"little is lost", func(l *Lane, in, _ *Port) { in.own.weigh(10, 1000, l.now) }, false, false},
		{"much is lost", func(l *Lane, in, _ *Port) { in.own.weigh(100, 1000, l.now) }, true, false},
		{"all is lost", func(l *Lane, in, _ *Port) { in.own.weigh(1, 0, l.now) }, true, false},
		{"what was lost before is not lost again", func(l *Lane, in, _ *Port) {
			in.own.weigh(100, 1000, l.now-3000*ms)
			in.own.weigh(100, 1001, l.now)
		}, false, false},
		{"much was lost a second ago", func(l *Lane, in, _ *Port) { in.own.weigh(100, 1000, l.now-1000*ms) }, true, false},
		{"what leaves is lost", func(l *Lane, _, out *Port) { out.own.weigh(100, 1000, l.now) }, false, true},
		{"a feed's queue may have been full", func(l *Lane, _, _ *Port) {
			for range feedQueue {
				l.fed.takes(1, l.now)
			}
		}, false, true},
		{"a feed is busy", func(l *Lane, _, _ *Port) {
			for i := range 10 * feedQueue {
				l.fed.takes(i%10, l.now)
			}
		}, false, false},
		{"the loop stands still", func(l *Lane, _, _ *Port) { l.awake.Store(l.now - 200*ms) }, true, true},
		{"the loop is behind at one", func(l *Lane, _, _ *Port) {
			l.awake.Store(l.now - 200*ms)
			l.fed.takes(0, l.now-50*ms)
		}, true, false},
		{"the loop sleeps", func(l *Lane, _, _ *Port) { l.awake.Store(0) }, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, in, out := laneOf()
			in.own.empty(l.now - 150*ms)
			l.fed.takes(0, l.now-150*ms)
			c.is(l, in, out)
			if a, b := l.Behind(1, l.now), l.Behind(2, l.now); a != c.in || b != c.out {
				t.Errorf("behind: %t and %t, want %t and %t", a, b, c.in, c.out)
			}
			if l.Behind(0, l.now) || l.Behind(3, l.now) {
				t.Error("an interface that is not there is behind")
			}
		})
	}
}

// Seen is exact, and 0 while much is lost.
func TestSeen(t *testing.T) {
	l, in, out := laneOf()
	in.own.empty(l.now - 3*ms)
	l.fed.takes(0, l.now-5*ms)
	if a, b := l.Seen(1), l.Seen(2); a != l.now-3*ms || b != l.now-5*ms {
		t.Errorf("seen %d and %d", a, b)
	}
	in.own.weigh(1, 1, l.now)
	out.own.weigh(1, 1, l.now)
	if a, b := l.Seen(1), l.Seen(2); a != 0 || b != 0 {
		t.Errorf("seen %d and %d of what is lost", a, b)
	}
	if n := testing.AllocsPerRun(100, func() { l.Behind(1, l.now); l.Seen(2); in.own.empty(l.now) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
