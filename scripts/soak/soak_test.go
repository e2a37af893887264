package soak_test

import (
	"testing"
	"time"

	"waymark/scripts/soak"
)

// failed is a test that notes that it was ended.
type failed struct {
	testing.TB
	ended bool
}

func (f *failed) Helper()               {}
func (f *failed) Fatalf(string, ...any) { f.ended = true }
func (f *failed) Errorf(string, ...any) { f.ended = true }
func (f *failed) Failed() bool          { return f.ended }

func TestTime(t *testing.T) {
	for _, c := range []struct {
		soak  string
		want  time.Duration
		fails bool
	}{{"", time.Minute, false}, {"90m", 90 * time.Minute, false}, {"long", 0, true}, {"0s", 0, true}, {"-1h", 0, true}} {
		t.Setenv("SOAK", c.soak)
		f := &failed{TB: t}
		if got := soak.Time(f, time.Minute); f.ended != c.fails || !c.fails && got != c.want {
			t.Errorf("SOAK=%s: %v, ended %v", c.soak, got, f.ended)
		}
	}
}

// One of three rounds has to hold, and no fourth is tried.
func TestWithin(t *testing.T) {
	for _, c := range []struct {
		took  []time.Duration
		fails bool
	}{{[]time.Duration{1}, false}, {[]time.Duration{2}, false}, {[]time.Duration{3, 2}, false}, {[]time.Duration{9, 3, 1}, false}, {[]time.Duration{3, 9, 3}, true}} {
		f, rounds := &failed{TB: t}, 0
		soak.Within(f, "takes", 2, func() time.Duration { rounds++; return c.took[rounds-1] })
		if f.ended != c.fails || rounds != len(c.took) {
			t.Errorf("%v: failed %t, %d rounds", c.took, f.ended, rounds)
		}
	}
}
