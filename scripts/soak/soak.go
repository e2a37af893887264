// Package soak tells timed tests how long they take: `make soak` says so.
package soak

import (
	"os"
	"testing"
	"time"
)

// Time is what SOAK says, without it the time that a test takes among others.
func Time(t testing.TB, short time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv("SOAK")
	if text == "" {
		return short
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("SOAK=%s: not a time such as 90s or 1h", text)
	}
	return d
}

// Within measures what a test promises until it takes no longer than most: one of
// three rounds has to, since other work on the machine comes and goes. Tests that
// measure run beside no other one of their package.
func Within(t testing.TB, what string, most time.Duration, measure func() time.Duration) {
	t.Helper()
	took := most + 1
	for round := 0; round < 3 && took > most && !t.Failed(); round++ {
		took = measure()
		t.Logf("%s %v", what, took.Round(time.Millisecond))
	}
	if took > most {
		t.Errorf("%s %v, want %v at most", what, took, most)
	}
}
