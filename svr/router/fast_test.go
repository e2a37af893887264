package router_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
	"waymark/net/netns/nstest"
)

// counted are packets that nftables counted in a namespace, by name, and their bytes,
// by name-bytes: the service lane may put many packets into one.
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
				Name           string
				Packets, Bytes float64
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	c := counted{}
	for _, k := range doc.Nftables {
		if k.Counter.Name != "" {
			c[k.Counter.Name], c[k.Counter.Name+"-bytes"] = k.Counter.Packets, k.Counter.Bytes
		}
	}
	return c
}

// lossless compares what two hosts sent with what they got: everything, apart from
// what this machine's own kernel threw away between two devices since before, because
// no processor came to take it.
func lossless(t *testing.T, w *world.World, least, before float64) {
	t.Helper()
	c, s := readCounts(t, w, world.Client), readCounts(t, w, world.Server)
	up, down, dropped := c["out"]-s["in"], s["out"]-c["in"], kernelDrops(t, w)-before
	text := fmt.Sprintf("client sent %v, server got %v; server sent %v, client got %v; the kernel dropped %v", c["out"], s["in"], s["out"], c["in"], dropped)
	switch {
	case up < 0 || down < 0 || up+down > dropped || c["out"] < least:
		t.Error(text)
	case up+down > 0:
		t.Log(text)
	}
}

// kernelDrops is how many packets this machine's kernel has thrown away between two
// devices: of its queue for each processor, and of those of the world's links that have
// one each. The router's own is another one.
func kernelDrops(t *testing.T, w *world.World) float64 {
	t.Helper()
	sum := float64(nstest.BacklogDrops(t))
	for _, ns := range []string{world.Client, world.Branch, world.ISPFiber, world.ISPLTE, world.Internet, world.Hub, world.Server} {
		for name, l := range countLinks(t, w, ns) {
			if !strings.HasPrefix(name, "waymark") {
				sum += l.lost
			}
		}
	}
	return sum
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
