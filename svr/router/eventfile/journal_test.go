package eventfile

import (
	"log/slog"
	"path/filepath"
	"testing"

	"waymark/svr/event"
)

// A journal goes on with the numbers of the one before, writes what is told and
// nothing else, and takes no offence at events after its end.
func TestJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "events.jsonl")
	config := event.Config{Router: "r", Node: "n", Process: "p"}
	open := func() *Journal {
		t.Helper()
		j, err := OpenJournal(name, config, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	j := open()
	for n, want := range []bool{true, false} {
		if _, told := j.Set(event.NoConnectivity("c"), true); told != want {
			t.Errorf("alarm raised %d times: told %t", n+1, told)
		}
	}
	j.Tell(event.Event{Kind: event.KindSystem, Type: "system.started", Message: "hello"})
	j.Tick()
	active := 0
	j.Look(func(l *event.Log) { active = len(l.Active()) })
	if active != 1 {
		t.Errorf("%d active alarms, want 1", active)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	j.Tell(event.Event{Kind: event.KindSystem, Type: "system.late"})
	j = open()
	j.Tell(event.Event{Kind: event.KindSystem, Type: "system.started"})
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	list := Read(name)
	want := []string{"n.r:1", "n.r:2", "n.r:3"}
	if len(list) != len(want) {
		t.Fatalf("%+v", list)
	}
	for i, r := range list {
		if r.ID != want[i] {
			t.Errorf("record %d is %s, want %s", i, r.ID, want[i])
		}
	}
}
