package policy_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/policy"
)

// A peer without a path is a route that never leads anywhere.
func TestPeerWithoutPath(t *testing.T) {
	a := minimal(with(svc("s", config.ScopePublic, "10.0.0.0/8"), nil, policy.GlobalName))
	a.Routers[0].ServiceRoutes[0] = config.ServiceRoute{Name: "away", Service: "s", Peers: []string{"p", "q"}}
	b := build(t, a, "r")
	checkLookups(t, b, []lookupRow{{policy.GlobalName, "9.9.9.9", "10.1.1.1", 6, 80, "s", policy.Routed}})
	yes := func(policy.PathID) bool { return true }
	if c, ok := b.Choose(0, yes, upSet(1), 0); ok {
		t.Errorf("got %+v, want no way", c)
	}
	rows := b.ServicePaths(yes, upSet(1))
	if len(rows) != 2 || rows[0].Peer != "p" || !rows[1].NotTaken || rows[1].Up || rows[1].Route != "away" {
		t.Errorf("got %+v, want p and q, not taken", rows)
	}
	if id, ok := b.PeerByName([]byte("q")); !ok || b.Peers[id].Name != "q" {
		t.Errorf("got %v %v, want q", id, ok)
	}
}

// What next-hop, service and interface say ends up in the choice.
func TestRouteSettings(t *testing.T) {
	s := with(svc("s", config.ScopePublic, "10.0.0.0/8"), nil, policy.GlobalName)
	s.SourceNAT = "disabled"
	a := minimal(s, with(svc("n", config.ScopePublic, "10.0.0.0/9"), nil, policy.GlobalName))
	dev := &a.Routers[0].Nodes[0].Devices[0]
	dev.Interfaces[0].SourceNAT = true
	dev.Interfaces[0].EnforcedMSS = config.MSSMode{Max: 1200}
	dev.Interfaces = append(dev.Interfaces, config.NetworkInterface{Name: "x", EnforcedMSS: config.MSSMode{Automatic: true}})
	dev.Forwarding = false
	gw, target := netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("10.8.8.8")
	a.Routers[0].ServiceRoutes[0].NextHops[0].Gateway = gw
	a.Routers[0].ServiceRoutes[0].NextHops[0].Target = target
	b := build(t, a, "r")
	c, ok := b.Choose(0, noPath, upSet(3), 0)
	if !ok || c.Kind != policy.RouteLocal || c.Gateway != gw || c.Target != target || c.SourceNAT {
		t.Errorf("got %+v %v, want gateway and target without source NAT", c, ok)
	}
	if c, _ := b.Choose(1, noPath, upSet(3), 0); !c.SourceNAT || c.Gateway.IsValid() {
		t.Errorf("got %+v, want source NAT without gateway", c)
	}
	lan, x := b.Interfaces[0], b.Interfaces[1]
	if lan.EnforcedMSS != policy.MSSFixed || lan.MSS != 1200 || x.EnforcedMSS != policy.MSSAutomatic || lan.Enabled {
		t.Errorf("got %+v and %+v, want 1200, automatic, not forwarding", lan, x)
	}
}

func TestDanglingReferences(t *testing.T) {
	for name, spoil := range map[string]func(*config.Authority){
		"tenant security":    func(a *config.Authority) { a.Tenants = []config.Tenant{{Name: "t", Security: "ghost"}} },
		"service security":   func(a *config.Authority) { a.Services[0].Security = "ghost" },
		"service-policy":     func(a *config.Authority) { a.Services[0].ServicePolicy = "ghost" },
		"next-hop interface": func(a *config.Authority) { a.Routers[0].ServiceRoutes[0].NextHops[0].Interface = "ghost" },
		"interface tenant": func(a *config.Authority) {
			a.Routers[0].Nodes[0].Devices[0].Interfaces[0].Tenant = "ghost"
		},
		"interface security": func(a *config.Authority) {
			a.Routers[0].Nodes[0].Devices[0].Interfaces[0].InterRouterSecurity = "ghost"
		},
		"tenant-prefixes": func(a *config.Authority) {
			a.Routers[0].Nodes[0].Devices[0].Interfaces[0].TenantPrefixes = []config.TenantPrefix{{Tenant: "ghost"}}
		},
	} {
		a := minimal(with(svc("s", config.ScopePublic, "10.0.0.0/8"), nil, policy.GlobalName))
		spoil(a)
		if _, err := policy.Build(a, "r", "n"); !errors.Is(err, policy.ErrReference) || !strings.Contains(err.Error(), "ghost") {
			t.Errorf("%s: got %v, want ErrReference naming ghost", name, err)
		}
	}
}

func TestFIBTexts(t *testing.T) {
	ts := append(tcp(80, 90), trans(config.ProtoUDP, 0, 0)...)
	ts = append(ts, trans(config.ProtoICMP, 0, 0)...)
	s := with(svc("s", config.ScopePublic, "10.0.0.0/8"), ts, policy.GlobalName)
	src := netip.MustParsePrefix("192.168.0.0/16")
	s.AccessPolicies = append(s.AccessPolicies, config.AccessPolicy{Prefix: src},
		config.AccessPolicy{Tenant: policy.GlobalName, Prefix: src, Deny: true})
	var got []string
	rows := build(t, minimal(s), "r").FIB()
	for i := range rows {
		got = append(got, strings.Join([]string{rows[i].PortText(), rows[i].ProtoText(), rows[i].Tenant}, " "))
	}
	want := []string{
		"80-90 tcp <global>", "80-90 tcp 192.168.0.0/16", "80-90 tcp <global>@192.168.0.0/16",
		"<any> udp <global>", "<any> udp 192.168.0.0/16", "<any> udp <global>@192.168.0.0/16",
		"<any> icmp <global>", "<any> icmp 192.168.0.0/16", "<any> icmp <global>@192.168.0.0/16",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !rows[2].Deny || rows[0].Deny || len(rows[0].NextHops) != 1 {
		t.Errorf("got %+v, want one next-hop and the third row a deny", rows[:3])
	}
}

func TestPathNameIsBounded(t *testing.T) {
	got := policy.PathName(strings.Repeat("x", 200), netip.Addr{}, netip.Addr{})
	if len(got) != 128 {
		t.Errorf("got %d bytes, want 128", len(got))
	}
}
