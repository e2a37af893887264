package slot

import (
	"reflect"
	"strings"
	"testing"

	"waymark/image/build"
)

func rel(version string, counter uint64) *build.Info {
	return &build.Info{Board: "b", Version: version, Counter: counter, TrialSeconds: 60}
}

func pending(note string, boots int) *Pending {
	return &Pending{Slot: "waymark-000002-b.efi", Version: "2.0", Counter: 8, TrialSeconds: 30, Note: note, Boots: boots}
}

func TestSettle(t *testing.T) {
	const a, b = "waymark-000001-a.efi", "waymark-000002-b.efi"
	old, fresh := rel("1.0", 7), rel("2.0", 8)
	for _, row := range []struct {
		name    string
		running string
		files   string
		state   State
		release *build.Info
		want    Decision
		remove  string
	}{
		{"nothing happened", a, a, State{Floor: 7}, old,
			Decision{State: State{Floor: 7}}, ""},
		{"first boot ever", a, a, State{}, old,
			Decision{State: State{Floor: 7}, Changed: true}, ""},
		{"why it was rebooted", a, a, State{Floor: 7, Leaving: "reboot was asked for"}, old,
			Decision{State: State{Floor: 7}, Why: "reboot was asked for", Changed: true}, ""},
		{"first boot of a trial", b, a + " waymark-000002-b+1-1.efi", State{Floor: 7, Pending: pending("", 0), Leaving: "update to 2.0"}, fresh,
			Decision{State: State{Floor: 7, Pending: pending("", 1)}, Trial: true, Why: "update to 2.0", Changed: true}, ""},
		{"second boot of a trial", b, a + " waymark-000002-b+0-2.efi", State{Floor: 7, Pending: pending("it was reset while: x", 1)}, fresh,
			Decision{State: State{Floor: 7, Pending: pending("it was reset while: x", 2)}, Trial: true, Why: "it was reset while: x", Changed: true}, ""},
		{"second boot, the first never came to init", b, a + " waymark-000002-b+0-2.efi", State{Floor: 7, Pending: pending("", 0), Leaving: "update to 2.0"}, fresh,
			Decision{State: State{Floor: 7, Pending: pending("", 1)}, Trial: true, Why: "update to 2.0", Changed: true}, ""},
		{"trial without a state", b, a + " waymark-000002-b+1-1.efi", State{}, fresh,
			Decision{State: State{Pending: &Pending{Slot: b, Version: "2.0", Counter: 8, TrialSeconds: 60, Boots: 1}}, Trial: true, Why: "update", Changed: true}, ""},
		{"trial with the state of another", b, a + " waymark-000002-b+1-1.efi", State{Pending: &Pending{Slot: a, Version: "x", Note: "y"}}, fresh,
			Decision{State: State{Pending: &Pending{Slot: b, Version: "2.0", Counter: 8, TrialSeconds: 60, Boots: 1}}, Trial: true, Why: "update", Changed: true}, ""},
		{"committed", b, a + " " + b, State{Floor: 8}, fresh,
			Decision{State: State{Floor: 8}}, ""},
		{"committed, cut before it was recorded", b, a + " " + b, State{Floor: 7, Pending: pending("it was reset while: x", 1), Refused: &Refused{b, "2.0", 8, "x"}}, fresh,
			Decision{State: State{Floor: 8}, Changed: true}, ""},
		{"rolled back with a note", a, a + " waymark-000002-b+0-2.efi", State{Floor: 7, Pending: pending("no WAN", 1)}, old,
			Decision{State: State{Floor: 7, Refused: &Refused{b, "2.0", 8, "no WAN"}}, Why: "rolled back from 2.0: no WAN", RolledBack: true, Changed: true}, "waymark-000002-b+0-2.efi"},
		{"rolled back, the kernel died", a, a + " waymark-000002-b+0-2.efi", State{Floor: 7, Pending: pending("", 0), Leaving: "update to 2.0"}, old,
			Decision{State: State{Floor: 7, Refused: &Refused{b, "2.0", 8, "it was started 2 times and its init never came to its trial"}}, Why: "rolled back from 2.0: it was started 2 times and its init never came to its trial", RolledBack: true, Changed: true}, "waymark-000002-b+0-2.efi"},
		{"rolled back, init died silently", a, a + " waymark-000002-b+0-2.efi", State{Floor: 7, Pending: pending("", 1)}, old,
			Decision{State: State{Floor: 7, Refused: &Refused{b, "2.0", 8, "init began once and was reset without a word"}}, Why: "rolled back from 2.0: init began once and was reset without a word", RolledBack: true, Changed: true}, "waymark-000002-b+0-2.efi"},
		{"rolled back, state lost", a, a + " waymark-000002-b+0-2.efi", State{}, old,
			Decision{State: State{Floor: 7, Refused: &Refused{Slot: b, Reason: "it failed its trial; the record of it was lost"}}, RolledBack: true, Changed: true}, "waymark-000002-b+0-2.efi"},
		{"cut before the update was activated", a, a, State{Floor: 7, Pending: pending("", 0), Leaving: "update to 2.0"}, old,
			Decision{State: State{Floor: 7}, Why: "an update to 2.0 was interrupted before it was activated", Changed: true}, ""},
		{"the old one was chosen by hand before the trial", a, a + " waymark-000002-b+2.efi", State{Floor: 7, Pending: pending("", 0)}, old,
			Decision{State: State{Floor: 7, Pending: pending("", 0)}}, ""},
		{"two names of one file", b, a + " waymark-000002-b+1-1.efi " + b, State{Floor: 7, Pending: pending("", 1)}, fresh,
			Decision{State: State{Floor: 8}, Changed: true}, "waymark-000002-b+1-1.efi"},
		{"two counters of one file", b, a + " waymark-000002-b+2.efi waymark-000002-b+1-1.efi", State{Floor: 7, Pending: pending("", 0)}, fresh,
			Decision{State: State{Floor: 7, Pending: pending("", 1)}, Trial: true, Why: "update", Changed: true}, "waymark-000002-b+2.efi"},
		{"the disk's older slot is left alone", b, a + " " + b, State{Floor: 9}, fresh,
			Decision{State: State{Floor: 9}}, ""},
	} {
		row.want.Remove = parse(t, strings.Fields(row.remove)...)
		running := parse(t, row.running)[0]
		got := Settle(running, parse(t, strings.Fields(row.files)...), row.state, row.release)
		if !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s:\n%+v %+v\nwant\n%+v %+v", row.name, got, got.State, row.want, row.want.State)
		}
		// A cut between saving and removing: the next boot finds the slots again.
		again := Settle(running, parse(t, strings.Fields(row.files)...), got.State, row.release)
		if !got.Trial && (!reflect.DeepEqual(again.State, got.State) || !reflect.DeepEqual(again.Remove, got.Remove)) {
			t.Errorf("%s, again: %+v %+v", row.name, again, again.State)
		}
	}
}

func TestMissing(t *testing.T) {
	well := Health{Init: true, Router: true, Lanes: true}
	for _, row := range []struct {
		name string
		w    Wanted
		h    Health
		want string
	}{
		{"nothing wanted", Wanted{}, well, ""},
		{"nothing moves", Wanted{}, Health{}, "init made no progress; the router made no progress; the lanes made no progress"},
		{"router hangs", Wanted{}, Health{Init: true, Lanes: true}, "the router made no progress"},
		{"WAN is back", Wanted{WANs: []string{"wan"}}, Health{true, true, true, []string{"lte", "wan"}, false}, ""},
		{"one of two WANs", Wanted{WANs: []string{"wan", "lte"}}, Health{true, true, true, []string{"wan"}, false}, "lte had an address before and has none"},
		{"conductor", Wanted{Conductor: true}, well, "the conductor was not reached"},
		{"conductor reached", Wanted{Conductor: true}, Health{true, true, true, nil, true}, ""},
	} {
		if got := strings.Join(row.w.Missing(row.h), "; "); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}
