package event_test

import (
	"math"
	"testing"

	"waymark/svr/event"
)

func TestLevel(t *testing.T) {
	const none, add, over = "", event.TypeAdd, event.TypeClear
	type step struct {
		used, capacity uint64
		want           string
	}
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"hysteresis", []step{{899, 1000, none}, {900, 1000, add}, {1000, 1000, none}, {801, 1000, none},
			{899, 1000, none}, {950, 1000, none}, {800, 1000, over}, {899, 1000, none}, {900, 1000, add}}},
		{"tiny pool", []step{{0, 1, none}, {1, 1, add}, {0, 1, over}}},
		{"ten", []step{{8, 10, none}, {9, 10, add}, {8, 10, over}}},
		{"odd capacity", []step{{6, 7, none}, {7, 7, add}, {6, 7, none}, {5, 7, over}}},
		{"no pool", []step{{0, 0, none}, {5, 0, none}}},
		{"pool gone", []step{{9, 9, add}, {0, 0, over}}},
		{"no overflow", []step{{math.MaxUint64, math.MaxUint64, add}, {math.MaxUint64 / 5 * 4, math.MaxUint64, over}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLog(64, 4)
			for i, s := range tc.steps {
				r, told := l.Level(start, event.SessionTable(), s.used, s.capacity)
				if !told {
					r.Type = none
				}
				if r.Type != s.want {
					t.Errorf("step %d (%d of %d): %q, want %q", i, s.used, s.capacity, r.Type, s.want)
				}
			}
		})
	}
}

func TestCatalogue(t *testing.T) {
	path := event.PeerPath{Peer: "seattlesite1", Destination: "10.0.128.0", Node: "datacenter1", DeviceInterface: "1"}
	for _, tc := range []struct {
		got                          event.Alarm
		category                     event.Category
		severity                     event.Severity
		source, eventSource, message string
	}{
		{event.SessionTable(), event.Platform, event.Major, "session-table", "", "flow table limit exceeded"},
		{event.WaypointPool("hub1", "fiber"), event.Platform, event.Major, "hub1 fiber", "",
			"waypoint pool utilization exceeded (PeerName: hub1 | NetworkInterface: fiber)"},
		{event.InterfaceDown("lte"), event.Interface, event.Critical, "lte", "", "interface operational down"},
		{event.InterfaceAdminDown("lte"), event.Interface, event.Info, "lte", "", "interface administratively down"},
		{event.PeerPathDown(path), event.Peer, event.Major, "If - 1 | Destination - 10.0.128.0 | Vlan - 0",
			"seattlesite1+10.0.128.0+datacenter1+1+0",
			"Peer seattlesite1 path is down (PeerName: seattlesite1 | Destination: 10.0.128.0 | NodeName: datacenter1 | DeviceInterface: 1 | Vlan: 0)"},
		{event.PeerUnreachable("hub1"), event.Peer, event.Critical, "hub1", "", "Peer hub1 is not reachable"},
	} {
		want := event.Alarm{Category: tc.category, Severity: tc.severity, Source: tc.source,
			EventSource: tc.eventSource, Message: tc.message, Key: tc.got.Key}
		if tc.got != want || want.Key == "" {
			t.Errorf("got  %+v\nwant %+v", tc.got, want)
		}
	}
}

// TestEventSource holds that the alarm and its events name their own sources.
func TestEventSource(t *testing.T) {
	l := newLog(8, 8)
	a := event.PeerPathDown(event.PeerPath{Peer: "hub1", Destination: "198.51.100.2", Node: "node1", DeviceInterface: "fiber"})
	l.Raise(start, a)
	if got := l.Active()[0].Source; got != a.Source {
		t.Errorf("active source %q, want %q", got, a.Source)
	}
	l.Clear(start, a.Key)
	for _, r := range l.Events() {
		if r.Source != a.EventSource {
			t.Errorf("%s: source %q, want %q", r.Type, r.Source, a.EventSource)
		}
	}
}

func TestKeysDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range []event.Alarm{
		event.SessionTable(), event.InterfaceDown("a"), event.InterfaceAdminDown("a"), event.PeerUnreachable("a"),
		event.WaypointPool("a", "b c"), event.WaypointPool("a b", "c"),
		event.PeerPathDown(event.PeerPath{Peer: "a"}), event.PeerPathDown(event.PeerPath{Peer: "a", Vlan: 1}),
		event.PeerPathDown(event.PeerPath{Peer: "a", Node: "n"}), event.PeerPathDown(event.PeerPath{Peer: "a", DeviceInterface: "n"}),
	} {
		if seen[a.Key] {
			t.Errorf("key %q twice", a.Key)
		}
		seen[a.Key] = true
	}
}
