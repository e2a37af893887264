package supervise_test

import (
	"testing"
	"time"

	"waymark/image/supervise"
)

var spec = supervise.Spec{Name: "router", MinUptime: 60 * time.Second, Delay: 200 * time.Millisecond,
	MaxDelay: 2 * time.Second, Retries: 3, Rest: 5 * time.Minute}

const sec = time.Second

// One row per story: how long each run lasted, and after each end how long the
// pause is and what is told.
func TestStories(t *testing.T) {
	type step struct {
		ran   time.Duration
		pause time.Duration // until due
		tell  supervise.Change
		phase supervise.Phase
	}
	const none, seen, over = supervise.Nothing, supervise.LoopSeen, supervise.LoopOver
	const waits, loops = supervise.Waiting, supervise.Looping
	for _, row := range []struct {
		name  string
		spec  supervise.Spec
		steps []step
	}{
		{"ends after long runs are mended at once, for ever", spec, []step{
			{time.Hour, 200 * time.Millisecond, none, waits}, {time.Hour, 200 * time.Millisecond, none, waits},
			{60 * sec, 200 * time.Millisecond, none, waits}, {time.Hour, 200 * time.Millisecond, none, waits}}},
		{"early ends: longer pauses, then a loop, then one more try each rest", spec, []step{
			{0, 200 * time.Millisecond, none, waits}, {sec, 400 * time.Millisecond, none, waits}, {sec, 800 * time.Millisecond, none, waits},
			{59 * sec, 5 * time.Minute, seen, loops}, {sec, 5 * time.Minute, none, loops}}},
		{"a long run between forgives", spec, []step{
			{0, 200 * time.Millisecond, none, waits}, {0, 400 * time.Millisecond, none, waits}, {60 * sec, 200 * time.Millisecond, none, waits},
			{0, 200 * time.Millisecond, none, waits}}},
		{"a loop is over after a long run", spec, []step{
			{0, 200 * time.Millisecond, none, waits}, {0, 400 * time.Millisecond, none, waits}, {0, 800 * time.Millisecond, none, waits},
			{0, 5 * time.Minute, seen, loops}, {time.Hour, 200 * time.Millisecond, over, waits}, {0, 200 * time.Millisecond, none, waits}}},
		{"pauses end at the longest", supervise.Spec{MinUptime: sec, Delay: sec, MaxDelay: 3 * sec, Retries: 9}, []step{
			{0, sec, none, waits}, {0, 2 * sec, none, waits}, {0, 3 * sec, none, waits}, {0, 3 * sec, none, waits}}},
	} {
		now := 3 * sec
		s := supervise.New(row.spec, now)
		for i, step := range row.steps {
			if !s.Due(now) {
				t.Fatalf("%s, %d: not due", row.name, i)
			}
			s.Started(now)
			now += step.ran
			tell := s.Ended(now, "signal: killed")
			at, ok := s.Wake()
			if tell != step.tell || s.State().Phase != step.phase || !ok || at-now != step.pause {
				t.Errorf("%s, %d: told %d, %s, next start in %v (%t); want %+v", row.name, i, tell, s.State().Phase, at-now, ok, step)
			}
			if s.Due(at - 1) {
				t.Errorf("%s, %d: due too early", row.name, i)
			}
			now = at
		}
		if n := s.State().Starts; n != len(row.steps) {
			t.Errorf("%s: %d starts", row.name, n)
		}
	}
}

// While it runs, the alarm of a loop ends when the run has lasted.
func TestSteady(t *testing.T) {
	s := supervise.New(supervise.Spec{MinUptime: sec, Retries: 0, Rest: sec}, 0)
	s.Started(0)
	if s.Ended(0, "x") != supervise.LoopSeen || s.Due(sec-1) || !s.Due(sec) {
		t.Error("one early end with no retries is no loop")
	}
	s.Started(sec)
	if at, ok := s.Wake(); !ok || at != 2*sec {
		t.Errorf("looks again at %v, %t", at, ok)
	}
	if s.Steady(2*sec-1) != supervise.Nothing || s.Steady(2*sec) != supervise.LoopOver || s.Steady(9*sec) != supervise.Nothing {
		t.Error("the loop is not over, or twice")
	}
	if _, ok := s.Wake(); ok {
		t.Error("a steady service wakes the box")
	}
}

func TestNeverAgain(t *testing.T) {
	s := supervise.New(supervise.Spec{MinUptime: sec}, 0)
	s.Started(0)
	s.Ended(0, "x")
	if _, ok := s.Wake(); ok || s.Due(1000*sec) {
		t.Error("a loop without rest is tried again")
	}
	s = supervise.New(spec, 0)
	s.Disable()
	if _, ok := s.Wake(); ok || s.Due(sec) || s.Ended(sec, "x") != supervise.Nothing {
		t.Error("a disabled service moves")
	}
	s.Enable(2 * sec)
	if !s.Due(2 * sec) {
		t.Error("an enabled service is not due")
	}
}

// What waits for others to come up first is not late after them, and waits for
// none for ever.
func TestHasten(t *testing.T) {
	s := supervise.New(spec, 30*sec)
	if at, ok := s.Wake(); !ok || at != 30*sec || s.Due(sec) {
		t.Errorf("due at %v, %t", at, ok)
	}
	s.Hasten(5 * sec)
	if s.Due(4*sec) || !s.Due(5*sec) {
		t.Error("not due when all is well")
	}
	s.Hasten(9 * sec)
	if !s.Due(5 * sec) {
		t.Error("put off")
	}
	s.Started(5 * sec)
	s.Ended(5*sec, "x")
	at, _ := s.Wake()
	if s.Hasten(0); s.Due(at - 1) {
		t.Error("the pause behind an early end is cut short")
	}
	s.Disable()
	if s.Hasten(0); s.Due(1000 * sec) {
		t.Error("a disabled service is due")
	}
}
