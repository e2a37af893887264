package router_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/svr/router"
)

// watchCookies counts packets that begin with the cookie where they reach a
// host.
func watchCookies(t *testing.T, w *world.World, ns string) {
	t.Helper()
	file := writeConfig(t, w, "cookies-"+ns, []byte(`table inet cookies {
	counter seen {}
	chain in {
		type filter hook input priority -1;
		@ih,0,64 0x4c48dbc6ddf6670c counter name seen
	}
}
`))
	if out, err := w.Exec(ns, "nft", "-f", file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func noCookies(t *testing.T, w *world.World, ns string) {
	t.Helper()
	out, err := w.Exec(ns, "nft", "list", "counters", "table", "inet", "cookies")
	if err != nil || !strings.Contains(out, "packets 0 bytes 0") {
		t.Errorf("%s saw what is between routers: %v\n%s", ns, err, out)
	}
}

// A peer that lost everything asks for a new handshake in the middle of
// established sessions: the kernel's lane hands that to the service lane, the
// flows go on, and no host sees anything of it.
func TestLostPeerIsTold(t *testing.T) { onBothLanes(t, testLostPeerIsTold) }

func testLostPeerIsTold(t *testing.T, lanes string) {
	w := worldOf(t, lanes, world.Options{})
	branch, hub := pair(t, w)
	serve(t, w, world.Server, "-udp", "10.20.0.5:5000", "-sink", "10.20.0.5:5001")
	for _, ns := range []string{world.Client, world.Server} {
		watchCookies(t, w, ns)
		countUDP(t, w, ns, 5000)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	done := make(chan error, 2)
	go func() {
		_, err := traffic.Stream(ctx, w, world.Client, "10.20.0.5:5000", 2, 15, 1200) // a busy machine needs some seconds for a start
		done <- err
	}()
	go func() {
		got, err := traffic.PutPaced(ctx, w, world.Client, "10.20.0.5:5001", 3_000_000, 5)
		if err == nil && got.Sent != got.Arrived {
			t.Errorf("transfer: %+v", got)
		}
		done <- err
	}()
	until(t, hub, "established flows", func(rows []row) bool {
		n := 0
		for _, s := range rows {
			if s["bytes"].(float64) > 1e5 {
				n++
			}
		}
		return n >= 2
	}, "sessions")
	down := pathsDown(t, branch)
	if err := hub.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(hub.Run, router.RecordsFile)); err != nil && lanes == router.LanesBPF {
		t.Fatal(err)
	}
	hub = start(t, w, "hub1", world.Hub, world.Acme())
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	// Not what programs have read: their sockets lose some when the machine is busy.
	if c, s := readCounts(t, w, world.Client), readCounts(t, w, world.Server); s["in-bytes"] < c["out-bytes"]/2 || c["in-bytes"] < s["out-bytes"]/2 {
		t.Errorf("client %v, server %v", c, s)
	}
	// On a busy machine the hub may be away until its path is down: then the sessions moved.
	if n := stats(t, branch)["metadata/received-enable-metadata"]; n == 0 && pathsDown(t, branch) == down {
		t.Errorf("branch: %v enables", n)
	}
	if n := stats(t, hub)["sessions/accepted"]; n == 0 {
		t.Error("hub: no session accepted anew")
	}
	for _, ns := range []string{world.Client, world.Server} {
		noCookies(t, w, ns)
	}
}

// A session lasts while packets pass, whoever forwards them, and ends when none
// do: this one's idle time is 5 s.
func TestSessionLastsWhileUsed(t *testing.T) { onBothLanes(t, testSessionLastsWhileUsed) }

func testSessionLastsWhileUsed(t *testing.T, lanes string) {
	w := worldOf(t, lanes, world.Options{})
	branch, hub := pair(t, w)
	serve(t, w, world.Server, "-udp", "10.20.0.5:53")
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	if s, err := traffic.Stream(ctx, w, world.Client, "10.20.0.5:53", 1, 8, 500); err != nil || s.Answered < s.Sent/2 { // sockets lose some when the machine is busy
		t.Fatalf("%+v, %v", s, err)
	}
	for _, r := range []*world.Router{branch, hub} {
		if m := stats(t, r); m["sessions/timeout"] != 0 || m["sessions/opened"]+m["sessions/accepted"] != 1 {
			t.Errorf("%v sessions timed out, %v opened, %v accepted", m["sessions/timeout"], m["sessions/opened"], m["sessions/accepted"])
		}
	}
	for _, r := range []*world.Router{branch, hub} {
		until(t, r, "no session", func(rows []row) bool { return len(rows) == 0 }, "sessions")
	}
}

// Without the right to load programs a router says so: it forwards all the same,
// or ends when the kernel's lane is demanded.
func TestRefusedByTheKernel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	w.Wrap = []string{"setpriv", "--bounding-set", "-bpf,-sys_admin,-perfmon"}
	if r, err := w.StartRouter("branch1", world.Branch, world.Acme()); err == nil {
		r.Kill()
		t.Fatal("a router with -lanes bpf runs without BPF")
	} else if !strings.Contains(err.Error(), "the kernel refuses BPF") || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("got %v", err)
	}
	w.Lanes = router.LanesAuto
	branch, hub := pair(t, w)
	serve(t, w, world.Server, "-web", "10.20.0.5:80")
	if page := get(t, w, world.Client, "http://10.20.0.5/"); page.Status != 200 {
		t.Errorf("got %d", page.Status)
	}
	for _, r := range []*world.Router{branch, hub} {
		s := show(t, r, "system")[0]
		if why, _ := s["no-fast-lane"].(string); s["lanes"] != "go" || !strings.Contains(why, "refuses BPF") {
			t.Errorf("system: %v", s)
		}
	}
}
