package router_test

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
)

// linkCounts are the packets of the links of a namespace, as the kernel counts
// them.
type linkCounts map[string]struct{ in, out, lost float64 }

func countLinks(t *testing.T, w *world.World, ns string) linkCounts {
	t.Helper()
	out, err := w.Exec(ns, "ip", "-json", "-s", "link", "show")
	if err != nil {
		t.Fatal(err)
	}
	var doc []struct {
		Name  string `json:"ifname"`
		Stats struct {
			RX struct{ Packets float64 }
			TX struct{ Packets, Dropped float64 }
		} `json:"stats64"`
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	c := linkCounts{}
	for _, l := range doc {
		c[l.Name] = struct{ in, out, lost float64 }{l.Stats.RX.Packets, l.Stats.TX.Packets, l.Stats.TX.Dropped}
	}
	return c
}

// still returns counters of a router and of its links of one moment: two looks
// with nothing between them.
func still(t *testing.T, w *world.World, r *world.Router, ns string) (map[string]float64, linkCounts) {
	t.Helper()
	var m map[string]float64
	var after linkCounts
	err := world.Until(patience, "links at rest", func() (bool, error) {
		before := countLinks(t, w, ns)
		m = stats(t, r)
		after = countLinks(t, w, ns)
		return maps.Equal(before, after), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, after
}

// Every packet that a device receives is forwarded, punted, dropped for a reason
// or the host's, and every punted one arrives at the TAP, or by the ring, or is counted as lost:
// exactly, against the counters of the devices themselves.
func TestEveryPacketIsCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	branch, hub := pair(t, w)
	serve(t, w, world.Server, "-udp", "10.20.0.5:5000", "-sink", "10.20.0.5:5001", "-web", "10.20.0.80:8443")
	type look struct {
		m map[string]float64
		l linkCounts
	}
	routers := map[string]*world.Router{world.Branch: branch, world.Hub: hub}
	before := map[string]look{}
	for ns, r := range routers {
		m, l := still(t, w, r, ns)
		before[ns] = look{m, l}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	if _, err := traffic.Stream(ctx, w, world.Client, "10.20.0.5:5000", 50, 2, 1200); err != nil {
		t.Error(err)
	}
	if _, err := traffic.Put(ctx, w, world.Client, "10.20.0.5:5001", 50_000_000); err != nil {
		t.Error(err)
	}
	get(t, w, world.Client, "http://10.20.0.80:8443/")                                                // encrypted: the service lane's
	_, _ = w.Exec(world.Client, "ping", "-c", "3", "-i", "0.1", "-W", "1", "192.168.1.1")             // the host's
	_, _ = w.Exec(world.Client, "ping", "-c", "2", "-i", "0.1", "-s", "3000", "-W", "1", "10.20.0.5") // fragments
	_, _ = w.Exec(world.Client, "ping", "-c", "1", "-t", "1", "-W", "1", "10.20.0.5")                 // ends here
	for ns, r := range routers {
		m, l := still(t, w, r, ns)
		balance(t, ns, before[ns].m, m, before[ns].l, l)
	}
}

// balance compares what was counted between two looks.
func balance(t *testing.T, ns string, m0, m1 map[string]float64, l0, l1 linkCounts) {
	t.Helper()
	sum := map[string]float64{}
	for name := range m1 {
		for _, kind := range []string{"fast/forwarded", "fast/punt-", "fast/drop-", "fast/host-"} {
			if strings.HasPrefix(name, kind) {
				sum[kind] += m1[name] - m0[name]
			}
		}
	}
	in := m1["fast/in"] - m0["fast/in"]
	received := 0.0
	for name := range l1 {
		if name != "lo" && !strings.HasPrefix(name, "waymark") {
			received += l1[name].in - l0[name].in
		}
	}
	if in != received || in < 1000 {
		t.Errorf("%s: devices received %v packets, the lane counted %v", ns, received, in)
	}
	if got := sum["fast/forwarded"] + sum["fast/punt-"] + sum["fast/drop-"] + sum["fast/host-"]; got != in {
		t.Errorf("%s: %v packets came in, %v are accounted for: %v", ns, in, got, sum)
	}
	tap := l1["waymark0"].out - l0["waymark0"].out + l1["waymark0"].lost - l0["waymark0"].lost +
		m1["fast/punts-ring"] - m0["fast/punts-ring"]
	if want := sum["fast/punt-"] + m1["fast/copied"] - m0["fast/copied"]; tap != want {
		t.Errorf("%s: %v packets were punted or copied, TAP and ring saw %v", ns, want, tap)
	}
	t.Logf("%s: %v in: %v", ns, in, sum)
}
