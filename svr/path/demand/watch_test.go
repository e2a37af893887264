package demand_test

import (
	"slices"
	"testing"

	"waymark/svr/path/demand"
)

const (
	ms   = int64(1e6)
	sec  = int64(1e9)
	idle = 300 * sec
)

// rig is a watch on a fake clock; it records the polls in ms.
type rig struct {
	w       demand.Watch
	now     int64
	rtt     demand.RTT
	polls   []int64
	full    []bool
	answers bool // every poll is answered after a round trip
	answer  []int64
}

func newRig(rtt demand.RTT) *rig {
	r := &rig{now: sec, rtt: rtt}
	r.w.Begin(idle, r.now)
	r.now += ms
	return r
}

// run lets time pass.
func (r *rig) run(d int64) {
	end := r.now + d
	for {
		next := r.w.Next(r.rtt)
		if len(r.answer) > 0 {
			next = min(next, r.answer[0])
		}
		if next > end {
			break
		}
		r.now = max(r.now, next)
		if len(r.answer) > 0 && r.answer[0] <= r.now {
			r.answer = r.answer[1:]
			r.w.Authentic(r.now)
		}
		if poll, full := r.w.Advance(r.now, r.rtt); poll {
			r.polls, r.full = append(r.polls, r.now/ms), append(r.full, full)
			if r.answers {
				r.answer = append(r.answer, r.now+r.rtt.Smooth)
			}
		}
	}
	r.now = end
}

func (r *rig) want(t *testing.T, v demand.Verdict, polls ...int64) {
	t.Helper()
	if r.w.Verdict() != v || !slices.Equal(r.polls, polls) {
		t.Errorf("verdict %v after polls at %v ms, want %v after %v", r.w.Verdict(), r.polls, v, polls)
	}
}

// Polls at 0, 250, 750 ms behind the silence, dead at 1,500 ms and a round trip.
func TestTrafficFindsDeadPath(t *testing.T) {
	for _, row := range []struct {
		name    string
		rtt     demand.RTT
		silence int64
	}{
		{"fast", demand.RTT{Smooth: 20 * ms, Variance: 5 * ms}, 250 * ms},
		{"slow", demand.RTT{Smooth: 150 * ms, Variance: 50 * ms}, 500 * ms},
		{"unknown", demand.RTT{}, 250 * ms},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(row.rtt)
			r.run(10 * sec)
			sent := r.now
			r.w.Traffic(sent, 0, r.now)
			first := (sent + row.silence) / ms
			r.run(row.silence + 1500*ms + row.rtt.Smooth - ms)
			r.want(t, demand.Alive, first, first+250, first+750)
			if !slices.Equal(r.full, []bool{false, true, true}) {
				t.Errorf("full forms: %v", r.full)
			}
			r.run(ms)
			if r.w.Verdict() != demand.Dead || r.now-sent > 2500*ms {
				t.Errorf("verdict %v %d ms after the first packet", r.w.Verdict(), (r.now-sent)/ms)
			}
		})
	}
}

// An answer within five seconds revives at once; later ones find nobody.
func TestRevival(t *testing.T) {
	dead := func() *rig {
		r := newRig(demand.RTT{Smooth: 50 * ms})
		r.w.Traffic(r.now, 0, r.now)
		r.run(2 * sec)
		if r.w.Verdict() != demand.Dead {
			t.Fatal("not dead")
		}
		r.polls = nil
		return r
	}
	r := dead()
	r.run(4 * sec)
	if len(r.polls) != 4 || !r.w.Authentic(r.now) || r.w.Verdict() != demand.Alive {
		t.Errorf("polls of a dead path at %v, verdict %v", r.polls, r.w.Verdict())
	}
	r = dead()
	r.run(5 * sec)
	if r.w.Verdict() != demand.Gone || r.w.On() || r.w.Authentic(r.now) {
		t.Errorf("verdict %v after five seconds, on %v", r.w.Verdict(), r.w.On())
	}
}

func TestQuestions(t *testing.T) {
	rtt := demand.RTT{Smooth: 40 * ms, Variance: 5 * ms}
	for _, row := range []struct {
		name string
		do   func(r *rig)
		min  int
		max  int
	}{
		{"idle: one in five minutes", func(r *rig) { r.run(3600 * sec) }, 11, 12},
		{"answered traffic: one a minute", func(r *rig) {
			for range 36000 {
				r.w.Traffic(r.now, r.now-10*ms, r.now)
				r.run(100 * ms)
			}
		}, 58, 60},
		{"one request that is answered late: one", func(r *rig) {
			r.w.Traffic(r.now, 0, r.now)
			r.run(400 * ms)
			r.w.Traffic(0, r.now, r.now)
			r.run(20 * sec)
		}, 1, 1},
		{"a stream that nobody answers: about one a second", func(r *rig) {
			for range 600 {
				r.w.Traffic(r.now, 0, r.now)
				r.run(100 * ms)
			}
		}, 55, 75},
		{"data answers while asked: the question ends", func(r *rig) {
			r.answers = false
			r.w.Traffic(r.now, 0, r.now)
			r.run(600 * ms) // two polls
			r.w.Traffic(0, r.now, r.now)
			r.run(20 * sec)
		}, 2, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(rtt)
			r.answers = true
			row.do(r)
			if n := len(r.polls); n < row.min || n > row.max || r.w.Verdict() != demand.Alive {
				t.Errorf("%d polls, want %d to %d; verdict %v", n, row.min, row.max, r.w.Verdict())
			}
		})
	}
}

// A path that nobody needs is asked with patience, and in a hurry as soon as
// somebody does.
func TestIdleDeath(t *testing.T) {
	r := newRig(demand.RTT{Smooth: 100 * ms, Variance: 20 * ms})
	r.run(idle + 13*sec)
	r.want(t, demand.Alive, 301_000, 303_000, 307_000)
	r.run(2 * sec)
	if r.w.Verdict() != demand.Dead {
		t.Error("silence for its own sake is never dead")
	}
	r = newRig(demand.RTT{Smooth: 100 * ms, Variance: 20 * ms})
	r.run(idle + sec)
	r.w.Traffic(r.now, 0, r.now)
	r.run(1900 * ms)
	r.want(t, demand.Dead, 301_000, 302_281, 302_531, 303_031, 303_881)
}

// A cut right behind an answer, in a stream that nobody answers, is found within
// three seconds, the time to move included.
func TestOneWayCut(t *testing.T) {
	r := newRig(demand.RTT{Smooth: 150 * ms, Variance: 50 * ms})
	r.answers = true
	for range 100 {
		r.w.Traffic(r.now, 0, r.now)
		r.run(100 * ms)
	}
	r.answers = false
	cut := r.now
	for r.w.Verdict() == demand.Alive {
		r.w.Traffic(r.now, 0, r.now)
		r.run(100 * ms)
	}
	if d := r.now - cut; d > 2700*ms {
		t.Errorf("found after %d ms", d/ms)
	}
}

func TestAllocations(t *testing.T) {
	var w demand.Watch
	w.Begin(idle, sec)
	if n := testing.AllocsPerRun(100, func() {
		w.Traffic(2*sec, sec, 3*sec)
		w.Advance(4*sec, demand.RTT{})
		w.Authentic(5 * sec)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Where a NAT may have forgotten us, an exchange that ends with a packet of ours is
// asked about, once, even if the clock of the session table cannot tell which packet
// was the last; elsewhere it is not.
func TestEager(t *testing.T) {
	for _, eager := range []bool{false, true} {
		r := newRig(demand.RTT{Smooth: 40 * ms, Variance: 5 * ms})
		if r.answers = true; eager {
			r.w.Eager()
		}
		for range 40 {
			r.w.Traffic(r.now, r.now, r.now) // both in one tick
			r.run(50 * ms)
		}
		if len(r.polls) > 0 {
			t.Errorf("eager %v: polls %v while both talk", eager, r.polls)
		}
		last := r.now - 50*ms
		for range 100 { // silence; the table says the same again and again
			r.w.Traffic(last, last, r.now)
			r.run(100 * ms)
		}
		if want := map[bool]int{false: 0, true: 1}[eager]; len(r.polls) != want {
			t.Errorf("eager %v: polls %v, want %d", eager, r.polls, want)
		}
		if eager && r.polls[0] > last/ms+400 {
			t.Errorf("asked %d ms after the last packet", r.polls[0]-last/ms)
		}
	}
}
