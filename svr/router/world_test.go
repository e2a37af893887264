package router_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/svr/router"
)

// patience bounds what happens sooner or later on a machine that others use as
// well; it is no figure of any test.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if code, ok := traffic.Main(os.Args[1:]); ok {
		os.Exit(code)
	}
	if len(os.Args) == 3 && os.Args[1] == branchesCommand {
		n, err := strconv.Atoi(os.Args[2])
		if err == nil {
			err = runBranches(n)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// onBothLanes runs a test over the lane in the kernel and over the service lane
// alone, beside others.
func onBothLanes(t *testing.T, test func(t *testing.T, lanes string)) {
	t.Helper()
	for _, lanes := range []string{router.LanesBPF, router.LanesGo} {
		t.Run(lanes, func(t *testing.T) {
			t.Parallel()
			test(t, lanes)
		})
	}
}

// newWorld builds the example's network; it goes with the test. Its routers use
// the lane in the kernel.
func newWorld(t *testing.T, o world.Options) *world.World {
	t.Helper()
	return worldOf(t, router.LanesBPF, o)
}

// worldOf is newWorld with the -lanes of its routers.
func worldOf(t *testing.T, lanes string, o world.Options) *world.World {
	t.Helper()
	w, err := world.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.Lanes = lanes
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, ns := range []string{world.Branch, world.Hub} {
		calm(t, w, ns)
	}
	return w
}

// calm waits until every link of a namespace has settled: its state, and the
// addresses that the kernel gives by itself.
func calm(t *testing.T, w *world.World, ns string) {
	t.Helper()
	var links, addrs string
	err := world.Until(3*patience, "calm links in "+ns, func() (calm bool, err error) {
		if links, err = w.Exec(ns, "ip", "-o", "link", "show", "up", "type", "veth"); err != nil {
			return false, err
		}
		addrs, err = w.Exec(ns, "ip", "-o", "-6", "address", "show", "scope", "link", "-tentative")
		return !strings.Contains(links, "NO-CARRIER") && strings.Count(addrs, "inet6 fe80:") == strings.Count(links, "\n"), err
	})
	if err != nil {
		t.Fatalf("%v\n%s%s", err, links, addrs)
	}
}

// start runs a router of the example and waits for its answer; a failed test
// prints its log.
func start(t *testing.T, w *world.World, name, ns string, config []byte, flags ...string) *world.Router {
	t.Helper()
	r, err := w.StartRouter(name, ns, config, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s", name, r.Output())
		}
	})
	return r
}

// pair starts hub1 and branch1 of the example, and waits for their paths: nobody
// repeats a host's first datagram.
func pair(t *testing.T, w *world.World) (branch, hub *world.Router) {
	t.Helper()
	hub = start(t, w, "hub1", world.Hub, world.Acme())
	branch = start(t, w, "branch1", world.Branch, world.Acme())
	peersUp(t, branch)
	peersUp(t, hub)
	return branch, hub
}

// serve starts servers in a namespace.
func serve(t *testing.T, w *world.World, ns string, flags ...string) {
	t.Helper()
	if _, err := traffic.Serve(w, ns, flags...); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, w *world.World, ns, url string) traffic.Page {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	page, err := traffic.Get(ctx, w, ns, url)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// row is a row of a table in JSON.
type row = map[string]any

func show(t *testing.T, r *world.Router, args ...string) (rows []row) {
	t.Helper()
	if err := r.ShowJSON(&rows, args...); err != nil {
		t.Fatal(err)
	}
	return rows
}

// only returns the rows in which key has a value.
func only(rows []row, key string, value any) (list []row) {
	for _, r := range rows {
		if r[key] == value {
			list = append(list, r)
		}
	}
	return list
}

// until waits for rows of a table to be as they should.
func until(t *testing.T, r *world.Router, what string, good func([]row) bool, args ...string) {
	t.Helper()
	within(t, patience, r, what, good, args...)
}

func within(t *testing.T, limit time.Duration, r *world.Router, what string, good func([]row) bool, args ...string) {
	t.Helper()
	var rows []row
	err := world.Until(limit, what, func() (bool, error) {
		rows = nil
		return r.ShowJSON(&rows, args...) == nil && good(rows), nil
	})
	if err != nil {
		t.Fatalf("%v\n%v", err, rows)
	}
}

// interfaceUp waits until a network-interface is up, or down for a reason.
func interfaceUp(t *testing.T, r *world.Router, name, status, reason string) {
	t.Helper()
	until(t, r, fmt.Sprintf("%s %s %s", name, status, reason), func(rows []row) bool {
		f := only(rows, "name", name)
		return len(f) == 1 && f[0]["oper-status"] == status && (reason == "" || f[0]["reason"] == reason)
	}, "network-interface", "detail")
}

// stateOf is everything of a namespace that a router changes, in words.
func stateOf(t *testing.T, w *world.World, ns string) map[string]string {
	t.Helper()
	state := map[string]string{}
	for _, cmd := range []string{
		"ip -o address", "ip -4 route show table all", "ip -6 route", "ip -4 rule", "ip -6 rule", "ip neigh show nud permanent", "nft list ruleset",
		"ip -o link show up", "cat /proc/net/unix", "cat /proc/net/packet",
		"sh -c grep_-rs_._/proc/sys/net/ipv4_/proc/sys/net/ipv6",
	} {
		argv := strings.Fields(cmd)
		if argv[0] == "sh" {
			argv = []string{"sh", "-c", "grep -rs . /proc/sys/net/ipv4 /proc/sys/net/ipv6 || true"}
		}
		out, err := w.Exec(ns, argv...)
		if err != nil {
			t.Fatal(err)
		}
		state[cmd] = settle(out)
	}
	return state
}

// settle drops what changes by itself: lifetimes, kernel addresses, inodes,
// sockets of others, and keeps lines in order.
func settle(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if changing.MatchString(line) {
			continue
		}
		if strings.Contains(line, "waymark0:") {
			line = "the fast lane's TAP\n" // its state is that of its reader
		}
		if f := strings.Fields(line); strings.Contains(line, "@") && len(f) == 8 {
			line = f[7] + "\n" // abstract socket: only its name
		} else if len(f) == 9 && f[0] != "sk" {
			line = "packet socket of " + f[3] + " on " + f[4] + "\n"
		} else if len(f) >= 7 && strings.HasSuffix(f[0], ":") && f[0] != "Num" && strings.HasPrefix(f[1], "0000000") {
			continue // unnamed sockets of the commands themselves
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "")
}

var changing = regexp.MustCompile(`random|tcp_fastopen_key|stable_secret|nf_conntrack_count|rt_cache|uuid|dirty|/gc_|pmtu`)

// sameState waits for a namespace to be in a state: the kernel does some of what it
// was told a moment later.
func sameState(t *testing.T, w *world.World, ns, when string, want map[string]string) {
	t.Helper()
	var got map[string]string
	err := world.Until(patience, "a state as before", func() (bool, error) {
		got = stateOf(t, w, ns)
		return maps.Equal(got, want), nil
	})
	if err == nil {
		return
	}
	for what := range maps.Keys(want) {
		if got[what] != want[what] {
			t.Errorf("%s: %s differs: got\n%s\nwant\n%s", when, what, got[what], want[what])
		}
	}
}

// run runs the waymark binary as an ordinary command in a namespace.
func run(t *testing.T, w *world.World, ns string, args ...string) (out string, code int) {
	t.Helper()
	bin, err := w.Waymark()
	if err != nil {
		t.Fatal(err)
	}
	out, err = w.Exec(ns, append([]string{bin}, args...)...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return out, exit.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	return out, 0
}

// writeConfig puts a configuration into the world's directory.
func writeConfig(t *testing.T, w *world.World, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(w.Dir, name)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
