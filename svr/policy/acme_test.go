package policy_test

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"waymark/mgmt/config"
	"waymark/svr/policy"
)

const (
	staff   = "192.168.1.10"
	visitor = "192.168.9.10"
)

func TestAcmeFIB(t *testing.T) {
	checkLookups(t, acme(t, "branch1"), []lookupRow{
		{"corp", staff, "10.20.0.80", 6, 8443, "payroll", policy.Routed},
		{"corp", staff, "10.20.0.80", 6, 80, "datacenter", policy.Routed},
		{"corp", staff, "10.20.0.80", 17, 8443, "datacenter", policy.Routed},
		{"corp", staff, "10.20.0.80", 1, 8443, "datacenter", policy.Routed},
		{"guest", visitor, "10.20.0.80", 6, 8443, "payroll", policy.Deny},
		{"guest", visitor, "10.20.0.80", 6, 80, "", policy.Prohibited},
		{"guest", visitor, "10.20.0.5", 6, 80, "", policy.Prohibited},
		{"guest", visitor, "192.168.1.10", 6, 80, "", policy.Prohibited},
		{"guest", visitor, "8.8.8.8", 17, 53, "internet", policy.Routed},
		{"corp", staff, "8.8.8.8", 6, 443, "internet", policy.Routed},
		{"corp", "fd00:1::5", "fd00:20::80", 6, 80, "datacenter", policy.Routed},
		{"corp", "fd00:1::5", "2001:db8::1", 6, 80, "", policy.NoRoute},
		{"guest", "fd00:1::5", "fd00:20::80", 6, 80, "", policy.Prohibited},
		{"<global>", visitor, "8.8.8.8", 6, 443, "", policy.NoRoute},
		{"<global>", visitor, "10.20.0.80", 6, 8443, "", policy.Prohibited},
	})
}

func TestAcmeHubHasNoBreakout(t *testing.T) {
	checkLookups(t, acme(t, "hub1"), []lookupRow{
		{"corp", staff, "10.20.0.80", 6, 8443, "payroll", policy.Routed},
		{"corp", "10.20.0.9", staff, 6, 80, "branch-lan", policy.Routed},
		{"corp", staff, "8.8.8.8", 6, 443, "internet", policy.NoRoute},
	})
}

func TestAcmeInterfaces(t *testing.T) {
	b := acme(t, "branch1")
	if got := len(b.Interfaces); got != 3 {
		t.Fatalf("got %d interfaces, want 3", got)
	}
	lan, fiber, lte := &b.Interfaces[0], &b.Interfaces[1], &b.Interfaces[2]
	if lan.Target != "lan0" || lan.Tenant != tenant(t, b, "corp") || lan.SourceNAT || len(lan.Addresses) != 2 {
		t.Errorf("lan: got %+v", lan)
	}
	if fiber.Target != "wan0" || fiber.Tenant != policy.NoTenant || !fiber.SourceNAT || fiber.DHCP ||
		fiber.Addresses[0].Gateway != netip.MustParseAddr("203.0.113.1") {
		t.Errorf("fiber: got %+v", fiber)
	}
	if got := b.Security[fiber.RecvPolicy].Name; got != "internal" {
		t.Errorf("fiber: got receive policy %q, want internal", got)
	}
	if !lte.DHCP || !lte.Metered || !lte.Enabled || len(lte.Addresses) != 0 {
		t.Errorf("lte: got %+v", lte)
	}
}

func TestAcmePaths(t *testing.T) {
	b := acme(t, "branch1")
	if len(b.Paths) != 2 || len(b.Peers) != 1 || b.Peers[0].Name != "hub1" {
		t.Fatalf("got paths %+v peers %+v, want 2 paths to hub1", b.Paths, b.Peers)
	}
	fiber, lte := &b.Paths[0], &b.Paths[1]
	if got, want := fiber.Name, "fiber:203.0.113.2>198.51.100.2"; got != want {
		t.Errorf("got path name %q, want %q", got, want)
	}
	if got, want := lte.Name, "lte:>198.51.100.2"; got != want {
		t.Errorf("got path name %q, want %q", got, want)
	}
	if len(fiber.PeerPorts) != 1 || fiber.PeerPorts[0] != (policy.PortRange{First: 20000, Last: 20999}) {
		t.Errorf("fiber: got peer ports %v, want 20000-20999", fiber.PeerPorts)
	}
	if fiber.AlwaysTransform || !lte.AlwaysTransform || !lte.OutboundOnly || lte.PeerOutbound {
		t.Errorf("got transform %v, %v outbound %v, %v, want only lte's", fiber.AlwaysTransform,
			lte.AlwaysTransform, lte.OutboundOnly, lte.PeerOutbound)
	}
	if got := b.Security[fiber.SendPolicy].Name; got != "internal" {
		t.Errorf("got send policy %q, want internal", got)
	}
	h := acme(t, "hub1")
	if len(h.Paths) != 2 || h.Paths[0].Remote != netip.MustParseAddr("203.0.113.2") || h.Paths[1].Remote.IsValid() {
		t.Errorf("hub: got paths %+v, want fiber known, lte unknown", h.Paths)
	}
	if !h.Paths[1].PeerOutbound || !h.Paths[1].AlwaysTransform {
		t.Errorf("hub: got lte path %+v, want outbound peer and transform", h.Paths[1])
	}
}

func TestAcmeChoice(t *testing.T) {
	b := acme(t, "branch1")
	dc, net := service(t, b, "datacenter"), service(t, b, "internet")
	all := func(policy.PathID) bool { return true }
	ifAll := func(policy.IfID) bool { return true }
	c, ok := b.Choose(dc.ID, all, ifAll, 7)
	if !ok || c.Path != 0 || c.Vector != "fiber" || c.Cost != 1 || b.Interfaces[c.If].Name != "fiber" {
		t.Errorf("all up: got %+v %v, want path 0 by fiber at 1", c, ok)
	}
	c, ok = b.Choose(dc.ID, func(p policy.PathID) bool { return p == 1 }, ifAll, 7)
	if !ok || c.Path != 1 || c.Vector != "lte" || c.Cost != 10 {
		t.Errorf("fiber down: got %+v %v, want path 1 by lte at 10", c, ok)
	}
	if c, ok := b.Choose(dc.ID, func(policy.PathID) bool { return false }, ifAll, 7); ok {
		t.Errorf("all down: got %+v, want none", c)
	}
	c, ok = b.Choose(net.ID, all, ifAll, 7)
	if !ok || c.Path != policy.NoPath || b.Interfaces[c.If].Name != "fiber" || !c.SourceNAT {
		t.Errorf("breakout: got %+v %v, want fiber with source NAT", c, ok)
	}
	c, ok = b.Choose(net.ID, all, func(i policy.IfID) bool { return b.Interfaces[i].Name == "lte" }, 7)
	if !ok || b.Interfaces[c.If].Name != "lte" || !c.SourceNAT {
		t.Errorf("breakout, fiber down: got %+v %v, want lte", c, ok)
	}
	if c, _ := b.Choose(service(t, b, "branch-lan").ID, all, ifAll, 7); c.SourceNAT {
		t.Errorf("local lan: got %+v, want no source NAT", c)
	}
}

func TestAcmePolicies(t *testing.T) {
	b := acme(t, "branch1")
	p := service(t, b, "payroll")
	if got := b.Security[p.Security].Name; got != "payload-cbc" {
		t.Errorf("got security %q, want payload-cbc", got)
	}
	if p.Policy.Resiliency != policy.ResiliencyRevertible || p.Policy.MaxLoss != 2 || p.Policy.Enforcement != policy.EnforceReset {
		t.Errorf("got policy %+v", p.Policy)
	}
	if got := service(t, b, "internet"); got.Security != policy.NoSecurity || got.Policy == nil || got.Policy.Name != "" {
		t.Errorf("internet: got %+v, want no security and the default policy", got)
	}
}

func TestAcmeTimeouts(t *testing.T) {
	b := acme(t, "branch1")
	for _, tc := range []struct {
		proto         uint8
		port          uint16
		idle, initial time.Duration
	}{
		{17, 53, 5 * time.Second, 10 * time.Second},
		{17, 52, 180 * time.Second, 10 * time.Second},
		{17, 54, 180 * time.Second, 10 * time.Second},
		{6, 8443, 1900 * time.Second, 10 * time.Second},
		{6, 0, 1900 * time.Second, 10 * time.Second},
		{6, 65535, 1900 * time.Second, 10 * time.Second},
		{1, 4711, 10 * time.Second, 10 * time.Second},
		{58, 53, 10 * time.Second, 10 * time.Second},
		{47, 0, 180 * time.Second, 10 * time.Second},
	} {
		idle, initial := b.Timeout(0, tc.proto, tc.port)
		if idle != tc.idle || initial != tc.initial {
			t.Errorf("%d/%d: got %v, %v, want %v, %v", tc.proto, tc.port, idle, initial, tc.idle, tc.initial)
		}
	}
}

// Every port has the timers that the configuration itself names.
func TestTimeoutsAreTheConfigurations(t *testing.T) {
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	a := parse(t, data)
	a.SessionTypes = append(a.SessionTypes, config.SessionType{Name: "range", Timeout: time.Minute,
		InitialTimeout: time.Second, Transports: []config.Transport{{Protocol: config.ProtoTCP,
			Ports: []config.PortRange{{Start: 79, End: 8079}, {Start: 65000, End: 65535}}}}})
	b := build(t, a, "branch1")
	for port := range 1 << 16 {
		want := a.SessionTypeFor(config.ProtoTCP, uint16(port))
		idle, initial := b.Timeout(0, 6, uint16(port))
		if idle != want.Timeout || initial != want.InitialTimeout {
			t.Fatalf("tcp/%d: got %v, %v, want %v, %v", port, idle, initial, want.Timeout, want.InitialTimeout)
		}
	}
}

func TestAcmeTables(t *testing.T) {
	b := acme(t, "branch1")
	var rows []string
	for _, r := range b.FIB() {
		rows = append(rows, r.Prefix.String()+" "+r.PortText()+" "+r.ProtoText()+" "+r.Tenant+" "+nameOf(b, r.Service))
	}
	want := []string{
		"10.20.0.0/24 <any> <any> corp datacenter", "fd00:20::/64 <any> <any> corp datacenter",
		"10.20.0.80/32 8443 tcp corp payroll", "10.20.0.80/32 8443 tcp guest payroll",
		"192.168.1.0/24 <any> <any> corp branch-lan",
		"0.0.0.0/0 <any> <any> corp internet", "0.0.0.0/0 <any> <any> guest internet",
	}
	if len(rows) != len(want) {
		t.Fatalf("fib: got %q, want %q", rows, want)
	}
	for i := range want {
		if rows[i] != want[i] {
			t.Errorf("fib row %d: got %q, want %q", i, rows[i], want[i])
		}
	}
	paths := b.ServicePaths(func(p policy.PathID) bool { return p == 0 }, func(policy.IfID) bool { return true })
	if len(paths) != 7 || !paths[0].Up || paths[0].Peer != "hub1" || paths[1].Up {
		t.Errorf("service-path: got %+v, want 7 rows, the first up, the second down", paths)
	}
	members := b.TenantMembers()
	if len(members) != 1 || members[0].Tenant != tenant(t, b, "corp") || members[0].Source != policy.SourceInterface {
		t.Errorf("tenant members: got %+v, want corp on lan", members)
	}
}
