package lane

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestNap: the lane naps while waits are short, never where others have no processor;
// one nap in vain is the last.
func TestNap(t *testing.T) {
	l, err := New(nil, NewHops(1), &bench2{}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var events [8]unix.EpollEvent
	for _, c := range []struct {
		name         string
		brisk, woken bool
		events       int
		after        bool
	}{
		{"long waits", false, true, 0, false},
		{"woken", true, true, 1, true},
		{"in vain", true, false, 0, false},
	} {
		l.brisk = c.brisk
		if c.woken {
			l.mail.wake()
		}
		n, err := l.nap(events[:], 1000)
		for err == unix.EINTR { // the collector of garbage wanted the processor
			n, err = l.nap(events[:], 1000)
		}
		if n != c.events || err != nil || l.brisk != c.after {
			t.Errorf("%s: %d events, error %v, naps again %v; want %d, %v", c.name, n, err, l.brisk, c.events, c.after)
		}
		l.mail.clear()
	}
	for _, others := range []bool{false, true} {
		l.naps = others
		l.mail.wake()
		if err := l.sleep(); err != nil || l.brisk != others {
			t.Errorf("after a short wait, processors for others %v: naps %v, error %v", others, l.brisk, err)
		}
	}
}
