package host

import (
	"os"
	"testing"
)

func TestChangesSurvive(t *testing.T) {
	dir := t.TempDir()
	s, err := loadChanges(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"wan0", "lan0", "wan0"} {
		if err := s.noteUp(name); err != nil {
			t.Fatal(err)
		}
	}
	again, err := loadChanges(dir)
	if err != nil || len(again.LinksUp) != 2 {
		t.Errorf("got %+v, %v", again, err)
	}
	if err := again.remove(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
