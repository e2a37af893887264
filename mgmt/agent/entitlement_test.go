package agent

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"waymark/mgmt/box"
	"waymark/mgmt/uplink/outbox"
	"waymark/mgmt/uplink/queue"
)

// The peak of the samples is told at once and kept over a restart; a counter that
// begins anew and what an idle box makes count for nothing.
func TestEntitlement(t *testing.T) {
	set := &Settings{RunDir: t.TempDir(), StateDir: t.TempDir()}
	q, err := queue.Open(filepath.Join(set.StateDir, "state", "events"), queue.Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	a := &uplinks{set: set, log: slog.New(slog.DiscardHandler), board: outbox.NewBoard(q)}
	now := time.Date(2026, 11, 27, 12, 0, 1, 0, time.UTC)
	e := newEntitlement(a, now)
	told := func() uint64 {
		t.Helper()
		list, err := box.ReadEntitlement(filepath.Join(set.RunDir, box.EntitlementFile))
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return 0
		}
		return list[len(list)-1].Peak
	}
	for i, s := range []struct {
		total, want uint64
	}{
		{1000, 0}, {2000, 0}, {627_000, 1_000_000}, {628_000, 1_000_000}, {1878_000, 2_000_000}, {5, 2_000_000}, {10, 2_000_000},
	} {
		e.sampled(now.Add(time.Duration(i)*sampleEvery), s.total, "branch1")
		if got := told(); got != s.want {
			t.Errorf("sample %d: %d bit/s told, want %d", i, got, s.want)
		}
	}
	if a.board.Wake() {
		t.Error("a sample before its period ended")
	}
	e.period(now.Add(samplePeriod), "branch1")
	if list, err := box.ReadEntitlement(e.state); err != nil || len(list) != 1 || list[0].Peak != 2_000_000 {
		t.Errorf("kept: %+v, %v", list, err)
	}
	if again := newEntitlement(a, now.Add(time.Hour)); len(again.months) != 1 || told() != 2_000_000 {
		t.Errorf("after a restart: %+v", again.months)
	}
}
