package router_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
	"waymark/net/netns/nstest"
)

// withServices is the example whose branch serves its LAN: DHCP with a static
// assignment, and DNS by a resolver behind the fiber.
func withServices(mac string) []byte {
	text := bytes.Replace(world.Acme(), []byte(`{"name": "lan", "vlan": 0, "tenant": "corp",`), fmt.Appendf(nil,
		`{"name": "lan", "vlan": 0, "tenant": "corp", "host-service": [{"service-type": "dns-forwarder"},
		  {"service-type": "dhcp-server", "max-lease-time": 600, "address-pool": [{"start-address": "192.168.1.100", "end-address": "192.168.1.120",
		   "domain-name": "branch.example", "static-assignment": [{"address": "192.168.1.77", "link-layer-address": "%s"}],
		   "custom": [{"code": 43, "type": "hex", "value": "0102aabb"}]}]}],`, mac), 1)
	return bytes.Replace(text, []byte(`"name": "branch1", "location"`),
		[]byte(`"name": "branch1", "dns-config": [{"mode": "static", "address": ["203.0.113.1"]}], "location"`), 1)
}

// udhcpc gets an address for the client's interface as a host does, and returns
// what it was told.
func udhcpc(t *testing.T, w *world.World, dev string) string {
	t.Helper()
	script := writeConfig(t, w, "udhcpc.sh", []byte("#!/bin/sh\n[ \"$1\" != bound ] || echo \"ip=$ip router=$router dns=$dns domain=$domain lease=$lease\"\n"))
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := w.Exec(world.Client, nstest.Program(t, "busybox"), "udhcpc", "-i", dev, "-f", "-q", "-n", "-t", "10", "-T", "3", "-s", script, "-x", "hostname:pc1")
	if err != nil {
		t.Fatalf("udhcpc: %v\n%s", err, out)
	}
	return out
}

// A host of the LAN gets its address and its names from the branch, over both
// lanes; a restarted router knows its leases; nothing of it is heard on a WAN.
func TestLANServices(t *testing.T) { onBothLanes(t, testLANServices) }

func testLANServices(t *testing.T, lanes string) {
	w := worldOf(t, lanes, world.Options{})
	dev, mac := clientDevice(t, w)
	if _, err := w.Start(world.ISPFiber, nstest.Program(t, "dnsmasq"), "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
		"--pid-file", "--bind-interfaces", "--listen-address=203.0.113.1", "--host-record=www.a.example,192.0.2.7"); err != nil {
		t.Fatal(err)
	}
	r := start(t, w, "branch1", world.Branch, withServices(mac))
	if out := udhcpc(t, w, dev); !strings.Contains(out, "ip=192.168.1.77 router=192.168.1.1 dns=192.168.1.1 domain=branch.example lease=600") {
		t.Errorf("told %s", out)
	}
	served := func(rows []row) bool {
		return len(rows) == 1 && rows[0]["address"] == "192.168.1.77" && rows[0]["state"] == "leased" && rows[0]["hostname"] == "pc1" && rows[0]["mac-address"] == mac
	}
	until(t, r, "lease shown", served, "dhcp", "server")
	if out, err := w.Exec(world.Client, "dig", "@192.168.1.1", "+short", "+tries=5", "+timeout=5", "www.a.example"); err != nil || out != "192.0.2.7\n" {
		t.Errorf("name: %s, %v", out, err)
	}
	until(t, r, "resolver shown", func(rows []row) bool {
		return len(rows) == 2 && rows[0]["server"] == "203.0.113.1" && rows[0]["network-interface"] == "fiber" && rows[0]["state"] == "answers"
	}, "dns")
	for _, at := range []string{"@203.0.113.2", "@192.168.1.1"} {
		if out, err := w.Exec(world.ISPFiber, "dig", at, "+tries=1", "+timeout=1", "www.a.example"); err == nil {
			t.Errorf("a stranger is answered at %s: %s", at, out)
		}
	}
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	r = start(t, w, "branch1", world.Branch, withServices(mac))
	until(t, r, "lease after a kill", func(rows []row) bool { return len(rows) == 0 || served(rows) }, "dhcp", "server")
	if out := udhcpc(t, w, dev); !strings.Contains(out, "ip=192.168.1.77") {
		t.Errorf("after a kill: %s", out)
	}
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
	leftFiles(t, r.Run)
	if _, err := os.Stat(filepath.Join(r.Run, "router.dhcpd-lan0.json")); err != nil {
		t.Errorf("leases are forgotten: %v", err)
	}
}

// clientDevice names the client's interface and its MAC address.
func clientDevice(t *testing.T, w *world.World) (dev, mac string) {
	t.Helper()
	out, err := w.Exec(world.Client, "ip", "-o", "link", "show", "type", "veth")
	f := strings.Fields(out)
	if err != nil || len(f) < 3 {
		t.Fatal(out, err)
	}
	dev, _, _ = strings.Cut(strings.TrimSuffix(f[1], ":"), "@")
	_, rest, _ := strings.Cut(out, "link/ether ")
	return dev, strings.Fields(rest)[0]
}
