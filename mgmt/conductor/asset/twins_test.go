package asset

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// A coming is a machine that connects, and whether it may.
type coming struct {
	boot, from string
	after      time.Duration // the one before
	connected  bool
	ok, alarm  bool
}

func TestTwins(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	for name, list := range map[string][]coming{
		"one box that comes again": {
			{"a", "1", 0, false, true, false}, {"a", "1", s, true, true, false}, {"a", "1", s, true, true, false}, {"a", "1", s, true, true, false},
		},
		"a box that starts again and again": {
			{"a", "1", 0, false, true, false}, {"b", "1", m, true, true, false}, {"c", "1", m, true, true, false},
			{"d", "1", m, true, true, false}, {"e", "1", m, true, true, false}, {"f", "1", m, true, true, false},
		},
		"two ways out that take turns": {
			{"a", "1", 0, false, true, false}, {"a", "2", s, true, true, false}, {"a", "1", s, true, true, false},
			{"a", "2", s, true, true, false}, {"a", "1", s, true, true, false},
		},
		"two machines": {
			{"a", "1", 0, false, true, false}, {"b", "2", s, true, true, false}, {"a", "1", s, true, true, false},
			{"b", "2", s, true, false, true},     // a is connected, and stays
			{"a", "1", s, true, true, true},      // comes again
			{"b", "2", 5 * m, true, false, true}, // may not
			{"c", "2", m, true, false, true},     // nor when it started again
			{"a", "3", m, true, true, true},      // a may move
			{"b", "2", 14 * m, true, false, true},
			{"a", "3", 14 * m, true, true, true},
			{"a", "3", 2 * m, true, true, false}, // b is gone
			{"b", "2", m, true, true, false},     // and counts anew
			{"a", "3", s, true, false, true}, {"b", "2", s, true, true, true},
		},
		"the other one ends": {
			{"a", "1", 0, false, true, false}, {"b", "2", s, true, true, false}, {"a", "1", s, true, true, false}, {"b", "2", s, true, false, true},
			{"b", "2", m, false, true, true}, {"a", "1", m, true, false, true},
		},
		"slowly": {
			{"a", "1", 0, false, true, false}, {"b", "2", 2 * h, true, true, false}, {"a", "1", 2 * h, true, true, false},
			{"b", "2", 2 * h, true, true, false}, {"a", "1", 2 * h, true, true, false},
		},
		"without boots, by address": {
			{"", "1", 0, false, true, false}, {"", "2", s, true, true, false}, {"", "1", s, true, true, false}, {"", "2", s, true, true, false},
			{"", "1", s, true, true, false}, {"", "2", s, true, false, true},
		},
		"minions, which are never connected": {
			{"", "1", 0, false, true, false}, {"", "2", s, false, true, false}, {"", "1", s, false, true, false}, {"", "2", s, false, true, false},
			{"", "1", s, false, true, false}, {"", "2", s, false, true, true}, {"", "1", 14 * m, false, true, true},
			{"", "2", 14 * m, false, true, true}, {"", "2", 16 * m, false, true, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, now := Asset{ID: "cpe-1", Verdict: Accepted}, noon
			for i, c := range list {
				now = now.Add(c.after)
				next, ok := a.Connects(c.boot, c.from, now, c.connected)
				if ok != c.ok {
					t.Errorf("%d: may connect: %v, want %v (%+v)", i, ok, c.ok, next.Twins)
				}
				if twins := next.Twins.Active(now); (twins != nil) != c.alarm {
					t.Errorf("%d: twins %+v, alarm wanted: %v", i, twins, c.alarm)
				}
				// Whoever is connected is judged again at any moment: nothing changes by that.
				last := next.Twins.Seen[len(next.Twins.Seen)-1]
				if again, _ := next.Connects(c.boot, "elsewhere", last.At.Add(-time.Minute), true); c.boot != "" && !reflect.DeepEqual(again.Twins, next.Twins) {
					t.Errorf("%d: judged again: %+v, before %+v", i, again.Twins, next.Twins)
				}
				a = next
			}
		})
	}
	a := Asset{ID: "cpe-1", Verdict: Accepted}
	for i, boot := range []string{"a", "b", "a", "b"} {
		a, _ = a.Connects(boot, "192.0.2."+boot, noon.Add(time.Duration(i)*time.Second), true)
	}
	r := NewRow(a, Place{"r", "n"}, []Live{{}})
	r.SetTwins(a.Twins.Active(noon.Add(time.Minute)))
	found := false
	for _, x := range Alarms([]Row{r}) {
		found = found || x.Severity == "critical" && strings.Contains(x.Message, "192.0.2.a and 192.0.2.b")
	}
	if !found || !strings.Contains(r.Errors, "take turns") {
		t.Errorf("%+v", Alarms([]Row{r}))
	}
}
