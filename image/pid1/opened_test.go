//go:build linux

package pid1

import (
	"testing"
	"time"

	"waymark/svr/router/ctl"
)

// Init hears of each socket that a router opens, and can ask at once.
func TestOpened(t *testing.T) {
	dir := t.TempDir()
	news, err := opened(dir, func(fn func()) { go fn() })
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		l, err := ctl.Listen(dir)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-news:
		case <-time.After(10 * time.Second):
			t.Fatal("not a word of the socket")
		}
		l.Close()
	}
}
