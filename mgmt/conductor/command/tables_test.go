package command

import (
	"strings"
	"testing"

	"waymark/mgmt/conductor/registry"
)

// Tables have the vendor's columns; what is hidden is counted.
func TestTables(t *testing.T) {
	at := "2026-11-27T12:00:00Z"
	alarm := registry.AlarmRow{ID: "node1.branch1:4", Time: &at, Severity: "major", Source: "If - lte", Category: "peer", Message: "Peer hub1 path is down", Shelf: "links"}
	for name, row := range map[string]struct {
		answer any
		want   []string // words of lines, in order
	}{
		"alarms": {Alarms{[]registry.AlarmRow{alarm}, 3}, []string{"ID Time Severity Source Category Message",
			"node1.branch1:4 2026-11-27T12:00:00Z major If - lte peer Peer hub1 path is down", "There are 3 shelved alarms"}},
		"none": {Alarms{}, []string{"ID Time Severity Source Category Message", "There are 0 shelved alarms"}},
		"shelved": {ShelvedAlarms{alarm}, []string{"ID Time Severity Source Category Message Reason",
			"node1.branch1:4 2026-11-27T12:00:00Z major If - lte peer Peer hub1 path is down links"}},
		"entitlement": {[]registry.EntitlementRow{{Project: "branch1", Month: "2026-10", Mbps: 11.94}, {Project: "branch1", Month: "2026-11", Current: true, Mbps: 3}},
			[]string{"Project Month Entitlement Utilized", "branch1 Oct 2026 11.94 Mbps", "branch1 *Nov 2026 3.00 Mbps"}},
		"days": {[]registry.DayRow{{Project: "branch1", Day: "2026-11-27", Mbps: 0.5}}, []string{"Project Day Entitlement Utilized", "branch1 2026-11-27 0.50 Mbps"}},
	} {
		text, err := render(row.answer, false)
		var got []string
		for line := range strings.Lines(string(text)) {
			got = append(got, strings.Join(strings.Fields(line), " "))
		}
		if err != nil || len(got) < 1 || strings.Join(got[1:], "\n") != strings.Join(row.want, "\n") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}
