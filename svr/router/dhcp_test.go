package router_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
	"waymark/net/netns/nstest"
	"waymark/net/resolve"
	"waymark/svr/router"
)

// keaConfig is a DHCP server for the branch's LTE port with leases from a pool of
// one. They are short, but outlast the restart of a router on a busy machine.
const keaConfig = `{"Dhcp4": {"interfaces-config": {"interfaces": ["branch"], "dhcp-socket-type": "raw"},
 "lease-database": {"type": "memfile", "persist": false}, "authoritative": true,
 "valid-lifetime": 15, "renew-timer": 2, "rebind-timer": 5,
 "subnet4": [{"id": 1, "subnet": "100.64.0.0/24", "interface": "branch", "pools": [{"pool": "%[1]s - %[1]s"}],
   "option-data": [{"name": "routers", "data": "100.64.0.1"}, {"name": "interface-mtu", "data": "1428"},
     {"name": "domain-name-servers", "data": "100.64.0.1, 100.64.0.2"}]}],
 "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}]}}`

// kea serves one address on the LTE provider's side.
func kea(t *testing.T, w *world.World, address string) *world.Proc {
	t.Helper()
	file := writeConfig(t, w, "kea.json", fmt.Appendf(nil, keaConfig, address))
	p, err := w.Start(world.ISPLTE, "env", "KEA_PIDFILE_DIR="+w.Dir, "KEA_LOCKFILE_DIR=none",
		nstest.Program(t, "kea-dhcp4"), "-c", file)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WaitOutput("DHCP4_STARTED", patience); err != nil {
		t.Fatalf("%v\n%s", err, p.Output())
	}
	return p
}

// leased waits until the branch has an address by DHCP and its path over LTE is up.
func leased(t *testing.T, r *world.Router, address string) {
	t.Helper()
	until(t, r, "lease of "+address, func(rows []row) bool {
		return len(rows) == 1 && rows[0]["dhcp-state"] == "resolved" && rows[0]["address"] == address
	}, "dhcp")
	lteUp(t, r, "up", "")
}

func lteUp(t *testing.T, r *world.Router, status, reason string) {
	t.Helper()
	until(t, r, "path over LTE "+status, func(rows []row) bool {
		lte := only(rows, "network-interface", "lte")
		return len(lte) == 1 && lte[0]["status"] == status && (reason == "" || lte[0]["reason"] == reason)
	}, "peers")
}

// overLTE fetches a page and expects its session on the LTE path from an address.
func overLTE(t *testing.T, w *world.World, r *world.Router, address string) {
	t.Helper()
	if page := get(t, w, world.Client, "http://10.20.0.5/"); page.Status != 200 {
		t.Errorf("over LTE: %d", page.Status)
	}
	s := only(show(t, r, "sessions"), "peer", "hub1")
	if len(s) == 0 || !strings.HasPrefix(s[len(s)-1]["path"].(string), "lte:"+address+">") {
		t.Errorf("sessions: %v", s)
	}
}

// branchByDHCP starts hub, server and a branch whose LTE port is leased one address.
func branchByDHCP(t *testing.T, lanes, address string) (*world.World, *world.Router, *world.Proc) {
	t.Helper()
	w := worldOf(t, lanes, world.Options{NoLTE: true})
	server := kea(t, w, address)
	start(t, w, "hub1", world.Hub, world.Acme())
	serve(t, w, world.Server, "-web", "10.20.0.5:80")
	r := start(t, w, "branch1", world.Branch, world.Acme())
	leased(t, r, address)
	return w, r, server
}

// A leased address carries the second path.
func TestDHCP(t *testing.T) { onBothLanes(t, testDHCP) }

func testDHCP(t *testing.T, lanes string) {
	const first = "100.64.0.33"
	w, r, _ := branchByDHCP(t, lanes, first)
	d := show(t, r, "dhcp", "detail")[0]
	for key, want := range map[string]any{"router": "branch1", "device-interface": "lte", "network-interface": "lte",
		"prefix-length": 24.0, "gateway": "100.64.0.1", "learned-mtu": 1428.0, "server-address": "100.64.0.1"} {
		if d[key] != want {
			t.Errorf("show dhcp: %s is %v, want %v", key, d[key], want)
		}
	}
	if f := only(show(t, r, "network-interface", "detail"), "name", "lte"); len(f) != 1 || f[0]["mtu"] != 1428.0 {
		t.Errorf("the lease's MTU does not hold: %v", f)
	}
	if out, err := w.Exec(world.Branch, "ip", "-4", "route", "show", "default", "dev", "wan1"); err != nil || !strings.Contains(out, "via 100.64.0.1") || !strings.Contains(out, "src "+first) {
		t.Errorf("default route by DHCP: %s, %v", out, err)
	}
	leavesByItsWAN(t, w, first)
	resolvers(t, r, "fiber", "lte")
	if err := w.Carrier(world.ISPFiber, "branch", false); err != nil {
		t.Fatal(err)
	}
	interfaceUp(t, r, "fiber", "down", "no-carrier")
	overLTE(t, w, r, first)
	resolvers(t, r, "lte")
	told := only(show(t, r, "events"), "event-type", "system.address_changed")
	if len(told) != 1 || told[0]["message"] != "address of interface [lte] changed from [] to ["+first+"/24]" {
		t.Errorf("events of addresses: %v", told)
	}
}

// leavesByItsWAN: with two WANs what has the address of one leaves, and is
// answered, by that one. Both lead to the hub, whose answer goes to the address.
func leavesByItsWAN(t *testing.T, w *world.World, lte string) {
	t.Helper()
	for source, dev := range map[string]string{"203.0.113.2": "wan0", lte: "wan1"} {
		out, err := w.Exec(world.Branch, "ip", "route", "get", "198.51.100.2", "from", source)
		if err != nil || !strings.Contains(out, "dev "+dev) {
			t.Errorf("from %s: %s, %v", source, out, err)
		}
		before := sentBy(t, w, dev)
		if out, err := w.Exec(world.Branch, "ping", "-c", "3", "-i", "0.2", "-W", "2", "-I", source, "198.51.100.2"); err != nil {
			t.Errorf("ping from %s: %v, %s", source, err, out)
		}
		if got := sentBy(t, w, dev) - before; got < 3 {
			t.Errorf("%d packets from %s left by %s", got, source, dev)
		}
	}
	// A host of the LAN is reached from any address, and by its own interface.
	if out, err := w.Exec(world.Branch, "ip", "route", "get", "192.168.1.10", "from", lte); err != nil || !strings.Contains(out, "dev lan0") {
		t.Errorf("to the LAN: %s, %v", out, err)
	}
}

// sentBy counts the packets that left by a device of the branch.
func sentBy(t *testing.T, w *world.World, dev string) (n int) {
	t.Helper()
	out, err := w.Exec(world.Branch, "cat", "/sys/class/net/"+dev+"/statistics/tx_packets")
	if _, e := fmt.Sscan(out, &n); err != nil || e != nil {
		t.Fatal(out, err, e)
	}
	return n
}

// resolvers waits until RUN/resolv.json has these WANs in this order.
func resolvers(t *testing.T, r *world.Router, names ...string) {
	t.Helper()
	var f *resolve.File
	err := world.Until(patience, "resolvers", func() (bool, error) {
		var err error
		if f, err = resolve.Read(filepath.Join(r.Run, router.ResolvFile)); err != nil {
			return false, err
		}
		conf, err := os.ReadFile(filepath.Join(r.Run, router.ResolvConf)) // written behind the other one
		return len(f.WANs) == len(names) && string(conf) == f.Conf(), err
	})
	if err != nil {
		t.Fatal(err, f)
	}
	for i, n := range names {
		if f.WANs[i].Interface != n {
			t.Errorf("WANs %+v, want %v", f.WANs, names)
		}
	}
	last := f.WANs[len(names)-1]
	if !last.Metered || fmt.Sprint(last.Resolvers) != "[100.64.0.1 100.64.0.2]" || len(f.Upstreams()) != 2 || f.Upstreams()[0].Source != last.Addresses[0] {
		t.Errorf("%+v, upstreams %+v", last, f.Upstreams())
	}
	conf, err := os.ReadFile(filepath.Join(r.Run, router.ResolvConf))
	if want := map[bool]int{true: 2, false: 0}[names[0] == "lte"]; err != nil || strings.Count(string(conf), "nameserver ") != want {
		t.Errorf("resolv.conf: %s, %v", conf, err)
	}
}

// The life of a leased address in a router: the path follows it.
func TestLeaseComesAndGoes(t *testing.T) {
	t.Parallel()
	const first, second = "100.64.0.33", "100.64.0.44"
	w, r, server := branchByDHCP(t, router.LanesBPF, first)
	if err := w.Carrier(world.ISPFiber, "branch", false); err != nil {
		t.Fatal(err)
	}
	interfaceUp(t, r, "fiber", "down", "no-carrier")

	// A killed router's successor goes on with the lease; the address stays.
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	r = start(t, w, "branch1", world.Branch, world.Acme())
	if d := show(t, r, "dhcp")[0]; d["dhcp-state"] != "resolved" || d["address"] != first {
		t.Errorf("after a kill: %v", d)
	}
	lteUp(t, r, "up", "")
	overLTE(t, w, r, first)

	// Nobody extends the lease: address and path go, with their alarms.
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	until(t, r, "no lease", func(rows []row) bool { return rows[0]["dhcp-state"] == "unresolved" }, "dhcp")
	lteUp(t, r, "down", "no-address")
	if out, err := w.Exec(world.Branch, "ip", "-4", "-o", "address", "show", "dev", "wan1"); err != nil || out != "" {
		t.Errorf("address behind its lease: %s, %v", out, err)
	}
	within(t, 2*patience, r, "alarm", func(rows []row) bool {
		a := only(rows, "category", "giid")
		return len(a) == 1 && a[0]["message"] == "DHCP address for interface [lte] has not been resolved"
	}, "alarms")

	// Another address comes; new sessions use it.
	server = kea(t, w, second)
	flap(t, w, r)
	leased(t, r, second)
	overLTE(t, w, r, second)
	until(t, r, "alarm cleared, change told", func(rows []row) bool {
		return len(only(rows, "event-type", "system.dhcp_changed")) == 1 && len(only(rows, "category", "giid")) == 4
	}, "events")
	files, err := filepath.Glob(filepath.Join(r.Run, router.LeasePrefix+"*"))
	if err != nil || len(files) != 1 {
		t.Errorf("lease files %v, %v", files, err)
	}
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
	leftFiles(t, r.Run)
	if _, err := os.Stat(files[0]); err != nil {
		t.Errorf("an orderly stop forgets the lease: %v", err)
	}
	if out, err := w.Exec(world.Branch, "ip", "-4", "-o", "address", "show", "dev", "wan1"); err != nil || out != "" {
		t.Errorf("address after stop: %s, %v", out, err)
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
}

// flap takes the LTE carrier away for a moment: the client asks at once.
func flap(t *testing.T, w *world.World, r *world.Router) {
	t.Helper()
	if err := w.Carrier(world.ISPLTE, "branch", false); err != nil {
		t.Fatal(err)
	}
	interfaceUp(t, r, "lte", "down", "no-carrier")
	if err := w.Carrier(world.ISPLTE, "branch", true); err != nil {
		t.Fatal(err)
	}
}
