package policy_test

import (
	"net/netip"
	"os"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/packet"
	"waymark/svr/policy"
)

// parse reads a configuration that must be good.
func parse(t *testing.T, data []byte) *config.Authority {
	t.Helper()
	a, faults := config.Parse(data)
	if faults.Failed() {
		t.Fatalf("parse configuration:\n%s", faults)
	}
	return a
}

func build(t *testing.T, a *config.Authority, router string) *policy.Tables {
	t.Helper()
	tables, err := policy.Build(a, router, "")
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// acme returns the tables of one router of the example.
func acme(t *testing.T, router string) *policy.Tables {
	t.Helper()
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	return build(t, parse(t, data), router)
}

// tuple makes a tuple of addresses without ports in the source.
func tuple(src, dst string, proto uint8, port uint16) *packet.Tuple {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	t := packet.MakeTuple(netip.AddrPortFrom(s, 40000), netip.AddrPortFrom(d, port), proto)
	return &t
}

// tenant returns a tenant that must exist.
func tenant(t *testing.T, tables *policy.Tables, name string) policy.TenantID {
	t.Helper()
	id, ok := tables.TenantByName([]byte(name))
	if !ok {
		t.Fatalf("tenant %q is missing", name)
	}
	return id
}

// service returns a service that must exist.
func service(t *testing.T, tables *policy.Tables, name string) *policy.Service {
	t.Helper()
	id, ok := tables.ServiceByName([]byte(name))
	if !ok {
		t.Fatalf("service %q is missing", name)
	}
	return &tables.Services[id]
}

// nameOf returns the name of a service, empty for none.
func nameOf(tables *policy.Tables, id policy.ServiceID) string {
	if id == policy.NoService {
		return ""
	}
	return tables.Services[id].Name
}

// lookupRow is one line of a FIB table.
type lookupRow struct {
	tenant, src, dst string
	proto            uint8
	port             uint16
	service          string
	verdict          policy.Verdict
}

func checkLookups(t *testing.T, tables *policy.Tables, rows []lookupRow) {
	t.Helper()
	for _, r := range rows {
		id, got := tables.Lookup(tenant(t, tables, r.tenant), tuple(r.src, r.dst, r.proto, r.port))
		if got != r.verdict || nameOf(tables, id) != r.service {
			t.Errorf("%s %s to %s %d/%d: got %q %v, want %q %v", r.tenant, r.src, r.dst, r.proto, r.port,
				nameOf(tables, id), got, r.service, r.verdict)
		}
	}
}

// minimal is a router without anything, to hang services on.
func minimal(services ...config.Service) *config.Authority {
	a := &config.Authority{Name: "test", Services: services}
	dev := config.DeviceInterface{Name: "lan", Target: "lan0", Enabled: true, Forwarding: true,
		Interfaces: []config.NetworkInterface{{Name: "lan", MTU: 1500}}}
	r := config.Router{Name: "r", Nodes: []config.Node{{Name: "n", Enabled: true,
		Devices: []config.DeviceInterface{dev}}}}
	for _, s := range services {
		r.ServiceRoutes = append(r.ServiceRoutes, config.ServiceRoute{Name: s.Name + "-here", Service: s.Name,
			NextHops: []config.NextHop{{Node: "n", Interface: "lan"}}})
	}
	a.Routers = []config.Router{r}
	return a
}

// svc makes a service with its addresses.
func svc(name string, scope config.Scope, addrs ...string) config.Service {
	s := config.Service{Name: name, Enabled: true, Scope: scope, ShareServiceRoutes: true}
	for _, a := range addrs {
		s.Addresses = append(s.Addresses, netip.MustParsePrefix(a))
	}
	return s
}

// with adds transports and access to a service: "tenant", "!tenant" denies.
func with(s config.Service, ts []config.Transport, access ...string) config.Service {
	s.Transports = ts
	for _, a := range access {
		p := config.AccessPolicy{Source: a, Tenant: a}
		if a[0] == '!' {
			p.Tenant, p.Deny = a[1:], true
		}
		s.AccessPolicies = append(s.AccessPolicies, p)
	}
	return s
}

// tcp names TCP and, if first is not 0, a range of its ports.
func tcp(first, last uint16) []config.Transport {
	return trans(config.ProtoTCP, first, last)
}

func trans(p config.Protocol, first, last uint16) []config.Transport {
	t := config.Transport{Protocol: p}
	if first != 0 {
		t.Ports = []config.PortRange{{Start: first, End: last}}
	}
	return []config.Transport{t}
}
