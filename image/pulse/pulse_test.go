package pulse_test

import (
	"slices"
	"testing"
	"time"

	"waymark/image/pulse"
)

func TestLate(t *testing.T) {
	const s = time.Second
	l := pulse.Limits{Start: 60 * s, Silence: 10 * s}
	var j pulse.Judge
	late := func(at time.Duration, want ...string) {
		t.Helper()
		if got := j.Late(at); !slices.Equal(got, want) {
			t.Errorf("at %v: %q late, want %q", at, got, want)
		}
	}
	late(1000 * s) // nobody is watched
	j.Progress("router", 0)
	late(1000 * s) // still nobody
	j.Expect("router", l, 0)
	j.Expect("lane", l, 5*s)
	late(59 * s)
	late(60*s, "router")
	late(70*s, "lane", "router")
	j.Progress("router", 70*s) // late, but alive: the dog is fed again
	late(70*s, "lane")
	j.Progress("lane", 71*s)
	late(79 * s)
	late(80*s, "router")
	j.Excuse("router")
	late(80 * s)
	late(81*s, "lane")
	j.Expect("lane", l, 81*s) // started anew: it has its time again
	late(140 * s)
	late(141*s, "lane")
}
