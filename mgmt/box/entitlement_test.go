package box

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestEntitlement(t *testing.T) {
	run := t.TempDir()
	if rows, err := Entitlement(run, time.Now()); err != nil || len(rows) != 0 {
		t.Errorf("without an agent: %s, %v", rows, err)
	}
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	var list []Month
	for i, s := range []struct {
		at   time.Time
		bits uint64
		peak bool
	}{
		{at.AddDate(0, -7, 0), 11_940_000, true}, {at, 5_000_000, true}, {at, 4_000_000, false}, {at.Add(time.Hour), 6_543_210, true},
	} {
		var more bool
		if list, more = Note(list, "branch1", s.at, s.bits); more != s.peak {
			t.Errorf("sample %d: new peak %v", i, more)
		}
	}
	file := filepath.Join(run, EntitlementFile)
	if err := WriteEntitlement(file, append(list, Month{"branch1", "yesterday", 1})); err != nil {
		t.Fatal(err)
	}
	rows, err := Entitlement(run, at)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%s, %v", rows, err)
	}
	for i, want := range []string{"branch1 | Apr 2026 | 11.94 Mbps", "branch1 | *Nov 2026 | 6.54 Mbps"} {
		var r map[string]any
		if err := json.Unmarshal(rows[i], &r); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r["project"], " | ", r["month"], " | ", r["entitlement-utilized"]); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for i := range 40 {
		list, _ = Note(list, "branch1", at.AddDate(0, i, 0), 1e6)
	}
	if len(list) != MaxMonths || list[MaxMonths-1].Month != "2030-02" {
		t.Errorf("%d months, the last %+v", len(list), list[len(list)-1])
	}
	if err := os.WriteFile(file, []byte(`[{"month":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Entitlement(run, at); err == nil {
		t.Error("half a file is read")
	}
}
