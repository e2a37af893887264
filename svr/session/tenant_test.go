package session_test

import (
	"fmt"
	"net/netip"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/session"
)

// tenants is left and right of tenants.json.
func tenants(t testing.TB) *sim {
	t.Helper()
	s := newSim(t)
	a := parseConfig(t, "testdata/tenants.json")
	s.boot(a, "left", false)
	s.boot(a, "right", false)
	return s
}

// TestTenancy: the four sources of tenancy, seen by what a host reaches and by
// the tenant that metadata names.
func TestTenancy(t *testing.T) {
	for _, row := range []struct {
		name, ifc, src, tenant string
		reaches, refused       string
	}{
		{"interface", "staff", "10.1.1.7", "office", "10.2.1.5", "172.16.0.1"},
		{"tenant-prefix of the interface before the interface", "staff", "10.1.1.130", "lab", "10.2.2.5", "10.2.1.5"},
		{"IPv6 prefix of the interface", "staff", "fd00:a:1:0:8000::7", "lab", "", "fd00:b:3::5"},
		{"member of a neighborhood", "field", "10.7.3.3", "camp", "10.2.3.5", "10.2.1.5"},
		{"IPv6 member of a neighborhood", "field", "fd00:7::3", "camp", "fd00:b:3::5", "fd00:b:5::5"},
		{"none: global", "open", "10.1.2.7", "", "10.2.4.5", "10.2.1.5"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := tenants(t)
			w := tap(s)
			left := s.nodes["left"]
			client := s.host(row.src)
			ask := func(dst string, port int) {
				p := udp(packet.MakeTuple(netip.AddrPortFrom(netip.MustParseAddr(row.src), 4000), netip.AddrPortFrom(netip.MustParseAddr(dst), uint16(port)), packet.ProtoUDP), []byte("ask"))
				s.host(dst)
				left.from(row.ifc, p)
			}
			if row.reaches != "" {
				ask(row.reaches, 5000)
				if len(s.host(row.reaches).got) != 1 {
					t.Fatalf("did not reach %s\n%s\n%s", row.reaches, left.explain(), s.nodes["right"].explain())
				}
				m := openMeta(t, &w.take()[0])
				if got := string(m.p.Tenant); got != row.tenant {
					t.Errorf("metadata names tenant %q, want %q", got, row.tenant)
				}
			}
			opened := left.count(session.SessionsOpened)
			ask(row.refused, 5001)
			if len(s.host(row.refused).got) != 0 || left.count(session.SessionsOpened) != opened {
				t.Errorf("reached %s", row.refused)
			}
			if len(client.got) != 1 {
				t.Errorf("%d answers from %s, want one refusal", len(client.got), row.refused)
			}
		})
	}
}

// TestTenantOfMetadata: the tenant that metadata names wins at the far router,
// whatever interface the packet arrived on.
func TestTenantOfMetadata(t *testing.T) {
	s := tenants(t)
	left, right := s.nodes["left"], s.nodes["right"]
	s.host("10.2.1.5")
	left.from("staff", udp(tuple(packet.ProtoUDP, "10.1.1.7:4000", "10.2.1.5:5000"), []byte("x")))
	want, _ := right.tables.TenantByName([]byte("office"))
	right.e.Sessions(func(r *session.Row) bool {
		if r.Tenant != want {
			t.Errorf("tenant %d at the far router, want office = %d", r.Tenant, want)
		}
		return true
	})
	if right.e.Live() != 1 {
		t.Errorf("%d sessions, want 1", right.e.Live())
	}
}

// TestRefused: explicit deny is silent, a hidden private service answers
// "administratively prohibited", no route "unreachable"; in both families, and
// for every protocol.
func TestRefused(t *testing.T) {
	for _, row := range []struct {
		name, ifc, src, dst string
		typ, code           uint8 // 0: silent
		counter             session.Counter
	}{
		{"deny", "staff", "10.1.1.130", "10.2.5.5", 0, 0, session.DropDeny},
		{"deny, IPv6", "staff", "fd00:a:1:0:8000::7", "fd00:b:5::5", 0, 0, session.DropDeny},
		{"prohibited", "open", "10.1.2.7", "10.2.5.5", 3, 13, session.DropNoRoute},
		{"prohibited, IPv6", "field", "fd00:7::3", "fd00:b:5::5", 1, 1, session.DropNoRoute},
		{"service without a route", "staff", "10.1.1.7", "10.2.6.5", 3, 0, session.DropNoRoute},
		{"service without a route, IPv6", "staff", "fd00:a:1::7", "fd00:b:6::5", 1, 0, session.DropNoRoute},
		{"no service at all", "staff", "10.1.1.7", "172.16.0.1", 3, 0, session.DropNoRoute},
		{"no service at all, IPv6", "staff", "fd00:a:1::7", "2001:db8:ffff::1", 1, 0, session.DropNoRoute},
	} {
		for _, proto := range protocols {
			t.Run(row.name+" "+protoName(proto), func(t *testing.T) {
				s := tenants(t)
				left := s.nodes["left"]
				client := s.host(row.src)
				p := knock(proto, row.src, row.dst)
				left.from(row.ifc, p)
				if got := left.count(row.counter); got != 1 || left.e.Live() != 0 {
					t.Errorf("%s = %d, %d sessions; want 1 and 0\n%s", row.counter, got, left.e.Live(), left.explain())
				}
				if row.typ == 0 {
					if len(client.got) != 0 {
						t.Errorf("%d answers, want silence", len(client.got))
					}
					return
				}
				if len(client.got) != 1 {
					t.Fatalf("%d answers, want 1\n%s", len(client.got), left.explain())
				}
				own := left.addressOf(row.ifc, client.got[0].V6())
				checkError(t, &client.got[0], own, row.typ, row.code, 0, p)
			})
		}
	}
}

// knock is the first packet of a flow.
func knock(proto uint8, src, dst string) packet.Packet {
	a, b := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	sp, dp := uint16(4000), uint16(5000)
	if proto == packet.ProtoICMP {
		dp = sp
		if a.Is6() {
			proto = packet.ProtoICMPv6
		}
	}
	t := packet.MakeTuple(netip.AddrPortFrom(a, sp), netip.AddrPortFrom(b, dp), proto)
	switch proto {
	case packet.ProtoUDP:
		return udp(t, []byte("knock"))
	case packet.ProtoTCP:
		return tcp(t, packet.FlagSYN, 77, 0, nil)
	}
	return ping(t, false, []byte("knock"))
}

// addressOf is the first address of an interface in a family.
func (n *node) addressOf(name string, v6 bool) string {
	for _, a := range n.tables.Interfaces[n.ifc(name)].Addresses {
		if a.Prefix.Addr().Is6() == v6 {
			return a.Prefix.Addr().String()
		}
	}
	n.s.t.Fatalf("%s has no such address", name)
	return ""
}

// TestRefusedPeer: the same for sessions that a peer asks for. The near router
// lets them go, the far one refuses; the host learns what its peer may learn.
func TestRefusedPeer(t *testing.T) {
	for _, row := range []struct {
		name, dst string
		change    func(s *sim)
		typ, code uint8
		counter   session.Counter
	}{
		{"no route at the far router", "10.2.7.5", nil, 3, 0, session.DropNoRoute},
		{"no route at the far router, IPv6", "fd00:b:7::5", nil, 1, 0, session.DropNoRoute},
		{"denied at the far router", "10.2.1.5", func(s *sim) { s.farAccess("office", true) }, 0, 0, session.DropDeny},
		{"prohibited at the far router", "10.2.1.5", func(s *sim) { s.farAccess("camp", false) }, 3, 13, session.DropNoRoute},
	} {
		for _, proto := range protocols {
			t.Run(row.name+" "+protoName(proto), func(t *testing.T) {
				s := tenants(t)
				if row.change != nil {
					row.change(s)
				}
				watchErrors(t, s)
				left, right := s.nodes["left"], s.nodes["right"]
				src := "10.1.1.7"
				if netip.MustParseAddr(row.dst).Is6() {
					src = "fd00:a:1::7"
				}
				client, server := s.host(src), s.host(row.dst)
				p := knock(proto, src, row.dst)
				left.from("staff", p)
				if len(server.got) != 0 || right.e.Live() != 0 || right.count(row.counter) != 1 || right.count(session.SessionRefused) != 1 {
					t.Errorf("server got %d, %d sessions\n%s", len(server.got), right.e.Live(), right.explain())
				}
				if row.typ == 0 {
					if len(client.got) != 0 {
						t.Errorf("%d answers, want silence", len(client.got))
					}
				} else if len(client.got) != 1 {
					t.Errorf("%d answers, want 1\n%s\n%s", len(client.got), left.explain(), right.explain())
				} else if q, _ := client.got[0].Quote(); q.Type != row.typ || q.Code != row.code || q.T != p.T {
					t.Errorf("ICMP %d/%d about %v, want %d/%d about %v", q.Type, q.Code, q.T, row.typ, row.code, p.T)
				}
				s.advance(70e9)
				if left.e.Live() != 0 {
					t.Errorf("%d sessions stay at the near router\n%s", left.e.Live(), left.explain())
				}
			})
		}
	}
}

// farAccess boots the far router with another access-policy for office.
func (s *sim) farAccess(tenant string, deny bool) {
	a := parseConfig(s.t, "testdata/tenants.json")
	for k := range a.Services {
		sv := &a.Services[k]
		for j := range sv.AccessPolicies {
			if sv.Name == "office" {
				sv.AccessPolicies[j].Tenant, sv.AccessPolicies[j].Source, sv.AccessPolicies[j].Deny = tenant, tenant, deny
			}
		}
		if sv.Name == "all" || sv.Name == "any8" {
			sv.AccessPolicies[0].Tenant, sv.AccessPolicies[0].Source = "camp", "camp"
		}
	}
	s.boot(a, "right", false)
}

// TestAcmeFIB: row 6 of the issue on the example configuration.
func TestAcmeFIB(t *testing.T) {
	for _, row := range []struct {
		tenant, dst string
		service     string
		typ, code   uint8
	}{
		{"corp", "10.20.0.80:8443", "payroll", 0, 0}, {"corp", "10.20.0.80:80", "datacenter", 0, 0},
		{"guest", "10.20.0.80:8443", "", 0, 0}, {"guest", "10.20.0.5:80", "", 3, 13},
	} {
		t.Run(fmt.Sprintf("%s to %s", row.tenant, row.dst), func(t *testing.T) {
			s := newSim(t)
			a := parseConfig(t, "testdata/acme.json")
			a.Routers[0].Nodes[0].Devices[0].Interfaces[0].Tenant = row.tenant
			branch := s.boot(a, "branch1", false)
			s.boot(a, "hub1", false)
			w := tap(s)
			p := tcp(tuple(packet.ProtoTCP, "192.168.1.77:4000", row.dst), packet.FlagSYN, 1, 0, nil)
			client, server := s.host("192.168.1.77"), s.host(p.T.DstAddr().String())
			branch.from("lan", p)
			if row.service != "" {
				if len(server.got) != 1 {
					t.Fatalf("did not arrive\n%s", branch.explain())
				}
				if m := openMeta(t, &w.take()[0]); string(m.p.Service) != row.service || string(m.p.Tenant) != row.tenant {
					t.Errorf("service %s of tenant %s, want %s of %s", m.p.Service, m.p.Tenant, row.service, row.tenant)
				}
				return
			}
			if len(server.got) != 0 || len(w.take()) != 0 {
				t.Error("something left")
			}
			if row.typ == 0 {
				if len(client.got) != 0 || branch.count(session.DropDeny) != 1 {
					t.Errorf("%d answers, want silence\n%s", len(client.got), branch.explain())
				}
				return
			}
			if len(client.got) != 1 {
				t.Fatalf("%d answers, want 1", len(client.got))
			}
			checkError(t, &client.got[0], "192.168.1.1", row.typ, row.code, 0, p)
		})
	}
}

// TestFIBOrder: an entry with a port beats a longer prefix, and a named
// protocol beats none.
func TestFIBOrder(t *testing.T) {
	for _, row := range []struct {
		proto   uint8
		dst     string
		port    uint16
		service string
	}{
		{packet.ProtoTCP, "10.2.1.5", 80, "web"}, {packet.ProtoTCP, "10.2.1.5", 81, "office"},
		{packet.ProtoICMP, "10.2.8.5", 7, "ping"}, {packet.ProtoUDP, "10.2.8.5", 80, "any8"},
		{packet.ProtoTCP, "10.2.8.5", 80, "web"}, {packet.ProtoUDP, "10.2.200.5", 80, "all"},
	} {
		s := tenants(t)
		w := tap(s)
		src := "10.1.1.7:4000"
		if row.proto == packet.ProtoICMP {
			src = "10.1.1.7:7"
		}
		tu := tuple(row.proto, src, fmt.Sprintf("%s:%d", row.dst, row.port))
		p := udp(tu, []byte("x"))
		switch row.proto {
		case packet.ProtoTCP:
			p = tcp(tu, packet.FlagSYN, 1, 0, nil)
		case packet.ProtoICMP:
			p = ping(tu, false, nil)
		}
		s.host(row.dst)
		s.nodes["left"].from("staff", p)
		got := w.take()
		if len(got) != 1 {
			t.Fatalf("%v: %d packets between routers\n%s", tu, len(got), s.nodes["left"].explain())
		}
		if m := openMeta(t, &got[0]); string(m.p.Service) != row.service {
			t.Errorf("%v is service %s, want %s", tu, m.p.Service, row.service)
		}
		if len(s.host(row.dst).got) != 1 {
			t.Errorf("%v did not arrive\n%s", tu, s.nodes["right"].explain())
		}
	}
}
