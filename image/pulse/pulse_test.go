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

// The lanes of a router are judged by themselves, but not while the router, by
// whom they speak, says nothing.
func TestParts(t *testing.T) {
	const s = time.Second
	whole, part := pulse.Limits{Start: 60 * s, Silence: 10 * s}, pulse.Limits{Start: 60 * s, Silence: 10 * s, Of: "router"}
	var j pulse.Judge
	late := func(at time.Duration, want ...string) {
		t.Helper()
		if got := j.Late(at); !slices.Equal(got, want) {
			t.Errorf("at %v: %q late, want %q", at, got, want)
		}
	}
	j.Expect("router", whole, 0)
	j.Expect("service lane", part, 0)
	if !j.Expected("service lane") || j.Expected("fast lane") {
		t.Error("who is expected?")
	}
	j.Expect("fast lane", part, 0)
	for at := range 5 * s / s {
		for _, name := range []string{"router", "service lane", "fast lane"} {
			j.Progress(name, at*s)
		}
	}
	late(13 * s)
	late(14*s, "router") // it hangs with all its parts
	for at := 15 * s; at < 30*s; at += s {
		j.Progress("router", at)
		j.Progress("service lane", at)
	}
	late(30*s, "fast lane") // detached
	for at := 30 * s; at < 45*s; at += s {
		j.Progress("router", at)
		j.Progress("fast lane", at)
	}
	late(45*s, "service lane") // stands still
	for at := 45 * s; at < 60*s; at += s {
		j.Progress("service lane", at) // its answers come, its reconciler's do not
		j.Progress("fast lane", at)
	}
	late(60*s, "router")
	j.Excuse("router")
	late(1000 * s)
}
