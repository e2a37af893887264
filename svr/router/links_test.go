package router_test

import (
	"bytes"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
	"waymark/svr/lane/lanetest/gen"
)

// Devices, carriers and leases come and go; the rest of the router runs on.
func TestInterfacesComeAndGo(t *testing.T) { onBothLanes(t, testInterfacesComeAndGo) }

func testInterfacesComeAndGo(t *testing.T, lanes string) {
	w := worldOf(t, lanes, world.Options{NoLTE: true})
	if err := w.IP(world.Branch, "link set dev lan0 down", "link set dev lan0 name lan9"); err != nil {
		t.Fatal(err)
	}
	start(t, w, "hub1", world.Hub, world.Acme())
	serve(t, w, world.Server, "-web", "10.20.0.5:80")
	r := start(t, w, "branch1", world.Branch, world.Acme())
	interfaceUp(t, r, "fiber", "up", "")
	interfaceUp(t, r, "lan", "down", "no-device")
	interfaceUp(t, r, "lte", "down", "no-address")
	if got := only(show(t, r, "peers"), "network-interface", "lte"); len(got) != 1 || got[0]["reason"] != "no-address" {
		t.Errorf("path without address: %v", got)
	}

	if err := w.IP(world.Branch, "link set dev lan9 down", "link set dev lan9 name lan0"); err != nil {
		t.Fatal(err)
	}
	interfaceUp(t, r, "lan", "up", "")
	if page := get(t, w, world.Client, "http://10.20.0.5/"); page.Status != 200 {
		t.Errorf("over a device that came late: %d", page.Status)
	}

	if err := w.LeaseLTE(); err != nil {
		t.Fatal(err)
	}
	interfaceUp(t, r, "lte", "up", "")
	// The address is there before its route, and before our client has seen it.
	until(t, r, "our client beside an address set by hand", func(d []row) bool {
		return len(d) == 1 && d[0]["dhcp-state"] == "external" && d[0]["address"] == "100.64.0.10" &&
			d[0]["gateway"] == "100.64.0.1" && d[0]["state-machine-state"] == "DOWN"
	}, "dhcp", "detail")

	// The fiber's carrier goes: new sessions take LTE, UDP transform and NAT.
	if err := w.Carrier(world.ISPFiber, "branch", false); err != nil {
		t.Fatal(err)
	}
	interfaceUp(t, r, "fiber", "down", "no-carrier")
	until(t, r, "alarms", func(rows []row) bool {
		return len(only(rows, "source", "fiber")) == 1 && len(only(rows, "category", "peer")) == 1
	}, "alarms")
	if page := get(t, w, world.Client, "http://10.20.0.5/"); page.Status != 200 {
		t.Errorf("over LTE: %d", page.Status)
	}
	if got := only(show(t, r, "sessions"), "peer", "hub1"); len(got) == 0 || !strings.HasPrefix(got[len(got)-1]["path"].(string), "lte:100.64.0.10>") {
		t.Errorf("sessions: %v", got)
	}
	if err := w.Carrier(world.ISPFiber, "branch", true); err != nil {
		t.Fatal(err)
	}
	interfaceUp(t, r, "fiber", "up", "")
	until(t, r, "no alarms", func(rows []row) bool { return len(rows) == 0 }, "alarms")
	events := show(t, r, "events")
	if add, clear := only(events, "event-type", "add"), only(events, "event-type", "clear"); len(add) != len(clear) || len(add) < 5 {
		t.Errorf("%d alarms raised, %d cleared", len(add), len(clear))
	}

	// A device that goes away and comes back is another one.
	if err := w.IP(world.ISPFiber, "link delete dev branch"); err != nil {
		t.Fatal(err)
	}
	interfaceUp(t, r, "fiber", "down", "no-device")
	if err := w.AddCable(world.Branch, "wan0", world.ISPFiber, "branch"); err != nil {
		t.Fatal(err)
	}
	if err := w.IP(world.ISPFiber, "address add 203.0.113.1/24 dev branch"); err != nil {
		t.Fatal(err)
	}
	interfaceUp(t, r, "fiber", "up", "")
	if page := get(t, w, world.Client, "http://10.20.0.5/"); page.Status != 200 {
		t.Errorf("over a new device: %d", page.Status)
	}
}

// Two VLANs of one device, tagged by the router itself: no kernel device, ARP
// and ND answered by the lane.
func TestVLANs(t *testing.T) { onBothLanes(t, testVLANs) }

func testVLANs(t *testing.T, lanes string) {
	w := worldOf(t, lanes, world.Options{})
	config := world.Acme()
	for _, change := range [][2]string{
		{`{"name": "lan", "vlan": 0, "tenant": "corp",`, `{"name": "lan", "vlan": 7, "tenant": "corp",`},
		{`{"name": "dc", "vlan": 0, "tenant": "corp",`, `{"name": "dc", "vlan": 20, "tenant": "corp",`},
	} {
		if !bytes.Contains(config, []byte(change[0])) {
			t.Fatalf("the example has no %s", change[0])
		}
		config = bytes.Replace(config, []byte(change[0]), []byte(change[1]), 1)
	}
	gen.Tagger(t, w.NS(world.Client), "eth0", 7)
	gen.Tagger(t, w.NS(world.Server), "eth0", 20)
	start(t, w, "hub1", world.Hub, config)
	branch := start(t, w, "branch1", world.Branch, config)
	serve(t, w, world.Server, "-web", "10.20.0.5:80,[fd00:20::5]:80")
	for _, url := range []string{"http://10.20.0.5/", "http://[fd00:20::5]/"} {
		if page := get(t, w, world.Client, url); page.Status != 200 {
			t.Errorf("%s: %d", url, page.Status)
		}
	}
	for _, dst := range []string{"192.168.1.1", "fd00:1::1"} { // the router's own address on the tag
		if out, err := w.Exec(world.Client, "ping", "-n", "-c", "1", "-W", "2", dst); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	if s := only(show(t, branch, "sessions"), "dir", "fwd"); len(s) == 0 || s[0]["vlan"] != 7.0 {
		t.Errorf("sessions: %v", s)
	}
	if out, err := w.Exec(world.Branch, "ip", "-o", "address", "show", "dev", "lan0"); err != nil || strings.Contains(out, "192.168.1.1") {
		t.Errorf("the kernel has the address of a VLAN: %s, %v", out, err)
	}
}
