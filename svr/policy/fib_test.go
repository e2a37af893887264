package policy_test

import (
	"net/netip"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/policy"
)

// order has one address space in which every step of the FIB order decides
// something.
func order() *config.Authority {
	pub, priv := config.ScopePublic, config.ScopePrivate
	a := minimal(
		with(svc("any", pub, "0.0.0.0/0"), nil, "a", "b"),
		with(svc("web", pub, "0.0.0.0/0"), tcp(443, 443), "a"),
		with(svc("host", pub, "10.1.1.1/32"), nil, "a"),
		with(svc("tcp", pub, "10.0.0.0/8"), tcp(0, 0), "a"),
		with(svc("net", pub, "10.0.0.0/8"), nil, "a"),
		with(svc("wide", pub, "10.2.0.0/16"), tcp(1000, 2000), "a"),
		with(svc("narrow", pub, "10.2.0.0/16"), tcp(1500, 1600), "a"),
		with(svc("v6icmp", pub, "fd00::/8"), trans(config.ProtoICMP, 0, 0), "a"),
		with(svc("top", pub, "10.3.0.0/16"), tcp(0xffff, 0xffff), "a"),
		with(svc("vault", priv, "10.9.0.0/16"), nil, "b"),
		with(svc("open", pub, "10.9.9.0/24"), nil, "a"),
		with(svc("blocked", pub, "172.16.0.0/12"), nil, "!a"),
		with(svc("under", pub, "172.16.1.0/24"), nil, "b"),
		with(svc("routeless", pub, "10.1.0.0/16"), nil, "a"),
	)
	a.Tenants = []config.Tenant{{Name: "a"}, {Name: "b"}}
	routes := &a.Routers[0].ServiceRoutes
	*routes = (*routes)[:len(*routes)-1]
	return a
}

func TestFIBOrder(t *testing.T) {
	checkLookups(t, build(t, order(), "r"), []lookupRow{
		{"a", "9.9.9.9", "8.8.8.8", 17, 443, "any", policy.Routed},
		{"a", "9.9.9.9", "8.8.8.8", 6, 443, "web", policy.Routed},
		// a named port beats the longer prefix
		{"a", "9.9.9.9", "10.1.1.1", 6, 443, "web", policy.Routed},
		{"a", "9.9.9.9", "10.1.1.1", 6, 80, "host", policy.Routed},
		// the longer prefix beats the named protocol
		{"a", "9.9.9.9", "10.5.5.5", 6, 80, "tcp", policy.Routed},
		{"a", "9.9.9.9", "10.5.5.5", 17, 80, "net", policy.Routed},
		{"a", "9.9.9.9", "10.1.2.2", 6, 80, "routeless", policy.NoRoute},
		// the narrower range, then what is left of the wider
		{"a", "9.9.9.9", "10.2.0.1", 6, 999, "tcp", policy.Routed},
		{"a", "9.9.9.9", "10.2.0.1", 6, 1000, "wide", policy.Routed},
		{"a", "9.9.9.9", "10.2.0.1", 6, 1500, "narrow", policy.Routed},
		{"a", "9.9.9.9", "10.2.0.1", 6, 1600, "narrow", policy.Routed},
		{"a", "9.9.9.9", "10.2.0.1", 6, 1601, "wide", policy.Routed},
		{"a", "9.9.9.9", "10.2.0.1", 6, 2001, "tcp", policy.Routed},
		{"a", "9.9.9.9", "10.3.0.1", 6, 65535, "top", policy.Routed},
		{"a", "9.9.9.9", "10.3.0.1", 6, 65534, "tcp", policy.Routed},
		// ICMP means that of the family; an identifier is no port
		{"a", "fd01::1", "fd00::1", 58, 443, "v6icmp", policy.Routed},
		{"a", "fd01::1", "fd00::1", 6, 443, "", policy.NoRoute},
		{"a", "9.9.9.9", "8.8.8.8", 1, 443, "any", policy.Routed},
	})
}

func TestFIBScopeAndDeny(t *testing.T) {
	checkLookups(t, build(t, order(), "r"), []lookupRow{
		{"b", "9.9.9.9", "10.9.1.1", 6, 80, "vault", policy.Routed},
		{"a", "9.9.9.9", "10.9.1.1", 6, 80, "", policy.Prohibited},
		// public entries that name a port are hidden as well
		{"a", "9.9.9.9", "10.9.1.1", 6, 443, "", policy.Prohibited},
		// an own entry inside the private prefix is none the less its own
		{"a", "9.9.9.9", "10.9.9.1", 6, 80, "open", policy.Routed},
		{"b", "9.9.9.9", "10.9.9.1", 6, 80, "vault", policy.Routed},
		// explicit deny ends the search, though 0.0.0.0/0 would do
		{"a", "9.9.9.9", "172.16.1.1", 6, 80, "blocked", policy.Deny},
		{"b", "9.9.9.9", "172.16.1.1", 6, 80, "under", policy.Routed},
		{"b", "9.9.9.9", "172.17.1.1", 6, 80, "any", policy.Routed},
		// no match is not a deny
		{"<global>", "9.9.9.9", "8.8.8.8", 6, 80, "", policy.NoRoute},
		{"<global>", "9.9.9.9", "10.9.1.1", 6, 80, "", policy.Prohibited},
	})
}

func TestFIBUnknownTenant(t *testing.T) {
	b := build(t, order(), "r")
	for _, id := range []policy.TenantID{3, policy.NoTenant} {
		if s, v := b.Lookup(id, tuple("9.9.9.9", "8.8.8.8", 6, 80)); s != policy.NoService || v != policy.NoRoute {
			t.Errorf("tenant %d: got %v %v, want no service, no-route", id, s, v)
		}
	}
}

func TestAccessBySource(t *testing.T) {
	s := svc("s", config.ScopePublic, "10.0.0.0/8")
	s.AccessPolicies = []config.AccessPolicy{
		{Tenant: "corp"},
		{Tenant: "corp", Prefix: netip.MustParsePrefix("192.168.7.0/24"), Deny: true},
		{Prefix: netip.MustParsePrefix("192.168.7.7/32")},
		{Tenant: "eng.corp", Prefix: netip.MustParsePrefix("fd00::/64"), Deny: true},
		{Tenant: "lab.corp", Deny: true},
	}
	a := minimal(s)
	a.Tenants = []config.Tenant{{Name: "corp"}, {Name: "eng.corp"}, {Name: "x.eng.corp"}, {Name: "lab.corp"}, {Name: "other"}}
	a.Services[0].Addresses = append(a.Services[0].Addresses, netip.MustParsePrefix("fd11::/16"))
	checkLookups(t, build(t, a, "r"), []lookupRow{
		{"corp", "192.168.1.1", "10.1.1.1", 6, 80, "s", policy.Routed},
		{"corp", "192.168.7.1", "10.1.1.1", 6, 80, "s", policy.Deny},
		{"corp", "192.168.7.7", "10.1.1.1", 6, 80, "s", policy.Routed},
		{"eng.corp", "192.168.1.1", "10.1.1.1", 6, 80, "s", policy.Routed},
		{"x.eng.corp", "192.168.7.1", "10.1.1.1", 6, 80, "s", policy.Deny},
		{"x.eng.corp", "fd00::1", "fd11::1", 6, 80, "s", policy.Deny},
		{"corp", "fd00::1", "fd11::1", 6, 80, "s", policy.Routed},
		{"lab.corp", "192.168.1.1", "10.1.1.1", 6, 80, "s", policy.Deny},
		{"other", "192.168.1.1", "10.1.1.1", 6, 80, "", policy.NoRoute},
		{"other", "192.168.7.7", "10.1.1.1", 6, 80, "s", policy.Routed},
		{"<global>", "192.168.7.7", "10.1.1.1", 6, 80, "s", policy.Routed},
	})
}

func TestServiceHierarchy(t *testing.T) {
	parent := with(svc("web", config.ScopePublic, "10.0.0.0/8"), nil, "a")
	parent.Security, parent.ServicePolicy = "sec", "pol"
	child := svc("secure.web", config.ScopePublic)
	child.Transports = tcp(443, 443)
	same := with(svc("same.web", config.ScopePublic), nil, "b")
	off := svc("off", config.ScopePublic, "172.16.0.0/12")
	off.Enabled = false
	elsewhere := with(svc("elsewhere", config.ScopePublic, "172.16.0.0/12"), nil, "a")
	elsewhere.AppliesTo = []config.AppliesTo{{Type: "router", Routers: []string{"q"}}}
	a := minimal(parent, child, same, off, elsewhere)
	a.Tenants = []config.Tenant{{Name: "a"}, {Name: "b"}}
	a.Security = []config.Security{{Name: "other"}, {Name: "sec"}}
	a.ServicePolicies = []config.ServicePolicy{{Name: "pol", LBStrategy: "proportional"}}
	a.Routers[0].ServiceRoutes = a.Routers[0].ServiceRoutes[:1]
	b := build(t, a, "r")
	if len(b.Services) != 3 {
		t.Fatalf("got %d services, want the 3 that apply", len(b.Services))
	}
	c := service(t, b, "secure.web")
	if c.Parent != service(t, b, "web").ID || b.Security[c.Security].Name != "sec" ||
		c.Policy.Strategy != policy.Proportional || len(c.Routes) != 1 {
		t.Errorf("child: got %+v, want all of its parent's", c)
	}
	checkLookups(t, b, []lookupRow{
		{"a", "9.9.9.9", "10.1.1.1", 6, 443, "secure.web", policy.Routed},
		{"a", "9.9.9.9", "10.1.1.1", 6, 80, "web", policy.Routed},
		{"b", "9.9.9.9", "10.1.1.1", 6, 80, "same.web", policy.Routed},
		{"b", "9.9.9.9", "10.1.1.1", 6, 443, "same.web", policy.Routed},
		{"a", "9.9.9.9", "172.16.1.1", 6, 80, "", policy.NoRoute},
	})
	a.Services[0].ShareServiceRoutes = false
	checkLookups(t, build(t, a, "r"), []lookupRow{
		{"a", "9.9.9.9", "10.1.1.1", 6, 443, "secure.web", policy.NoRoute},
		{"a", "9.9.9.9", "10.1.1.1", 6, 80, "web", policy.Routed},
	})
}
