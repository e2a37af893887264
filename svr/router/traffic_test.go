package router_test

import (
	"context"
	"strings"
	"testing"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
)

// Real programs over two real routers, and what the routers say about it.
func TestBranchToHub(t *testing.T) { onBothLanes(t, testBranchToHub) }

func testBranchToHub(t *testing.T, lanes string) {
	w := worldOf(t, lanes, world.Options{})
	before := map[string]map[string]string{world.Branch: stateOf(t, w, world.Branch), world.Hub: stateOf(t, w, world.Hub)}
	branch, hub := pair(t, w)
	serve(t, w, world.Server, "-web", "10.20.0.5:80,[fd00:20::5]:80,10.20.0.80:8443", "-udp", "10.20.0.5:53")
	serve(t, w, world.Internet, "-web", "192.0.2.10:80")
	for url, client := range map[string]string{
		"http://10.20.0.5/": "192.168.1.10", "http://[fd00:20::5]/": "fd00:1::10",
		"http://10.20.0.80:8443/": "192.168.1.10", "http://192.0.2.10/": "203.0.113.2",
	} {
		if page := get(t, w, world.Client, url); page.Status != 200 || !strings.Contains(page.Body, client) {
			t.Errorf("%s: got %d %q, want one that names %s", url, page.Status, page.Body, client)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if a, err := traffic.Ask(ctx, w, world.Client, "10.20.0.5:53", 20); err != nil || a.Answered != 20 {
		t.Errorf("UDP: %+v, %v", a, err)
	}
	for _, dst := range []string{"10.20.0.5", "fd00:20::5"} {
		if out, err := w.Exec(world.Client, "ping", "-n", "-c", "3", "-i", "0.1", "-W", "2", dst); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	t.Run("sessions", func(t *testing.T) { checkSessions(t, branch, hub) })
	t.Run("tables", func(t *testing.T) { checkTables(t, branch) })
	t.Run("own traffic", func(t *testing.T) { checkOwnTraffic(t, w) })
	for ns, r := range map[string]*world.Router{world.Branch: branch, world.Hub: hub} {
		if err := r.Stop(); err != nil || r.ExitCode() != 0 {
			t.Errorf("stop of %s: %v, exit code %d", ns, err, r.ExitCode())
		}
		sameState(t, w, ns, ns+" after stop", before[ns])
		leftFiles(t, r.Run)
	}
}

// checkSessions looks at both ends of the encrypted session.
func checkSessions(t *testing.T, branch, hub *world.Router) {
	fwd := only(only(show(t, branch, "sessions"), "service", "payroll"), "dir", "fwd")
	if len(fwd) != 1 {
		t.Fatalf("payroll at the branch: %v", fwd)
	}
	s := fwd[0]
	for key, want := range map[string]any{
		"tenant": "corp", "dev-name": "lan", "intf-name": "lan", "vlan": 0.0, "proto": "tcp", "src-ip": "192.168.1.10",
		"dest-ip": "10.20.0.80", "dest-port": 8443.0, "nat-ip": "203.0.113.2", "payload-encrypted": true,
		"cipher": "aes-cbc-128", "hmac-mode": "regular", "peer": "hub1", "path": "fiber:203.0.113.2>198.51.100.2",
		"out-dest-ip": "198.51.100.2", "established": true,
	} {
		if s[key] != want {
			t.Errorf("%s: got %v, want %v", key, s[key], want)
		}
	}
	local, peer := int(s["out-src-port"].(float64)), int(s["out-dest-port"].(float64))
	if local%2 != 0 || local < 16385 || peer%2 != 1 || peer < 20000 || peer > 20999 {
		t.Errorf("wayports %d and %d, want even of the default range and odd of 20000-20999", local, peer)
	}
	if s["packets"].(float64) < 3 || s["bytes"].(float64) < 100 {
		t.Errorf("counters: %v packets, %v bytes", s["packets"], s["bytes"])
	}
	there := only(show(t, hub, "sessions"), "session-id", s["session-id"])
	if len(there) != 2 || there[0]["src-port"] != s["out-src-port"] || there[0]["peer"] != "branch1" {
		t.Errorf("the same session at the hub: %v", there)
	}
}

// checkTables asks for everything, in every form.
func checkTables(t *testing.T, r *world.Router) {
	for _, what := range []string{"sessions", "peers", "fib", "service-path", "tenant members", "capacity", "waypoints",
		"network-interface", "device-interface", "udp-transform", "alarms", "events", "stats", "system", "progress"} {
		for _, detail := range [][]string{nil, {"detail"}} {
			args := append(strings.Fields(what), detail...)
			if out, err := r.Show(args...); err != nil || !strings.Contains(out, "Completed in") {
				t.Errorf("show %v: %v\n%s", args, err, out)
			}
			rows := show(t, r, args...)
			if len(rows) == 0 && what != "alarms" {
				t.Errorf("show %v -json: no rows", args)
			}
		}
	}
	for _, row := range show(t, r, "progress") {
		_, inKernel := row["fast-packets"].(float64)
		if row["router"] != true || row["lane"] != true || inKernel != (row["fast-lane"] == true) {
			t.Errorf("progress: %v", row)
		}
	}
	checkPeers(t, r)
	for _, row := range only(show(t, r, "capacity"), "resource", "memory") {
		if row["capacity"] != 40e6 || row["entries"].(float64) > 38e6 {
			t.Errorf("memory: %v", row)
		}
	}
	for service, want := range map[string]string{
		"datacenter": "clear, unauthenticated", "payroll": "encrypted, authenticated", "internet": "clear, unauthenticated",
	} {
		for _, row := range only(show(t, r, "service-path"), "service", service) {
			if row["established-packets"] != want || row["state"] != "Up" {
				t.Errorf("%s: got %v, want %q and Up", service, row, want)
			}
		}
	}
	rows := show(t, r, "tenant", "members")
	if len(rows) != 1 || rows[0]["tenant"] != "corp" || rows[0]["network-i/f"] != "lan" {
		t.Errorf("tenant members: %v", rows)
	}
	for _, name := range []string{"packets/forwarded", "sessions/opened", "metadata/added"} {
		if row := only(show(t, r, "stats"), "metric", name); len(row) != 1 || row[0]["value"].(float64) == 0 {
			t.Errorf("%s: %v", name, row)
		}
	}
}

func checkPeers(t *testing.T, r *world.Router) {
	peers := show(t, r, "peers", "detail")
	if len(peers) != 2 {
		t.Fatalf("peers: %v", peers)
	}
	fiber := only(peers, "network-interface", "fiber")[0]
	for key, want := range map[string]any{
		"peer": "hub1", "node": "node1", "destination": "198.51.100.2", "status": "up", "hostname": nil,
		"path-mtu": 1500.0, "reason": nil, "local": "203.0.113.2",
	} {
		if fiber[key] != want {
			t.Errorf("%s: got %v, want %v", key, fiber[key], want)
		}
	}
	origin, _ := fiber["origin"].(map[string]any)
	if origin["port-range"] != "peer" || origin["path-mtu-discovery.enabled"] != "own" {
		t.Errorf("origins: %v", origin)
	}
	for _, row := range show(t, r, "udp-transform") {
		if want := map[any]any{"fiber": "disabled", "lte": "enabled"}[row["network-interface"]]; row["status"] != want {
			t.Errorf("udp-transform: %v", row)
		}
	}
}

// checkOwnTraffic: the box itself talks, from its own range of ports.
func checkOwnTraffic(t *testing.T, w *world.World) {
	page := get(t, w, world.Branch, "http://192.0.2.10/")
	_, port, _ := strings.Cut(page.Body, "203.0.113.2:")
	if port = strings.TrimSpace(port); len(port) != 5 || port < "10000" || port > "16383" {
		t.Errorf("the internet saw %q, want 203.0.113.2 and a port of 10000-16383", page.Body)
	}
}
