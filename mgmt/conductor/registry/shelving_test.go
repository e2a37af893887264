package registry

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/uplink"
	"waymark/svr/event"
)

// shelved is the example with shelves, and maintenance of the branch.
func shelved(t *testing.T, maintenance bool, shelves ...map[string]any) []byte {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(acme(t), &tree); err != nil {
		t.Fatal(err)
	}
	a := tree["authority"].(map[string]any)
	for i, s := range shelves {
		s["name"] = fmt.Sprint("shelf", i)
	}
	if len(shelves) > 0 {
		a["alarm-shelving"] = map[string]any{"shelf": shelves}
	}
	if maintenance {
		for _, r := range a["router"].([]any) {
			if r := r.(map[string]any); r["name"] == "branch1" {
				r["maintenance-mode"] = true
			}
		}
	}
	b, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What the configuration shelves is hidden at once, counted apart, and comes back;
// alarms about boxes are judged like those that boxes tell, and a box's own word
// counts only where the configuration has none.
func TestShelving(t *testing.T) {
	type rule = map[string]any
	const lte, disk, lost, hubLost = "Peer hub1 path is down", "disk is full", "No connectivity to branch1.node1", "No connectivity to hub1.node1"
	for name, row := range map[string]struct {
		maintenance bool
		shelves     []rule
		hidden      string // messages, and why
	}{
		"nothing":                 {false, nil, "stray: box"},
		"router":                  {false, []rule{{"router-name": "branch1"}}, "Peer hub1 path is down: shelf0, No connectivity to branch1.node1: shelf0, stray: box"},
		"router by expression":    {false, []rule{{"router-name-regex": "^hub"}}, "disk is full: shelf0, No connectivity to hub1.node1: shelf0, stray: box"},
		"category":                {false, []rule{{"category": "peer"}}, "Peer hub1 path is down: shelf0, stray: box"},
		"severity":                {false, []rule{{"severity": "minor"}}, "disk is full: shelf0, stray: box"},
		"message":                 {false, []rule{{"message-regex": "connectivity"}}, "No connectivity to branch1.node1: shelf0, No connectivity to hub1.node1: shelf0, stray: box"},
		"all fields":              {false, []rule{{"category": "peer", "severity": "minor"}}, "stray: box"},
		"any field":               {false, []rule{{"category": "peer", "severity": "minor", "match-type": "any"}}, "Peer hub1 path is down: shelf0, disk is full: shelf0, stray: box"},
		"the second":              {false, []rule{{"message-regex": "nothing"}, {"category": "peer"}}, "Peer hub1 path is down: shelf1, stray: box"},
		"one router looks":        {false, []rule{{"message-regex": ".", "applies-to": []any{rule{"type": "router", "router-name": []any{"hub1"}}}}}, "disk is full: shelf0, No connectivity to hub1.node1: shelf0, stray: box"},
		"maintenance":             {true, nil, "Peer hub1 path is down: maintenance-mode, No connectivity to branch1.node1: maintenance-mode, stray: box"},
		"maintenance and a shelf": {true, []rule{{"severity": "minor"}}, "Peer hub1 path is down: maintenance-mode, disk is full: shelf0, No connectivity to branch1.node1: maintenance-mode, stray: box"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRegistry(t)
			told := func(id, router, category, severity, message, shelf string) {
				t.Helper()
				if _, _, err := g.Claim(t.Context(), asset.Claim{ID: id, Channel: asset.Uplink, Finger: id, Now: time.Now()}); err != nil {
					t.Fatal(err)
				}
				e := uplink.Event{Seq: 1, Alarm: 1, Record: event.Record{ID: "n:1", Type: event.TypeAdd, Router: router, Node: "node1", Time: time.Now(),
					Category: event.Category(category), Severity: event.Severity(severity), Message: message, Shelf: shelf}}
				if err := g.TakeEvents(t.Context(), id, &uplink.Events{Epoch: strings.Repeat("0", 32), Events: []uplink.Event{e}}); err != nil {
					t.Fatal(err)
				}
			}
			told(branch, "branch1", "peer", "major", lte, "box") // the box has another configuration still
			told(hub, "hub1", "platform", "minor", disk, "")
			told("stray", "elsewhere", "system", "major", "stray", "box")
			for _, id := range []string{branch, hub} {
				if err := g.Change(t.Context(), id, func(a asset.Asset) (asset.Asset, error) { return a.Tell(uplink.Facts{Software: "1"}), nil }); err != nil {
					t.Fatal(err)
				}
			}
			counts := func() (seen, hidden int, text string) {
				t.Helper()
				all, err := g.Alarms(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				s, h := Shelved(all)
				why := map[string]string{}
				for _, r := range h {
					why[r.Message] = r.Shelf
				}
				var list []string
				for _, m := range []string{lte, disk, lost, hubLost, "stray"} {
					if why[m] != "" {
						list = append(list, m+": "+why[m])
					}
				}
				return len(s), len(h), strings.Join(list, ", ")
			}
			before, hiddenBefore, _ := counts()
			load(t, g, shelved(t, row.maintenance, row.shelves...))
			seen, hidden, text := counts()
			if text != row.hidden || seen+hidden != before+hiddenBefore || hidden != strings.Count(text, ": ") {
				t.Errorf("hidden: %s, want %s; %d seen, %d hidden of %d", text, row.hidden, seen, hidden, before)
			}
			load(t, g, acme(t))
			if again, _, _ := counts(); again != before {
				t.Errorf("%d are seen afterwards, before %d", again, before)
			}
		})
	}
}
