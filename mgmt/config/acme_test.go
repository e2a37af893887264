package config_test

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"testing"
	"time"

	"waymark/mgmt/config"
)

// acme returns the example, which must have neither error nor warning.
func acme(t *testing.T) *config.Authority {
	t.Helper()
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, data)
}

func parsed(t *testing.T, data []byte) *config.Authority {
	t.Helper()
	auth, finds := config.Parse(data)
	if len(finds) != 0 {
		t.Fatalf("findings:\n%s", finds)
	}
	return auth
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func TestAcmePolicies(t *testing.T) {
	a := acme(t)
	same(t, "security", *a.FindSecurity("payload-cbc"), config.Security{
		Name: "payload-cbc", Encrypt: true, Cipher: config.CipherCBC128,
		Key:      unhex("2b7e151628aed2a6abf7158809cf4f3c"),
		IV:       unhex("0f0e0d0c0b0a09080706050403020100"),
		HMACMode: config.HMACRegular, HMACCipher: config.HMACSHA256128,
		HMACKey: unhex("1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100"),
	})
	same(t, "defaults of security", *a.FindSecurity("clear"), config.Security{
		Name: "clear", Cipher: config.CipherCBC128, AdaptiveEncryption: true,
		HMACMode: config.HMACDisabled, HMACCipher: config.HMACSHA256128,
	})
	same(t, "service-policy", *a.FindServicePolicy("fiber-then-lte"), config.ServicePolicy{
		Name: "fiber-then-lte", LBStrategy: "hunt", BestPath: config.BestVector, BestEffort: true, MaxLoss: 2,
		MaxLatency: 250 * time.Millisecond, MaxJitter: 100 * time.Millisecond,
		Resiliency: config.ResiliencyRevertibleFailover, Enforcement: config.EnforceReset,
		Vectors: []config.Vector{{Name: "fiber", Cost: 1}, {Name: "lte", Cost: 10}},
	})
	same(t, "service-class", *a.FindServiceClass("standard"), config.ServiceClass{Name: "standard", TrafficClass: "best-effort"})
	same(t, "tenants", a.Tenants, []config.Tenant{
		{Name: "corp", Description: "staff machines"}, {Name: "guest", Description: "visitors: internet only"}})
}

func TestAcmeServices(t *testing.T) {
	a := acme(t)
	same(t, "payroll", *a.FindService("payroll"), config.Service{
		Name: "payroll", Enabled: true, Scope: config.ScopePrivate,
		Addresses:  []netip.Prefix{netip.MustParsePrefix("10.20.0.80/32")},
		Transports: []config.Transport{{Protocol: config.ProtoTCP, Ports: []config.PortRange{{Start: 8443, End: 8443}}}},
		AccessPolicies: []config.AccessPolicy{
			{Source: "corp", Tenant: "corp"}, {Source: "guest", Tenant: "guest", Deny: true}},
		Security: "payload-cbc", ServicePolicy: "fiber-then-lte", ShareServiceRoutes: true, SourceNAT: "network-interface",
	})
	same(t, "scope", a.FindService("internet").Scope, config.ScopePublic)
	same(t, "routes", a.FindRouter("branch1").ServiceRoutes, []config.ServiceRoute{
		{Name: "datacenter-at-hub1", Service: "datacenter", Peers: []string{"hub1"}},
		{Name: "payroll-at-hub1", Service: "payroll", Peers: []string{"hub1"}},
		{Name: "local-lan", Service: "branch-lan", NextHops: []config.NextHop{{Node: "node1", Interface: "lan"}}},
		{Name: "breakout", Service: "internet", NextHops: []config.NextHop{
			{Node: "node1", Interface: "fiber"}, {Node: "node1", Interface: "lte"}}},
	})
}

func TestAcmeInterfaces(t *testing.T) {
	n := acme(t).FindRouter("branch1").FindNode("")
	same(t, "asset", n.AssetID, "WM-0001")
	d, lan := n.FindInterface("lan")
	same(t, "target", d.Target, "lan0")
	same(t, "lan", *lan, config.NetworkInterface{
		Name: "lan", Type: "external", Tenant: "corp", DHCP: config.DHCPDisabled, DHCPClient: plainClient, MTU: 1500, BillingType: "none", QuotaDay: 1,
		Addresses: []config.Address{
			{IP: netip.MustParseAddr("192.168.1.1"), PrefixLength: 24, ValidWaypoint: true},
			{IP: netip.MustParseAddr("fd00:1::1"), PrefixLength: 64, ValidWaypoint: true}},
	})
	_, fiber := n.FindInterface("fiber")
	same(t, "gateway", fiber.Addresses[0].Gateway, netip.MustParseAddr("203.0.113.1"))
	same(t, "source-nat", fiber.SourceNAT, true)
	_, lte := n.FindInterface("lte")
	same(t, "metered", lte.Metered(), true)
	same(t, "dhcp", lte.DHCP, config.DHCPv4)
	same(t, "topology", lte.Neighborhoods[0].Topology, config.TopologySpoke)
}

// bfdDefaults are the vendor's (facts B.6).
var bfdDefaults = config.BFD{Enabled: true, AuthenticationType: "sha256", DesiredTx: time.Second, RequiredMinRx: time.Second,
	Multiplier: 3, LinkTestInterval: 10 * time.Second, LinkTestLength: 10, HoldDown: 5 * time.Second, MaximumHoldDown: time.Hour}

func pathDefaults() config.PathLeaves {
	return config.PathLeaves{Connectivity: config.Bidirectional, MaxWayPoints: 50000, BFD: bfdDefaults,
		UDPTransform: config.UDPTransform{DetectInterval: 300 * time.Second, NATKeepAliveTimeout: 30 * time.Second},
		NATKeepAlive: config.NATKeepAlive{Auto: true, TCPInterval: 1800 * time.Second, UDPInterval: 30 * time.Second},
		PathMTU:      config.PathMTU{Interval: 600 * time.Second}}
}

// peerLeaves are the leaves that the far end of a generated adjacency decides.
var peerLeaves = []string{"ip-address", "inter-router-security", "port-range", "max-way-points", "peer-connectivity", "external-nat-address"}

// origins are those of a generated adjacency, with changes.
func origins(got map[string]config.Origin, changes map[string]config.Origin) map[string]config.Origin {
	want := make(map[string]config.Origin)
	for leaf := range got {
		want[leaf] = config.OriginOwn
	}
	for _, leaf := range peerLeaves {
		want[leaf] = config.OriginPeer
	}
	for leaf, o := range changes {
		want[leaf] = o
	}
	return want
}

func TestAcmeAdjacenciesOfBranch(t *testing.T) {
	got, finds := acme(t).Adjacencies("branch1", "node1")
	if len(finds) != 0 || len(got) != 2 {
		t.Fatalf("%d adjacencies, findings:\n%s", len(got), finds)
	}
	fiber := config.Adjacency{
		Neighborhood: "isp-fiber", Generated: true,
		LocalDevice: "fiber", LocalInterface: "fiber", LocalAddress: netip.MustParseAddr("203.0.113.2"),
		PeerRouter: "hub1", PeerNode: "node1", PeerDevice: "wan", PeerInterface: "wan", PeerAddress: netip.MustParseAddr("198.51.100.2"),
		SendPolicy: "internal", ReceivePolicy: "internal", PathLeaves: pathDefaults(), OwnConnectivity: config.Bidirectional,
	}
	fiber.Vectors = []string{"fiber"}
	fiber.PortRanges = []config.PortRange{{Start: 20000, End: 20999}}
	fiber.PathMTU.Enabled = true
	fiber.Origins = origins(got[0].Origins, nil)
	same(t, "fiber", got[0], fiber)

	lte := config.Adjacency{
		Neighborhood: "isp-lte", Generated: true, LocalDevice: "lte", LocalInterface: "lte",
		PeerRouter: "hub1", PeerNode: "node1", PeerDevice: "wan", PeerInterface: "wan", PeerAddress: netip.MustParseAddr("198.51.100.2"),
		SendPolicy: "internal", ReceivePolicy: "internal", PathLeaves: pathDefaults(), OwnConnectivity: config.OutboundOnly,
	}
	lte.Vectors = []string{"lte"}
	lte.UDPTransform.Always = true
	lte.Origins = origins(got[1].Origins, nil)
	same(t, "lte", got[1], lte)
}

func TestAcmeAdjacenciesOfHub(t *testing.T) {
	got, finds := acme(t).Adjacencies("hub1", "")
	if len(finds) != 0 || len(got) != 2 {
		t.Fatalf("%d adjacencies, findings:\n%s", len(got), finds)
	}
	fiber := config.Adjacency{
		Neighborhood: "isp-fiber", Generated: true,
		LocalDevice: "wan", LocalInterface: "wan", LocalAddress: netip.MustParseAddr("198.51.100.2"),
		OwnPortRanges: []config.PortRange{{Start: 20000, End: 20999}},
		PeerRouter:    "branch1", PeerNode: "node1", PeerDevice: "fiber", PeerInterface: "fiber", PeerAddress: netip.MustParseAddr("203.0.113.2"),
		SendPolicy: "internal", ReceivePolicy: "internal", PathLeaves: pathDefaults(), OwnConnectivity: config.Bidirectional,
	}
	fiber.Vectors = []string{"fiber"}
	fiber.Origins = origins(got[0].Origins, nil)
	same(t, "fiber", got[0], fiber)

	lte := config.Adjacency{
		Neighborhood: "isp-lte", Generated: true,
		LocalDevice: "wan", LocalInterface: "wan", LocalAddress: netip.MustParseAddr("198.51.100.2"),
		PeerRouter: "branch1", PeerNode: "node1", PeerDevice: "lte", PeerInterface: "lte", Reason: config.ReasonNoAddress,
		SendPolicy: "internal", ReceivePolicy: "internal", PathLeaves: pathDefaults(), OwnConnectivity: config.Bidirectional,
	}
	lte.Vectors = []string{"lte"}
	lte.Connectivity = config.OutboundOnly
	lte.UDPTransform.Always = true
	lte.Origins = origins(got[1].Origins, map[string]config.Origin{"udp-transform.mode": config.OriginPeer})
	same(t, "lte", got[1], lte)
}

func TestSessionTypeFor(t *testing.T) {
	a := acme(t)
	for _, c := range []struct {
		proto config.Protocol
		port  uint16
		want  string
	}{
		{config.ProtoUDP, 53, "dns 5s 10s"},
		{config.ProtoTCP, 53, "DNS 5s 10s"},
		{config.ProtoTCP, 22, "SSH 31m40s 10s"},
		{config.ProtoTCP, 8080, "HTTP 2h0m0s 10s"},
		{config.ProtoTCP, 9, "TCP 31m40s 10s"},
		{config.ProtoUDP, 9, "UDP 3m0s 10s"},
		{config.ProtoICMP, 0, "ICMP 10s 10s"},
		{config.ProtoAny, 0, " 3m0s 10s"},
	} {
		s := a.SessionTypeFor(c.proto, c.port)
		same(t, string(c.proto), fmt.Sprintf("%s %s %s", s.Name, s.Timeout, s.InitialTimeout), c.want)
	}
}
