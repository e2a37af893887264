package host

import (
	"bytes"
	"net/netip"
	"os"
	"slices"
	"testing"

	"waymark/mgmt/config"
	"waymark/net/addr"
	"waymark/net/dhcp4"
	"waymark/net/link"
	"waymark/net/pppoe"
	"waymark/net/pppoe/disc"
	"waymark/net/pppoe/ppp"
	"waymark/net/route"
	"waymark/net/vlan"
	"waymark/svr/policy"
)

// dialling is branch1 of the example with PPPoE on its fiber port.
func dialling(t *testing.T) *policy.Tables {
	t.Helper()
	data, err := os.ReadFile("../router/testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`{"name": "fiber", "type": "ethernet",`, `{"name": "fiber", "type": "pppoe", "pppoe": {"user-name": "a", "password": "b"},`},
		{`"address": [{"ip-address": "203.0.113.2", "prefix-length": 24, "gateway": "203.0.113.1"}],`, ``},
	} {
		if !bytes.Contains(data, []byte(change[0])) {
			t.Fatalf("the example lacks %s", change[0])
		}
		data = bytes.Replace(data, []byte(change[0]), []byte(change[1]), 1)
	}
	auth, findings := config.Parse(data)
	if findings.Failed() {
		t.Fatal(findings)
	}
	tables, err := policy.Build(auth, "branch1", "")
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// dialSession is what a dialled line gives.
func dialSession() *pppoe.Session {
	return &pppoe.Session{Session: disc.Session{ID: 7},
		Network: ppp.Network{Address: address("10.64.0.10"), Peer: address("10.64.0.1"), DNS: []netip.Addr{address("9.9.9.9")},
			IPv6: true, OwnID: ppp.InterfaceID{7: 9}, MTU: 1492}}
}

// What a line's state makes of its interface.
func TestDialledState(t *testing.T) {
	tables := dialling(t)
	f := find(t, tables, "fiber")
	if f.Line != (policy.Line{Name: "wan0", Port: "wan0"}) || f.Target != "pp-fiber" || !f.DHCP || HasClient(f) {
		t.Fatalf("interface %+v", f)
	}
	for _, row := range []struct {
		name   string
		change func(*View)
		up     bool
		reason string
		mtu    int
	}{
		{"session", nil, true, "", 1492},
		{"no session", func(v *View) { delete(v.Leases, f.ID); delete(v.sessions, f.ID) }, false, ReasonNoAddress, 1492},
		{"interface still down", func(v *View) { l := v.Links["pp-fiber"]; l.Up = false; v.Links["pp-fiber"] = l }, false, ReasonNoAddress, 1492},
		{"interface gone", func(v *View) { delete(v.Links, "pp-fiber") }, false, ReasonNoAddress, 0},
		{"line without carrier", func(v *View) { l := v.Links["wan0"]; l.Carrier = false; v.Links["wan0"] = l }, false, ReasonNoCarrier, 1492},
		{"no line", func(v *View) { delete(v.Links, "wan0") }, false, ReasonNoDevice, 1492},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := dialledView(f)
			if row.change != nil {
				row.change(v)
			}
			s := v.State(f)
			if s.Up != row.up || s.Reason != row.reason || s.MTU != row.mtu || s.Up && (len(s.Addrs) != 1 || s.Addrs[0].Gateway != address("10.64.0.1")) {
				t.Errorf("state %+v", s)
			}
		})
	}
}

// A tagged line wants a VLAN device on its port, and is that device.
func TestDialledTag(t *testing.T) {
	tables := dialling(t)
	f := find(t, tables, "fiber")
	v := dialledView(f)
	if got := wantVLANs(tables, v); got != nil {
		t.Errorf("untagged: VLAN devices %v", got)
	}
	f.Line = policy.Line{Name: "wan0.7", Port: "wan0", Tag: 7}
	want := []vlan.Device{{Name: "wan0.7", Parent: v.Links["wan0"].Index, Tag: 7}}
	if got := wantVLANs(tables, v); !slices.Equal(got, want) {
		t.Errorf("VLAN devices %v, want %v", got, want)
	}
	if got := lines(tables); !slices.Equal(got, []string{"wan0", "wan0.7"}) {
		t.Errorf("lines %v: the port must be up first", got)
	}
	if s := v.State(f); s.Up || s.Reason != ReasonNoDevice {
		t.Errorf("without the device: %+v", s)
	}
	v.Links["wan0.7"] = link.Link{Index: 10, Name: "wan0.7", Type: Ethernet, MTU: 1500, Up: true, Carrier: true, Oper: link.OperUp}
	if s := v.State(f); !s.Up || f.Tag() != 7 || f.VLAN != 0 {
		t.Errorf("with it: %+v, tag %d, VLAN %d", s, f.Tag(), f.VLAN)
	}
	delete(v.Links, "wan0")
	if got := wantVLANs(tables, v); got != nil {
		t.Errorf("without the port: VLAN devices %v", got)
	}
}

func dialledView(f *policy.Interface) *View {
	v := branchView()
	v.Links["pp-fiber"] = link.Link{Index: 9, Name: "pp-fiber", Type: 512, MTU: 1492, Up: true, Carrier: true}
	v.Leases = map[policy.IfID]*dhcp4.Lease{f.ID: sessionLease(dialSession())}
	v.sessions = map[policy.IfID]*pppoe.Session{f.ID: dialSession()}
	return v
}

// Addresses, routes, guard and devices that a session wants.
func TestDialledPlans(t *testing.T) {
	tables := dialling(t)
	f := find(t, tables, "fiber")
	v := dialledView(f)
	addrs := wantAddresses(tables, v)
	for _, want := range []addr.Address{{Index: 9, Prefix: prefix("10.64.0.10/32")}, {Index: 9, Prefix: prefix("fe80::9/64")}} {
		if !slices.Contains(addrs, want) {
			t.Errorf("addresses %v lack %v", addrs, want)
		}
	}
	routes := wantRoutes(tables, v)
	metric, own := uint32(leaseMetric+int(f.ID)), address("10.64.0.10")
	for _, want := range []route.Route{
		{Dst: prefix("10.64.0.1/32"), Index: 9, Metric: metric, Source: own},
		{Dst: prefix("0.0.0.0/0"), Gateway: address("10.64.0.1"), Index: 9, Metric: metric, Source: own},
	} {
		if !slices.Contains(routes, want) {
			t.Errorf("routes %v lack %v", routes, want)
		}
	}
	g := wantGuard(tables, v)
	if !slices.Contains(g.Devices, "pp-fiber") || !slices.Contains(g.Devices, "wan0") || slices.Contains(g.Clients, "wan0") {
		t.Errorf("guard %+v", g)
	}
	if ports := Targets(tables); !slices.Contains(ports, "pp-fiber") || slices.Contains(ports, "wan0") {
		t.Errorf("ports of the lane: %v", ports)
	}
}

// Sessions in the form of leases.
func TestSessionLease(t *testing.T) {
	s := dialSession()
	l := sessionLease(s)
	if l.Address != prefix("10.64.0.10/32") || l.Gateway != s.Peer || l.MTU != 1492 || len(l.DNS) != 1 || l.Seconds != dhcp4.Infinite {
		t.Errorf("lease %+v", l)
	}
	for _, peer := range []netip.Addr{{}, s.Address} {
		s.Peer = peer
		if l := sessionLease(s); l.Gateway != unnamedPeer {
			t.Errorf("peer %v: gateway %v", peer, l.Gateway)
		}
	}
	s.Address = netip.Addr{}
	if sessionLease(s) != nil {
		t.Error("a lease without an address")
	}
}
