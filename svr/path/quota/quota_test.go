package quota_test

import (
	"testing"
	"time"

	"waymark/svr/path/quota"
)

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestTake(t *testing.T) {
	type step struct {
		when     string
		boot     string
		dev      int
		rx, tx   uint64
		month    string
		sum      uint64
		whatever string
	}
	var u quota.Use
	for _, s := range []step{
		{"2026-01-10 12:00", "a", 3, 5000, 1000, "2026-01", 0, "what was before the first reading is nobody's"},
		{"2026-01-10 12:01", "a", 3, 5600, 1100, "2026-01", 700, ""},
		{"2026-01-10 12:01", "a", 3, 5600, 1100, "2026-01", 700, "the same again"},
		{"2026-01-11 00:00", "b", 2, 300, 50, "2026-01", 1050, "a reboot: counters from 0"},
		{"2026-01-11 00:01", "b", 9, 10, 10, "2026-01", 1070, "the modem came anew"},
		{"2026-01-11 00:02", "b", 9, 4, 11, "2026-01", 1085, "counters were reset"},
		{"1970-01-01 00:00", "c", 1, 100, 0, "2026-01", 1185, "no clock yet"},
		{"2026-01-31 23:59", "c", 1, 100, 0, "2026-01", 1185, ""},
		{"2026-02-01 00:00", "c", 1, 107, 0, "2026-02", 7, "another month"},
		{"2026-01-31 23:59", "c", 1, 108, 0, "2026-02", 8, "the clock went back"},
	} {
		u.Take(quota.Reading{Boot: s.boot, Device: s.dev, Rx: s.rx, Tx: s.tx}, 1, at(s.when))
		if u.Month != s.month || u.Total() != s.sum {
			t.Fatalf("%s (%s): month %s, %d bytes; want %s, %d", s.when, s.whatever, u.Month, u.Total(), s.month, s.sum)
		}
	}
}

// The month of billing begins on the day of the contract.
func TestDay(t *testing.T) {
	for when, want := range map[string]string{
		"2026-03-14 23:59": "2026-02", "2026-03-15 00:00": "2026-03", "2026-01-01 00:00": "2025-12",
	} {
		var u quota.Use
		u.Take(quota.Reading{Boot: "a"}, 15, at(when))
		if u.Month != want {
			t.Errorf("%s: %s, want %s", when, u.Month, want)
		}
	}
}

func TestReached(t *testing.T) {
	u := quota.Use{Rx: 700, Tx: 100}
	for _, row := range []struct {
		percent int
		quota   uint64
		want    bool
	}{{80, 1000, true}, {80, 1001, false}, {95, 1000, false}, {80, 0, false}, {80, 1 << 60, false}} {
		if got := u.Reached(row.percent, row.quota); got != row.want {
			t.Errorf("%d %% of %d: %v", row.percent, row.quota, got)
		}
	}
}

// What is written is bounded in rate, and what a power cut costs in bytes.
func TestWorth(t *testing.T) {
	old := quota.Use{Month: "2026-01", Rx: 100}
	for _, row := range []struct {
		more  uint64
		month string
		since time.Duration
		want  bool
	}{
		{0, "2026-01", time.Hour, false}, {1, "2026-01", time.Minute, false}, {1, "2026-01", 10 * time.Minute, true},
		{1 << 20, "2026-01", 9 * time.Second, false}, {1 << 20, "2026-01", 10 * time.Second, true}, {0, "2026-02", 0, true},
	} {
		u := quota.Use{Month: row.month, Rx: old.Rx + row.more}
		if got := u.Worth(&old, row.since); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
}
