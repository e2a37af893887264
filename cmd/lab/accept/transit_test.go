package accept

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
)

// The chain of the transit test: three routers in a row, a host behind each.
// Routers a and c know b only; b has two peers.
//
//	host-a ── a ══ b ══ c ── host-c
//	               │
//	             host-b
const (
	routerA, routerB, routerC = "a", "b", "c"
	hostA, hostB, hostC       = "host-a", "host-b", "host-c"
)

// lan is the network behind a router of the chain.
type lan struct {
	router, host    string
	net4, net6      string // first parts of the addresses
	secret, secret6 string // address of the host that payload encryption covers
}

var chainLANs = []lan{
	{routerA, hostA, "10.1.0.", "fd00:a::", "", ""},
	{routerB, hostB, "10.2.0.", "fd00:b::", "", ""},
	{routerC, hostC, "10.3.0.", "fd00:c::", "10.3.0.80", "fd00:c::80"},
}

func TestFormTransitAndTwoPeers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, mode string }{
		{"native on both links", "auto-detect"},
		{"transformed on the second link", "always-transform"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newChain(t, chainConfig(t, row.mode))
			s.travelAll([]way{
				// over two hops, clear, CBC and GCM
				{from: hostA, to: hostC,
					tcp:  []string{"10.3.0.5:5001", "10.3.0.80:8443", "10.3.0.80:9443", "[fd00:c::5]:5001", "[fd00:c::80]:8443"},
					udp:  []string{"10.3.0.5:4000", "10.3.0.80:8443", "10.3.0.80:9443", "[fd00:c::5]:4000"},
					ping: []string{"10.3.0.5", "fd00:c::5"}},
				{from: hostC, to: hostA, tcp: []string{"10.1.0.5:5001"}, udp: []string{"10.1.0.5:4000"}, ping: []string{"10.1.0.5"}},
				// the middle router's own two peers
				{from: hostB, to: hostA, tcp: []string{"10.1.0.5:5002"}, udp: []string{"10.1.0.5:4001"}, ping: []string{"10.1.0.5"}},
				{from: hostB, to: hostC, tcp: []string{"10.3.0.5:5002", "10.3.0.80:8443"}, udp: []string{"10.3.0.5:4001"}, ping: []string{"10.3.0.5"}},
				{from: hostA, to: hostB, tcp: []string{"10.2.0.5:5001"}, udp: []string{"10.2.0.5:4000"}, ping: []string{"10.2.0.5"}},
			})
			out := s.exec(hostA, "traceroute", "-n", "-q", "1", "-w", "5", "-m", "8", "10.3.0.5")
			if !strings.Contains(out, "10.3.0.5  ") {
				t.Errorf("traceroute over two hops does not arrive:\n%s", out)
			}
		})
	}
}

// newChain builds the world and starts the three routers.
func newChain(t *testing.T, config []byte) *site {
	t.Helper()
	s := newWorld(t, world.Options{Bare: true})
	for _, ns := range []string{routerA, routerB, routerC, hostA, hostB, hostC} {
		s.must(s.w.AddNamespace(ns, false))
	}
	s.must(s.w.AddCable(routerA, "right", routerB, "left"))
	s.must(s.w.AddCable(routerB, "right", routerC, "left"))
	for _, l := range chainLANs {
		s.must(s.w.AddCable(l.router, "lan", l.host, "eth0"))
		s.must(s.w.IP(l.host, "address add "+l.net4+"5/24 dev eth0", "address add "+l.net4+"80/24 dev eth0",
			"address add "+l.net6+"5/64 dev eth0 nodad", "address add "+l.net6+"80/64 dev eth0 nodad",
			"route add default via "+l.net4+"1", "route add default via "+l.net6+"1"))
	}
	var routers []*world.Router
	for _, name := range []string{routerC, routerB, routerA} {
		routers = append(routers, s.start(name, name, config))
	}
	for _, r := range routers { // a path needs both ends
		s.up(r, "")
	}
	return s
}

// chainConfig is the authority of the chain; mode is the udp-transform of the
// second link.
func chainConfig(t *testing.T, mode string) []byte {
	t.Helper()
	acme := acmeWith(t, func(a tree) {
		bothWaysSecret(a) // its security elements
		keep := a["security"]
		clear(a)
		a["name"], a["security"], a["tenant"] = "chain", keep, []any{tree{"name": "corp"}}
		for _, l := range chainLANs {
			a.add("service", chainService("lan-"+l.router, "clear", l.net4+"0/24", l.net6+"/64"))
		}
		c := chainLANs[2]
		for _, row := range []struct {
			name, security string
			port           int
		}{{"cbc-c", "payload-cbc", 8443}, {"gcm-c", "payload-gcm", 9443}} {
			svc := chainService(row.name, row.security, c.secret+"/32", c.secret6+"/128")
			svc["transport"] = []any{ports("tcp", row.port), ports("udp", row.port)}
			a.add("service", svc)
		}
		a.add("router",
			chainRouter(routerA, chainLANs[0], []any{link("right", "198.18.1.1", "ab", "spoke", "")},
				map[string]string{"lan-b": routerB, "lan-c": routerB, "cbc-c": routerB, "gcm-c": routerB}),
			chainRouter(routerB, chainLANs[1], []any{link("left", "198.18.1.2", "ab", "hub", ""), link("right", "198.18.2.1", "bc", "hub", mode)},
				map[string]string{"lan-a": routerA, "lan-c": routerC, "cbc-c": routerC, "gcm-c": routerC}),
			chainRouter(routerC, c, []any{link("left", "198.18.2.2", "bc", "spoke", mode)},
				map[string]string{"lan-a": routerB, "lan-b": routerB}))
	})
	if !json.Valid(acme) {
		t.Fatal("chain configuration is no JSON")
	}
	return acme
}

func chainService(name, security string, addresses ...any) tree {
	return tree{"name": name, "scope": "private", "address": addresses, "security": security,
		"access-policy": []any{tree{"source": "corp", "permission": "allow"}}}
}

// link is a device-interface towards a neighbour router.
func link(dev, addr, hood, topology, mode string) tree {
	n := tree{"name": hood, "topology": topology}
	if mode != "" {
		n["udp-transform"] = tree{"mode": mode}
	}
	return tree{"name": dev, "type": "ethernet", "target-interface": dev, "network-interface": []any{
		tree{"name": dev, "inter-router-security": "internal", "neighborhood": []any{n},
			"address": []any{tree{"ip-address": addr, "prefix-length": 30}}}}}
}

// chainRouter is a router with its LAN, its links and where services are.
func chainRouter(name string, l lan, devices []any, peers map[string]string) tree {
	devices = append(devices, tree{"name": "lan", "type": "ethernet", "target-interface": "lan", "network-interface": []any{
		tree{"name": "lan", "tenant": "corp", "address": []any{
			tree{"ip-address": l.net4 + "1", "prefix-length": 24}, tree{"ip-address": l.net6 + "1", "prefix-length": 64}}}}})
	r := tree{"name": name, "inter-node-security": "internal",
		"node": []any{tree{"name": "node1", "role": "combo", "device-interface": devices}}}
	local := []string{"lan-" + name}
	if l.secret != "" {
		local = append(local, "cbc-c", "gcm-c")
	}
	for _, svc := range local {
		r.add("service-route", tree{"name": svc + "-here", "service-name": svc,
			"next-hop": []any{tree{"node-name": "node1", "interface": "lan"}}})
	}
	for svc, peer := range peers {
		r.add("service-route", tree{"name": fmt.Sprintf("%s-at-%s", svc, peer), "service-name": svc, "peer": peer})
	}
	return r
}
