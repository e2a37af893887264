package router_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/net/netns"
)

// Builds whose layouts differ from ours, by a line of the source.
var (
	otherSlots   = [3]string{"svr/pool/layout.go", "LayoutVersion = ", "LayoutVersion = 9"}
	otherRecords = [3]string{"svr/session/adopt.go", "RecordVersion = ", "RecordVersion = 9"}
)

// otherBuild is newBuild of a source with another line.
func otherBuild(t *testing.T, change [3]string) []string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("../..", change[0]))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Count(string(text), change[1]) != 1 {
		t.Fatalf("%s: %v, %d times %q", file, err, strings.Count(string(text), change[1]), change[1])
	}
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{changed: []byte(strings.Replace(string(text), change[1], change[2], 1)), overlay: list} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return newBuild(t, "-overlay", overlay)
}

// A router is exchanged for builds whose layouts differ, under load: not one packet
// is lost and no connection breaks, what is new is the new one's, and in the end
// nothing is left.
func TestOtherLayout(t *testing.T) {
	slots, records := otherBuild(t, otherSlots), otherBuild(t, otherRecords)
	for _, c := range []struct {
		name, victim string
		flags        []string
		end          func(t *testing.T, r *world.Router)
		builds       [][]string // one after the other; nil is ours
		lanes        float64    // of other layouts in the end
		pairs        int        // of wayports that are known to be in use, at least
	}{
		{"slots, killed", "branch1", nil, kill, [][]string{slots}, 1, 0},
		{"records, stopped with -keep", "branch1", []string{"-keep"}, stop, [][]string{records}, 1, loadTransfers / 2}, // some were not in the kernel yet
		{"slots, killed again, and back", "hub1", nil, kill, [][]string{slots, slots, nil}, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, world.Options{})
			ns := map[string]string{"branch1": world.Branch, "hub1": world.Hub}[c.victim]
			before := stateOf(t, w, ns)
			routers := map[string]*world.Router{}
			for name, ns := range map[string]string{"hub1": world.Hub, "branch1": world.Branch} {
				routers[name] = start(t, w, name, ns, world.Acme(), c.flags...)
			}
			for _, r := range routers {
				peersUp(t, r)
			}
			drops, subject := kernelDrops(t, w), routers[c.victim]
			load := putLoad(t, w, loadSeconds*len(c.builds))
			loaded(t, subject)
			counted := stats(t, subject)
			for _, build := range c.builds {
				c.end(t, subject)
				w.Wrap = build
				subject = start(t, w, c.victim, ns, world.Acme(), c.flags...)
			}
			counted = going(t, w, subject, counted, c.lanes)
			if n, err := strconv.Atoi(field(logLine(t, subject, "sessions of another layout go on"), "wayports")); err != nil || n < c.pairs {
				t.Errorf("%d wayport pairs are reserved, want %d: %v", n, c.pairs, err)
			}
			load.Wait()
			lossless(t, w, 10000*loadSeconds/3, drops)
			if now := stats(t, subject); now["fast/older-forwarded"] <= counted["fast/older-forwarded"] {
				t.Errorf("older lanes forwarded %v packets, %v before", now["fast/older-forwarded"], counted["fast/older-forwarded"])
			}
			ids := programsIn(t, w, ns)
			w.Wrap = nil
			kill(t, subject) // what -keep would leave, too
			subject = start(t, w, c.victim, ns, world.Acme())
			if err := subject.Stop(); err != nil {
				t.Error(err)
			}
			sameState(t, w, ns, "after stop", before)
			leftFiles(t, subject.Run)
			nothingLeft(t, w, ns, ids)
		})
	}
}

// going looks at a router while sessions of another layout go on: they do, and a new
// one is its own. It returns the router's counters.
func going(t *testing.T, w *world.World, r *world.Router, before map[string]float64, lanes float64) map[string]float64 {
	t.Helper()
	peersUp(t, r)
	logLine(t, r, "sessions of another layout go on in the kernel")
	events := show(t, r, "events")
	if !slices.ContainsFunc(events, func(e row) bool { return e["event-type"] == "system.older_sessions" }) {
		t.Errorf("no event: %v", events)
	}
	first := stats(t, r)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	const size = 3_000_000
	if got, err := traffic.Put(ctx, w, world.Client, "10.20.0.5:5001", size); err != nil || got.Sent != got.Arrived {
		t.Errorf("new transfer: %+v, %v", got, err)
	}
	listed := func(s row) bool { return s["bytes"].(float64) > size }
	if rows := show(t, r, "sessions"); !slices.ContainsFunc(rows, listed) {
		t.Errorf("the new session is not listed: %v", rows)
	}
	now := stats(t, r)
	// Super-packets have up to 64 KiB, and the first ones go by the service lane.
	if more := now["fast/forwarded-tc"] - first["fast/forwarded-tc"]; more < size/65536/2 {
		t.Errorf("the new lane forwarded %v packets more", more)
	}
	if now["fast/older-lanes"] != lanes || now["fast/older-forwarded"] == 0 || now["fast/older-passed-on"] <= first["fast/older-passed-on"] {
		t.Errorf("older lanes: %v, %v packets forwarded, %v passed on, %v before", now["fast/older-lanes"],
			now["fast/older-forwarded"], now["fast/older-passed-on"], first["fast/older-passed-on"])
	}
	for _, name := range []string{"fast/in", "fast/forwarded-tc"} {
		if now[name] < before[name] || before[name] == 0 {
			t.Errorf("%s: %v, %v before", name, now[name], before[name])
		}
	}
	return now
}

// programsIn returns the programs at the ingress of the devices of a namespace.
func programsIn(t *testing.T, w *world.World, ns string) (ids []ebpf.ProgramID) {
	t.Helper()
	err := netns.Do(w.NS(ns), func() error {
		list, err := net.Interfaces()
		for _, i := range list {
			r, e := link.QueryPrograms(link.QueryOptions{Target: i.Index, Attach: ebpf.AttachTCXIngress})
			if e != nil {
				return e
			}
			for _, p := range r.Programs {
				ids = append(ids, p.ID)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// nothingLeft waits until programs that were there are not even in the kernel.
func nothingLeft(t *testing.T, w *world.World, ns string, ids []ebpf.ProgramID) {
	t.Helper()
	if len(ids) < 4 {
		t.Errorf("%d programs were there, want two on each device", len(ids))
	}
	if now := programsIn(t, w, ns); len(now) > 0 {
		t.Errorf("programs %v are still on the devices", now)
	}
	err := world.Until(patience, "the kernel to forget the programs", func() (bool, error) {
		for _, id := range ids {
			if p, err := ebpf.NewProgramFromID(id); err == nil {
				p.Close()
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Sessions of another layout end when their time is over, or the network changes
// under them; connections go on, by new sessions.
func TestOtherLayoutEnds(t *testing.T) {
	slots := otherBuild(t, otherSlots)
	for name, c := range map[string]struct {
		drain, why string
		change     func(w *world.World) error
	}{
		"time": {"3s", "their time is over", func(*world.World) error { return nil }},
		"path": {"1h", "a path went down", func(w *world.World) error { return w.Carrier(world.Branch, "wan0", false) }},
		"none": {"0s", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, world.Options{})
			branch, _ := pair(t, w)
			got, done := transferring(t, w, branch)
			kill(t, branch)
			w.Wrap = slots
			branch = start(t, w, "branch1", world.Branch, world.Acme(), "-drain", c.drain)
			peersUp(t, branch)
			if c.why == "" {
				logLine(t, branch, "sessions in the kernel begin anew")
			} else {
				if err := c.change(w); err != nil {
					t.Fatal(err)
				}
				until(t, branch, "the end", func(rows []row) bool {
					return slices.ContainsFunc(rows, func(e row) bool {
						return e["event-type"] == "system.older_sessions_ended" && strings.HasSuffix(e["message"].(string), c.why)
					})
				}, "events")
			}
			if n := stats(t, branch)["fast/older-lanes"]; n != 0 {
				t.Errorf("%v older lanes", n)
			}
			if err := <-done; err != nil || got.Sent != got.Arrived {
				t.Errorf("transfer: %+v, %v", got, err)
			}
		})
	}
}
