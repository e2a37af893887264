package policy_test

import (
	"errors"
	"net/netip"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/packet"
	"waymark/svr/policy"
)

// sources has every way to a tenant.
func sources() *config.Authority {
	a := minimal()
	pfx := netip.MustParsePrefix
	a.Tenants = []config.Tenant{
		{Name: "corp"},
		{Name: "guest", Members: []config.TenantMember{{Neighborhood: "campus",
			Addresses: []netip.Prefix{pfx("10.1.0.0/16"), pfx("fd01::/64")}}}},
		{Name: "lab", Members: []config.TenantMember{
			{Neighborhood: "campus", Addresses: []netip.Prefix{pfx("10.1.7.0/24")}},
			{Neighborhood: "elsewhere", Addresses: []netip.Prefix{pfx("0.0.0.0/0")}}}},
		{Name: "printer"},
	}
	dev := &a.Routers[0].Nodes[0].Devices[0]
	dev.Interfaces = []config.NetworkInterface{
		{Name: "owned", Tenant: "corp", Neighborhoods: []config.Neighborhood{{Name: "campus"}},
			TenantPrefixes: []config.TenantPrefix{{Tenant: "printer", Addresses: []netip.Prefix{pfx("10.1.9.0/24")}}}},
		{Name: "shared", Neighborhoods: []config.Neighborhood{{Name: "campus"}}},
		{Name: "bare"},
	}
	return a
}

func TestTenantSources(t *testing.T) {
	b := build(t, sources(), "r")
	for _, tc := range []struct {
		name, src string
		ifc       policy.IfID
		want      string
	}{
		{"interface", "172.16.0.1", 0, "corp"},
		{"interface before member", "10.1.1.1", 0, "corp"},
		{"prefix of the interface before its tenant", "10.1.9.1", 0, "printer"},
		{"member", "10.1.1.1", 1, "guest"},
		{"member IPv6", "fd01::1", 1, "guest"},
		{"longest member", "10.1.7.1", 1, "lab"},
		{"other source", "10.2.0.1", 1, policy.GlobalName},
		{"other family, same bytes", "a01:700::", 1, policy.GlobalName},
		{"no rule", "10.1.1.1", 2, policy.GlobalName},
		{"no interface", "10.1.1.1", 3, policy.GlobalName},
		{"none at all", "10.1.1.1", policy.NoIf, policy.GlobalName},
	} {
		src, family := packet.FromAddr(netip.MustParseAddr(tc.src))
		got := b.ClassifyTenant(tc.ifc, src, family)
		if b.Tenants[got].Name != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, b.Tenants[got].Name, tc.want)
		}
	}
}

func TestTenantByName(t *testing.T) {
	b := build(t, sources(), "r")
	if got := tenant(t, b, "guest"); b.Tenants[got].Name != "guest" {
		t.Errorf("got %q, want guest", b.Tenants[got].Name)
	}
	if got := tenant(t, b, policy.GlobalName); got != policy.Global {
		t.Errorf("got %d, want Global", got)
	}
	if got, ok := b.TenantByName([]byte("nobody")); ok {
		t.Errorf("got %d, want none", got)
	}
}

func TestTenantParents(t *testing.T) {
	a := minimal()
	a.Tenants = []config.Tenant{{Name: "x.y.corp"}, {Name: "corp"}, {Name: "z.x.y.corp"}, {Name: "lone.ly"}}
	b := build(t, a, "r")
	for child, want := range map[string]string{"x.y.corp": "corp", "z.x.y.corp": "x.y.corp"} {
		if got := b.Tenants[b.Tenants[tenant(t, b, child)].Parent].Name; got != want {
			t.Errorf("parent of %s: got %q, want %q", child, got, want)
		}
	}
	if got := b.Tenants[tenant(t, b, "lone.ly")].Parent; got != policy.NoTenant {
		t.Errorf("parent of lone.ly: got %d, want none", got)
	}
}

func TestTenantMembers(t *testing.T) {
	b := build(t, sources(), "r")
	got := b.TenantMembers()
	if len(got) != 8 {
		t.Fatalf("got %d rows %+v, want 8", len(got), got)
	}
	if r := got[1]; r.Source != policy.SourceInterface || r.Prefix.IsValid() || b.Tenants[r.Tenant].Name != "corp" {
		t.Errorf("got %+v, want corp for the interface", r)
	}
	if r := got[5]; r.If != 1 || r.Neighborhood != "campus" || r.Prefix.String() != "10.1.0.0/16" {
		t.Errorf("got %+v, want campus 10.1.0.0/16", r)
	}
}

func TestBuildErrors(t *testing.T) {
	a := minimal(with(svc("s", config.ScopePublic, "10.0.0.0/8"), nil, "ghost"))
	if _, err := policy.Build(a, "nobody", ""); !errors.Is(err, policy.ErrNoNode) {
		t.Errorf("unknown router: got %v, want ErrNoNode", err)
	}
	if _, err := policy.Build(a, "r", "nobody"); !errors.Is(err, policy.ErrNoNode) {
		t.Errorf("unknown node: got %v, want ErrNoNode", err)
	}
	if _, err := policy.Build(a, "r", "n"); !errors.Is(err, policy.ErrReference) {
		t.Errorf("unknown tenant: got %v, want ErrReference", err)
	}
}
