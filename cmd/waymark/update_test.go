package main

import (
	"os"
	"path/filepath"
	"testing"
)

// What an update must not take away, by what the agent says; there is no router.
func TestUpdateWantsTheConductor(t *testing.T) {
	for text, want := range map[string]bool{
		"":                     false, // no agent
		`{"conductors": null}`: false,
		`{"conductors": [{"host": "a", "connected": false}]}`:                                   false,
		`{"conductors": [{"host": "a", "connected": false}, {"host": "b", "connected": true}]}`: true,
		`{"conductors": [`: false,
	} {
		run := t.TempDir()
		if text != "" {
			if err := os.WriteFile(filepath.Join(run, "agent.json"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		w, err := wanted(run)
		if err != nil || w.Conductor != want || len(w.WANs) != 0 {
			t.Errorf("%s: got %+v, %v; want %v", text, w, err, want)
		}
	}
}
