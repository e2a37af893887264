package event_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"waymark/svr/event"
)

var start = time.Date(2026, 5, 17, 8, 0, 0, 123456789, time.FixedZone("CEST", 7200))

func newLog(events, alarms int) *event.Log {
	return event.New(event.Config{Router: "branch1", Node: "node1", Process: "router", Events: events, Alarms: alarms})
}

func types(records []event.Record) (s []string) {
	for _, r := range records {
		s = append(s, r.Type+" "+r.Source)
	}
	return s
}

func TestLog(t *testing.T) {
	a, b := event.InterfaceDown("a"), event.InterfaceDown("b")
	for _, tc := range []struct {
		name           string
		do             func(l *event.Log)
		active, events []string
	}{
		{"nothing", func(*event.Log) {}, nil, nil},
		{"raised", func(l *event.Log) { l.Raise(start, a) }, []string{"add a"}, []string{"add a"}},
		{"raised twice", func(l *event.Log) { l.Raise(start, a); l.Raise(start, a) }, []string{"add a"}, []string{"add a"}},
		{"cleared", func(l *event.Log) { l.Raise(start, a); l.Clear(start, a.Key) }, nil, []string{"add a", "clear a"}},
		{"cleared twice", func(l *event.Log) { l.Raise(start, a); l.Clear(start, a.Key); l.Clear(start, a.Key) },
			nil, []string{"add a", "clear a"}},
		{"unknown cleared", func(l *event.Log) { l.Clear(start, a.Key) }, nil, nil},
		{"raised again", func(l *event.Log) { l.Raise(start, a); l.Clear(start, a.Key); l.Raise(start, a) },
			[]string{"add a"}, []string{"add a", "clear a", "add a"}},
		{"two in order", func(l *event.Log) { l.Raise(start, b); l.Raise(start, a) },
			[]string{"add b", "add a"}, []string{"add b", "add a"}},
		{"set", func(l *event.Log) { l.Set(start, a, true); l.Set(start, b, false); l.Set(start, a, false) },
			nil, []string{"add a", "clear a"}},
		{"told", func(l *event.Log) {
			l.Tell(start, event.Event{Kind: event.KindSystem, Type: "system.ntp_adjustment", Source: "clock"})
		}, nil, []string{"system.ntp_adjustment clock"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLog(8, 4)
			tc.do(l)
			if got := types(l.Active()); !slices.Equal(got, tc.active) {
				t.Errorf("active %q, want %q", got, tc.active)
			}
			if got := types(l.Events()); !slices.Equal(got, tc.events) {
				t.Errorf("events %q, want %q", got, tc.events)
			}
		})
	}
}

func TestRaiseAnswers(t *testing.T) {
	l := newLog(8, 4)
	first, told := l.Raise(start, event.SessionTable())
	if !told || first.ID != "node1.branch1:1" || first.Alarm != first.ID {
		t.Errorf("first: %+v, %v", first, told)
	}
	again, told := l.Raise(start.Add(time.Hour), event.SessionTable())
	if told || !reflect.DeepEqual(again, first) {
		t.Errorf("again: %+v, %v, want %+v", again, told, first)
	}
	over, told := l.Clear(start.Add(time.Hour), event.SessionTable().Key)
	if !told || over.ID != "node1.branch1:2" || over.Alarm != first.ID || over.Type != event.TypeClear {
		t.Errorf("cleared: %+v, %v", over, told)
	}
}

func TestRingKeepsNewest(t *testing.T) {
	for _, first := range []uint64{0, 1, 1000} {
		l := event.New(event.Config{Router: "r", Node: "n", Events: 4, First: first})
		base := max(first, 1)
		for i := range 10 {
			l.Tell(start, event.Event{Type: fmt.Sprint(i)})
			n := uint64(min(i+1, 4))
			all := l.Events()
			if got := uint64(len(all)); got != n {
				t.Fatalf("%d events after %d, want %d", got, i+1, n)
			}
			if got, want := all[0].Seq, base+uint64(i+1)-n; got != want {
				t.Errorf("oldest %d, want %d", got, want)
			}
			if got, want := all[n-1].ID, fmt.Sprintf("n.r:%d", base+uint64(i)); got != want {
				t.Errorf("newest %q, want %q", got, want)
			}
		}
	}
}

func TestSince(t *testing.T) {
	l := newLog(4, 4)
	for range 10 { // 7 to 10 stay
		l.Tell(start, event.Event{})
	}
	for _, tc := range []struct{ seq, first, n uint64 }{
		{0, 7, 4}, {6, 7, 4}, {7, 8, 3}, {9, 10, 1}, {10, 0, 0}, {99, 0, 0}, {^uint64(0), 0, 0},
	} {
		got := l.Since(tc.seq)
		if uint64(len(got)) != tc.n {
			t.Errorf("Since(%d): %d events, want %d", tc.seq, len(got), tc.n)
		} else if tc.n > 0 && got[0].Seq != tc.first {
			t.Errorf("Since(%d): first %d, want %d", tc.seq, got[0].Seq, tc.first)
		}
	}
}

func TestSnapshotsAreCopies(t *testing.T) {
	l := newLog(2, 2)
	l.Raise(start, event.InterfaceDown("a"))
	events, active := l.Events(), l.Active()
	for range 5 {
		l.Tell(start, event.Event{Source: "x"})
	}
	l.Clear(start, event.InterfaceDown("a").Key)
	if events[0].Source != "a" || active[0].Source != "a" {
		t.Errorf("snapshots changed: %+v %+v", events, active)
	}
}

func TestBounds(t *testing.T) {
	l := newLog(0, 0)
	for i := range 3 * event.DefaultEvents {
		l.Raise(start, event.InterfaceDown(fmt.Sprint(i)))
	}
	want := event.Stats{
		Events: 512, EventCapacity: 1024, Alarms: 512, AlarmCapacity: 512,
		HighestAlarms: 512, Refused: 3*1024 - 512, Told: 512,
	}
	if got := l.Stats(); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	l.Clear(start, event.InterfaceDown("0").Key)
	if _, told := l.Raise(start, event.InterfaceDown("600")); !told {
		t.Error("no room after a clear")
	}
	if got := len(l.Active()); got != 512 {
		t.Errorf("%d active, want 512", got)
	}
}

func TestTextsAreBoundedAndClean(t *testing.T) {
	l := newLog(4, 4)
	r, _ := l.Raise(start, event.PeerUnreachable("x\x1b[2J\n\u202e\xff"+strings.Repeat("é", 10000)))
	if len(r.Message) > 600 || len(r.Source) > 600 {
		t.Errorf("message of %d bytes, source of %d", len(r.Message), len(r.Source))
	}
	if want := "x?[2J???"; !strings.HasPrefix(r.Source, want) {
		t.Errorf("source %q, want it to start with %q", r.Source[:20], want)
	}
}

func TestRecordJSON(t *testing.T) {
	l := newLog(4, 4)
	r, _ := l.Raise(start, event.InterfaceDown("wan"))
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"node1.branch1:1","dateTime":"2026-05-17T06:00:00.123Z","router":"branch1","node":"node1",` +
		`"process":"router","source":"wan","category":"interface","severity":"critical",` +
		`"message":"interface operational down","kind":"alarm","type":"add","alarm":"node1.branch1:1"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var back event.Record
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if back.Seq = r.Seq; !reflect.DeepEqual(back, r) {
		t.Errorf("back %+v, want %+v", back, r)
	}
}

func TestSeverityRank(t *testing.T) {
	order := []event.Severity{event.Critical, event.Major, event.Minor, event.Info, "other"}
	for i, s := range order {
		if got := s.Rank(); got != i {
			t.Errorf("%s: rank %d, want %d", s, got, i)
		}
	}
}
