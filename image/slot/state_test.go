package slot

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestDir(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "state", "update"))
	if s, err := d.Load(); err != nil || !reflect.DeepEqual(s, State{}) {
		t.Errorf("nothing there: %+v, %v", s, err)
	}
	want := State{Floor: 1 << 60, Leaving: "x", Refused: &Refused{"s", "v", 1, "r"},
		Pending: &Pending{Slot: "s", Version: "v", Counter: 2, TrialSeconds: 3, Wanted: Wanted{[]string{"wan"}, true}, Boots: 1, Note: "n"}}
	for range 2 {
		if err := d.Save(want); err != nil {
			t.Fatal(err)
		}
		if s, err := d.Load(); err != nil || !reflect.DeepEqual(s, want) {
			t.Errorf("%+v, %v", s, err)
		}
	}
	// A cut while the next one is written leaves the old one.
	path := filepath.Join(string(d), stateFile)
	if err := os.WriteFile(path+".new", []byte(`{"floor":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := d.Load(); err != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("half of a new one beside it: %+v, %v", s, err)
	}
	if err := os.WriteFile(path, []byte("\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := d.Load(); err == nil || !reflect.DeepEqual(s, State{}) {
		t.Errorf("ruined: %+v, %v", s, err)
	}
	if err := d.Save(want); err != nil {
		t.Error(err)
	}
}
