package slot

import (
	"strings"
	"testing"
	"time"
)

// A trial is a line of health, second by second from boot: . healthy, x not. The
// verdict comes at the second it is expected.
func TestTrial(t *testing.T) {
	for _, row := range []struct {
		name  string
		limit time.Duration // settles in a tenth
		line  string
		want  Verdict
		at    int // second
	}{
		{"healthy from the start", 30 * time.Second, "..........", Commit, 3},
		{"healthy later", 30 * time.Second, "xxxxx......", Commit, 8},
		{"healthy for a moment", 30 * time.Second, "..x..x..x....", Commit, 12},
		{"still waiting", 30 * time.Second, "xxxxxxxxxx", Wait, 9},
		{"never healthy", 10 * time.Second, "xxxxxxxxxxx", GiveUp, 10},
		{"healthy at the end, but not for long", 30 * time.Second, strings.Repeat("x", 28) + "...", GiveUp, 30},
		{"healthy just in time", 30 * time.Second, strings.Repeat("x", 27) + "....", Commit, 30},
		{"shortest trial", time.Second, ".", Wait, 0},
		{"shortest trial, healthy", time.Second, "..", Commit, 1},
	} {
		trial := Trial{Limit: row.limit}
		got, at := Wait, 0
		for s, c := range row.line {
			var missing []string
			if c == 'x' {
				missing = []string{"no WAN"}
			}
			got, _ = trial.Step(time.Duration(s)*time.Second, missing)
			if at = s; got != Wait {
				break
			}
		}
		if got != row.want || at != row.at {
			t.Errorf("%s: verdict %d at %d s, want %d at %d s", row.name, got, at, row.want, row.at)
		}
	}
	late := Trial{Limit: time.Second}
	if v, why := late.Step(2*time.Second, []string{"a", "b"}); v != GiveUp || why != "a; b" {
		t.Errorf("%d %q", v, why)
	}
}
