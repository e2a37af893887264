package conductor_test

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"waymark/mgmt/conductor"
)

// A second conductor in the same directory ends at once and says why; the first one
// goes on, and when it is killed nothing is in the way of the next.
func TestSecondConductor(t *testing.T) {
	s := settings(t, shortDir(t), "c1")
	c := start(t, process{Settings: s}, filepath.Join(t.TempDir(), "log"))
	again := *s
	again.Log = slog.New(slog.DiscardHandler)
	if err := conductor.Run(t.Context(), again); !errors.Is(err, conductor.ErrServed) {
		t.Errorf("a second one: %v", err)
	}
	if code := api(t, s, "GET", "/v1/assets", nil, nil); code != 200 {
		t.Errorf("the first one answers %d", code)
	}
	c.kill()
	start(t, process{Settings: s}, filepath.Join(t.TempDir(), "log"))
}
