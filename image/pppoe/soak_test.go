package pppoe_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"waymark/scripts/soak"
)

// held is what the router's process holds.
type held struct{ fds, goroutines, kilobytes int }

func (l *line) holds() (h held) {
	l.Helper()
	out := l.cpe.run(fmt.Sprintf("ls /proc/%[1]s/fd | wc -l; grep RssAnon: /proc/%[1]s/status | tr -dc 0-9", l.router))
	if n, err := fmt.Sscan(out, &h.fds, &h.kilobytes); n != 2 {
		l.Fatalf("what the router holds: %q: %v", out, err)
	}
	h.goroutines = l.stat("process/goroutines")
	return h
}

// leveled waits until the router holds no more than before: what a redial began
// may take a moment to end. It returns what it holds then, or in the end.
func (l *line) leveled(before held) (h held) {
	l.Helper()
	for deadline := time.Now().Add(soon); ; {
		h = l.holds()
		if h.fds <= before.fds && h.goroutines <= before.goroutines || time.Now().After(deadline) {
			return h
		}
	}
}

// longestPause is how long the router waits in the end before it dials again a
// line that breaks again and again.
const longestPause = time.Minute

// Sessions end and are dialled again, by a word of the access concentrator (LCP)
// and without one (PADT): the router holds in the end what it held at first.
func TestSoakRedials(t *testing.T) {
	l := newLine(t)
	l.online()
	rounds := 0
	round := func() {
		for _, signal := range []string{"TERM", "KILL"} {
			d := l.device()
			l.ac.run("killall -" + signal + " pppd")
			l.redialled(d, longestPause+soon)
			l.ac.run(": >/tmp/pppd.log; : >/tmp/server.log") // logs are in memory
			l.cpe.run(": >/tmp/router.log")
		}
		rounds++
	}
	round()
	before := l.leveled(l.holds())
	for begun, limit := time.Now(), soak.Time(t, 5*time.Second); time.Since(begun) < limit || rounds < 3; {
		round()
	}
	after := l.leveled(before)
	t.Logf("%d redials: %d descriptors (%d before), %d goroutines (%d), %d kB (%d)", 2*rounds, after.fds, before.fds,
		after.goroutines, before.goroutines, after.kilobytes, before.kilobytes)
	const slack = 4096 // of a heap between two collections
	if after.fds > before.fds || after.goroutines > before.goroutines || after.kilobytes > before.kilobytes+slack {
		t.Errorf("not flat: %+v, before %+v", after, before)
	}
	if links := strings.Count(l.cpe.run("ip -o link show"), "\n"); links != 4 { // lo, two ports, the session's
		t.Errorf("%d interfaces, want 4", links)
	}
	l.stop("TERM")
}
