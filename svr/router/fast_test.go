package router_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/svr/router"
)

// counted are packets that nftables counted in a namespace, by name.
type counted map[string]float64

// countUDP counts datagrams from and to a port where they leave and enter a
// host.
func countUDP(t *testing.T, w *world.World, ns string, port int) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, "add table inet count")
	for chain, hook := range map[string]string{"out": "output", "in": "input"} {
		fmt.Fprintf(&b, "add counter inet count %s\n", chain)
		fmt.Fprintf(&b, "add chain inet count %s { type filter hook %s priority 0; }\n", chain, hook)
		fmt.Fprintf(&b, "add rule inet count %s udp dport %d counter name %s\n", chain, port, chain)
		fmt.Fprintf(&b, "add rule inet count %s udp sport %d counter name %s\n", chain, port, chain)
	}
	file := writeConfig(t, w, "count-"+ns, []byte(b.String()))
	if out, err := w.Exec(ns, "nft", "-f", file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func readCounts(t *testing.T, w *world.World, ns string) counted {
	t.Helper()
	out, err := w.Exec(ns, "nft", "-j", "list", "counters", "table", "inet", "count")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Nftables []struct {
			Counter struct {
				Name    string
				Packets float64
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	c := counted{}
	for _, k := range doc.Nftables {
		if k.Counter.Name != "" {
			c[k.Counter.Name] = k.Counter.Packets
		}
	}
	return c
}

// stats are the counters of a router by name.
func stats(t *testing.T, r *world.Router) map[string]float64 {
	t.Helper()
	m := map[string]float64{}
	for _, row := range show(t, r, "stats") {
		m[row["metric"].(string)] = row["value"].(float64)
	}
	return m
}

// sessionBytes are the bytes of every direction by session and direction.
func sessionBytes(t *testing.T, r *world.Router) map[string]float64 {
	t.Helper()
	m := map[string]float64{}
	for _, row := range show(t, r, "sessions") {
		m[fmt.Sprint(row["session-id"], row["dir"])] = row["bytes"].(float64)
	}
	return m
}

// Each router is killed under load; not one packet of an established session is
// lost, its id stays, and its counters never go back.
func TestKillLosesNothing(t *testing.T) {
	for _, victim := range []string{"nobody", "branch1", "hub1"} {
		t.Run(victim, func(t *testing.T) { killUnderLoad(t, victim) })
	}
}

func killUnderLoad(t *testing.T, victim string) {
	lanes = router.LanesBPF
	w := newWorld(t, world.Options{})
	branch, hub := pair(t, w)
	serve(t, w, world.Server, "-udp", "10.20.0.5:5000", "-sink", "10.20.0.5:5001")
	for _, ns := range []string{world.Client, world.Server} {
		countUDP(t, w, ns, 5000)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
	defer cancel()
	var load sync.WaitGroup
	load.Go(func() {
		if s, err := traffic.Stream(ctx, w, world.Client, "10.20.0.5:5000", 50, 6, 1200); err != nil {
			t.Errorf("stream: %v", err)
		} else {
			t.Logf("stream: %+v", s)
		}
	})
	for range 20 {
		load.Go(func() {
			got, err := traffic.PutPaced(ctx, w, world.Client, "10.20.0.5:5001", 2_500_000, 5)
			if err != nil || got.Seconds > 10 || got.Sent != got.Arrived {
				t.Errorf("transfer: %v, %+v", err, got)
			}
		})
	}
	dead, ns := branch, world.Branch
	if victim == "hub1" {
		dead, ns = hub, world.Hub
	}
	until(t, dead, "an established stream", func(rows []row) bool {
		for _, s := range rows {
			if s["proto"] == "udp" && s["bytes"].(float64) > 3e6 {
				return true
			}
		}
		return false
	}, "sessions")
	before := sessionBytes(t, dead)
	if victim != "nobody" {
		if err := dead.Kill(); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		again := start(t, w, victim, ns, world.Acme())
		t.Logf("answers %v after the kill", time.Since(begin))
		after := sessionBytes(t, again)
		for id := range maps.Keys(before) {
			if now, ok := after[id]; !ok || now < before[id] {
				t.Errorf("%s: %v bytes before, %v after (listed %t)", id, before[id], now, ok)
			}
		}
		dead = again
	}
	load.Wait()
	c, s := readCounts(t, w, world.Client), readCounts(t, w, world.Server)
	if c["out"] != s["in"] || s["out"] != c["in"] || c["out"] < 20000 {
		t.Errorf("client sent %v, server got %v; server sent %v, client got %v", c["out"], s["in"], s["out"], c["in"])
	}
	if m := stats(t, dead); m["fast/forwarded-tc"]+m["fast/forwarded-xdp"] < 20000 {
		t.Errorf("the kernel forwarded %v packets", m["fast/forwarded-tc"])
	}
}
