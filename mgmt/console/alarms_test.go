package console_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waymark/mgmt/console"
	"waymark/mgmt/console/cli"
	"waymark/svr/event"
	"waymark/svr/router/eventfile"
)

// told writes the events of init: one alarm that is over, one of before its
// start, one that is active.
func told(t *testing.T, run string) {
	t.Helper()
	f, _, err := eventfile.Open(filepath.Join(run, "init-events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, at := event.New(event.Config{Router: "branch1", Node: "node1", Process: "init"}), time.Now().Add(-2*time.Hour)
	put := func(r event.Record, _ bool) {
		if err := f.Append(r); err != nil {
			t.Error(err)
		}
	}
	put(l.Raise(at, event.Stuck([]string{"old"})))
	put(l.Tell(at, event.Event{Kind: event.KindSystem, Type: "system.started", Category: event.System, Severity: event.Info, Source: "init", Message: "System started"}), true)
	put(l.Raise(at, event.CrashLoop("agent", "exit 1")))
	put(l.Clear(at, event.CrashLoop("agent", "").Key))
	put(l.Raise(time.Now(), event.CrashLoop("router", "signal: killed")))
}

// Alarms and events of init are in the same tables, also while no router runs.
func TestOthersAlarms(t *testing.T) {
	do := func(run, line string) string {
		t.Helper()
		var out bytes.Buffer
		if err := console.Execute(t.Context(), &out, line, console.Options{Run: run}); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		return out.String()
	}
	alone := t.TempDir()
	told(t, alone)
	if out := do(alone, "show alarms"); strings.Count(out, "Process ") != 1 || !strings.Contains(out, "Process router ends again and again") || strings.Contains(out, "old") {
		t.Errorf("without router:\n%s", out)
	}
	both := t.TempDir()
	told(t, both)
	minute := time.Now().UTC().Add(-time.Minute).Format(time.RFC3339)
	row := fmt.Sprintf(`{"router":"branch1","node":"node1","event-type":"add","time":%q,"severity":"major","source":"x","category":"peer","message":"of the router","shelved-status":"not-shelved"}`, minute)
	fakeRouter(t, both, map[string][]string{"alarms": {fmt.Sprintf(`{"id":"a","time":%q,"severity":"major","source":"x","category":"peer","message":"of the router"}`, minute)},
		"events": {row}, "events alarm": {row}})
	if out := do(both, "show alarms"); !strings.Contains(out, "of the router") || strings.Index(out, "of the router") > strings.Index(out, "Process router") {
		t.Errorf("with a router, by time:\n%s", out)
	}
	if out := do(both, "show events"); strings.Count(out, "System started") != 1 || strings.Count(out, "Process agent") != 2 {
		t.Errorf("events:\n%s", out)
	}
	if out := do(both, "show events alarm from 1h"); strings.Contains(out, "Process agent") || strings.Contains(out, "started") || !strings.Contains(out, "Process router") {
		t.Errorf("events of an hour:\n%s", out)
	}
	if out := do(both, "show events from 1d to 30m"); strings.Contains(out, "Process router") || !strings.Contains(out, "Process agent") {
		t.Errorf("events of before:\n%s", out)
	}
	for _, line := range []string{"show events from yesterday", "show events from -1h", "show alarms from 1h"} {
		if err := console.Execute(t.Context(), &bytes.Buffer{}, line, console.Options{Run: both}); err == nil {
			t.Errorf("%s is taken", line)
		}
	}
}

// What cannot be captured is said before anything is opened.
func TestCaptureRefused(t *testing.T) {
	run := t.TempDir()
	for line, want := range map[string]string{
		"capture": "incomplete", "capture lo port": "port", "capture lo tpc": "known are", "capture lo count 0": "count", "capture lo seconds x": "seconds",
		"capture lo file ../x": "file", "capture lo file": "follows", "capture no-such-device": "capture on",
	} {
		err := console.Execute(t.Context(), &bytes.Buffer{}, line, console.Options{Run: run, Level: cli.Admin})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	if err := console.Execute(t.Context(), &bytes.Buffer{}, "capture lo", console.Options{Run: run}); !errors.Is(err, cli.ErrLevel) {
		t.Errorf("an operator: %v", err)
	}
	if list, _ := os.ReadDir(run); len(list) != 0 {
		t.Errorf("left: %v", list)
	}
}
