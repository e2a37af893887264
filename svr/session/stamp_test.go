package session

import (
	"math"
	"testing"
	"unsafe"
)

// A stamp reads back as it was, whatever the clock of the machine shows, until
// it is 49 days old.
func TestStamp(t *testing.T) {
	const day = 86400 * second
	for _, now := range []int64{1, second, 49 * day, 50 * day, 365 * day, 20 * 365 * day, 1<<32*1e6 - 1, 1 << 32 * 1e6} {
		for _, away := range []int64{0, 1, 200e6, 10 * second, 14 * 60 * second, -1, -1e6, -day, -49 * day} {
			at := now + away
			if at < 1 {
				continue
			}
			s := stampOf(at)
			if s == 0 {
				t.Fatalf("stamp of %d is none", at)
			}
			if got := s.time(now); got < at || got-at > 2e6 {
				t.Errorf("at %d, a stamp %d ns away reads %d ns away", now, away, got-now)
			}
		}
	}
}

// The short ones read back as they were as long as they promise.
func TestTickAndBeat(t *testing.T) {
	const day = 86400 * second
	for _, now := range []int64{1, second, 65 * second, 30 * 60 * second, 49*day + 1, 20 * 365 * day, 65536*1e6 - 1, 65536 * 1e6} {
		for _, away := range []int64{0, 1, 200e6, 8 * second, -1, -1e6, -10 * second, -57 * second} {
			if at := now + away; at >= 0 {
				if got := tickOf(at).time(now); tickOf(at) == 0 || got < at || got-at > 2*tickUnit {
					t.Errorf("at %d, a tick %d ns away reads %d ns away", now, away, got-now)
				}
			}
		}
		for _, away := range []int64{0, -1, -50e6, -2 * second, -longestBeat} {
			if at := now + away; at >= 0 {
				if got := beatOf(at).time(now); beatOf(at) == 0 || got < at || got-at > 2*beatUnit {
					t.Errorf("at %d, a beat %d ns away reads %d ns away", now, away, got-now)
				}
			}
		}
	}
}

func TestAge(t *testing.T) {
	const year = 365 * 86400 * second
	for _, now := range []int64{1, second, year, 20 * year, math.MaxInt64 / 2} {
		for _, ago := range []int64{0, 1, second, 86400 * second, year} {
			at := now - ago
			if at < 0 {
				continue
			}
			if got := ageOf(at).time(now); got < at || got-at >= 1<<ageShift {
				t.Errorf("at %d, a session %d ns old reads %d ns old", now, ago, now-got)
			}
		}
	}
}

// The record is what a session costs beside its slots.
func TestRecordSize(t *testing.T) {
	if got, most := unsafe.Sizeof(record{}), uintptr(128); got > most {
		t.Errorf("a record has %d bytes, want %d at most", got, most)
	}
}
