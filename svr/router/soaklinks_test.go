package router_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"waymark/cmd/lab/world"
	"waymark/scripts/soak"
	"waymark/svr/router"
)

// held is what a process holds: descriptors, goroutines, bytes of its own.
type held struct{ fds, goroutines, anon int }

func holds(t *testing.T, r *world.Router) (h held) {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.PID()))
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	asking := questions(t, r)
	h.fds, h.anon = len(entries)-asking, kb<<10
	h.goroutines = int(stats(t, r)["process/goroutines"]) - asking
	return h
}

// questions counts the sockets by which the router asks NATs how long they
// remember, with a goroutine each: up to 24, for minutes after a link came up.
func questions(t *testing.T, r *world.Router) (n int) {
	t.Helper()
	for _, table := range []string{"udp", "udp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", r.PID(), table))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line) // number, local address:port in hex, …
			_, hex, _ := strings.Cut(f[1], ":")
			if port, err := strconv.ParseUint(hex, 16, 16); err == nil && port >= 16352 && port < 16376 {
				n++
			}
		}
	}
	if n > 24 {
		t.Fatalf("%d sockets ask NATs", n)
	}
	return n
}

// leveled waits until a router holds no more than before: what an event began may
// take a moment to end. It returns what it holds then, or at the end of patience.
func leveled(t *testing.T, r *world.Router, before held) (h held) {
	t.Helper()
	_ = world.Until(patience, "no more held than before", func() (bool, error) {
		h = holds(t, r)
		return h.fds <= before.fds && h.goroutines <= before.goroutines, nil
	})
	return h
}

// Links flap, leases are lost and others given, again and again: the router has its
// paths back each time, and holds in the end what it held after the first rounds.
func TestSoakLinks(t *testing.T) {
	t.Parallel()
	addresses := []string{"100.64.0.33", "100.64.0.34"}
	w, r, server := branchByDHCP(t, router.LanesBPF, addresses[0])
	flap := func(ns, name string) {
		t.Helper()
		if err := w.Carrier(ns, "branch", false); err != nil {
			t.Fatal(err)
		}
		interfaceUp(t, r, name, "down", "no-carrier")
		if err := w.Carrier(ns, "branch", true); err != nil {
			t.Fatal(err)
		}
		interfaceUp(t, r, name, "up", "")
	}
	rounds := 0
	round := func() {
		t.Helper()
		rounds++
		flap(world.ISPFiber, "fiber")
		flap(world.ISPLTE, "lte")
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
		server = kea(t, w, addresses[rounds%2])
		leased(t, r, addresses[rounds%2])
		if page := get(t, w, world.Client, "http://10.20.0.5/"); page.Status != 200 {
			t.Fatalf("round %d: page: %d", rounds, page.Status)
		}
	}
	round()
	round()
	before := holds(t, r)
	for begun, limit := time.Now(), soak.Time(t, 20*time.Second); time.Since(begun) < limit || rounds < 4; {
		round()
	}
	after := leveled(t, r, before)
	t.Logf("%d rounds: %d descriptors (%d before), %d goroutines (%d), %.1f MB (%.1f)", rounds, after.fds, before.fds,
		after.goroutines, before.goroutines, float64(after.anon)/1e6, float64(before.anon)/1e6)
	const slack = 4 << 20 // of a heap between two collections
	if after.fds > before.fds || after.goroutines > before.goroutines || after.anon > before.anon+slack {
		t.Errorf("not flat: %+v, before %+v", after, before)
	}
}
