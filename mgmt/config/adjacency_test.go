package config_test

import (
	"fmt"
	"strings"
	"testing"

	"waymark/mgmt/config"
)

// brief prints what tells one adjacency from another.
func brief(as []config.Adjacency) string {
	var b strings.Builder
	for _, a := range as {
		addr := a.Reason + a.PeerHostname
		if a.PeerAddress.IsValid() {
			addr = a.PeerAddress.String()
		}
		fmt.Fprintf(&b, "%s>%s/%s@%s ", a.LocalInterface, a.PeerRouter, a.PeerInterface, addr)
	}
	return strings.TrimSpace(b.String())
}

func TestAdjacencies(t *testing.T) {
	hub6 := edit{hubJ + "address/+", obj{"ip-address": "2001:db8::2", "prefix-length": 64}}
	fiber6 := edit{fiberJ + "address/+", obj{"ip-address": "2001:db8:1::2", "prefix-length": 64}}
	for _, c := range []struct {
		name   string
		edits  []edit
		router string
		want   string
	}{
		{"hub-spoke", nil, "branch1", "fiber>hub1/wan@198.51.100.2 lte>hub1/wan@198.51.100.2"},
		{"spoke-spoke", []edit{{hubJ + "neighborhood/0/topology", "spoke"}}, "branch1", "lte>hub1/wan@198.51.100.2"},
		{"hub-hub", []edit{{fiberJ + "neighborhood/0/topology", "hub"}}, "branch1", "lte>hub1/wan@198.51.100.2"},
		{"mesh-spoke", []edit{{hubJ + "neighborhood/0/topology", "mesh"}}, "branch1", "fiber>hub1/wan@198.51.100.2 lte>hub1/wan@198.51.100.2"},
		{"other name", []edit{{hubJ + "neighborhood/0/name", "isp-x"}}, "branch1", "lte>hub1/wan@198.51.100.2"},
		{"external NAT", []edit{{lteJ + "neighborhood/0/external-nat-address", "192.0.2.77"}}, "hub1", "wan>branch1/fiber@203.0.113.2 wan>branch1/lte@192.0.2.77"},
		{"both families", []edit{hub6, fiber6}, "branch1", "fiber>hub1/wan@198.51.100.2 fiber>hub1/wan@2001:db8::2 lte>hub1/wan@198.51.100.2"},
		{"one family", []edit{hub6}, "branch1", "fiber>hub1/wan@198.51.100.2 lte>hub1/wan@198.51.100.2"},
		{"no waypoint", []edit{hub6, fiber6, {hubJ + "address/1/valid-waypoint", false}}, "branch1", "fiber>hub1/wan@198.51.100.2 lte>hub1/wan@198.51.100.2"},
		{"device off", []edit{{"router/1/node/0/device-interface/1/enabled", false}}, "branch1", ""},
		{"written only", []edit{{fiberJ + "adjacency", []any{obj{"ip-address": "198.51.100.9", "peer": "hub1"}}}}, "branch1",
			"fiber>hub1/wan@198.51.100.2 fiber>hub1/@198.51.100.9 lte>hub1/wan@198.51.100.2"},
		{"written address of a dynamic peer", []edit{{hubJ + "adjacency", []any{obj{"ip-address": "192.0.2.77", "peer": "branch1"}}}}, "hub1",
			"wan>branch1/fiber@203.0.113.2 wan>branch1/lte@192.0.2.77"},
		{"peer by its name in the list", []edit{{"router/0/peer", []any{obj{"name": "h", "router-name": "hub1"}}},
			{fiberJ + "adjacency", []any{obj{"ip-address": "198.51.100.2", "peer": "h"}}}}, "branch1",
			"fiber>hub1/wan@198.51.100.2 lte>hub1/wan@198.51.100.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := parsed(t, edited(t, c.edits...)).Adjacencies(c.router, "")
			same(t, "adjacencies", brief(got), c.want)
		})
	}
}

func TestDynamicPeerWithHostname(t *testing.T) {
	auth, finds := config.Parse(edited(t, edit{lteJ + "hostname", "b1.example.com"}))
	same(t, "findings", finds.String(), "warning: "+lte+" > hostname: \"b1.example.com\": is not yet effective\n")
	got, _ := auth.Adjacencies("hub1", "")
	same(t, "adjacencies", brief(got), "wan>branch1/fiber@203.0.113.2 wan>branch1/lte@b1.example.com")
}

func TestWrittenLeafWins(t *testing.T) {
	auth := parsed(t, edited(t, edit{lteJ + "adjacency", []any{obj{
		"ip-address": "198.51.100.2", "peer": "hub1", "cost": 7, "inter-router-security": "payload-cbc",
		"port-range": ports(30000, 30009), "udp-transform": obj{"mode": "auto-detect"}, "bfd": obj{"multiplier": 5}}}}))
	as, finds := auth.Adjacencies("branch1", "")
	if len(as) != 2 || len(finds) != 0 {
		t.Fatalf("%s\n%s", brief(as), finds)
	}
	a := as[1]
	same(t, "cost", a.Cost, uint32(7))
	same(t, "send policy", a.SendPolicy, "payload-cbc")
	same(t, "receive policy", a.ReceivePolicy, "internal")
	same(t, "ports", a.PortRanges, []config.PortRange{{Start: 30000, End: 30009}})
	same(t, "transform", a.UDPTransform.Always, false)
	same(t, "multiplier", a.BFD.Multiplier, 5)
	same(t, "unwritten vector", a.Vectors, []string{"lte"})
	w := config.OriginWritten
	same(t, "origins", a.Origins, origins(a.Origins, map[string]config.Origin{"cost": w, "inter-router-security": w,
		"port-range": w, "udp-transform.mode": w, "bfd.multiplier": w}))
}

func TestWrittenOnlyOrigins(t *testing.T) {
	auth := parsed(t, edited(t, edit{fiberJ + "adjacency", []any{obj{"ip-address": "198.51.100.9", "peer": "hub1", "vector": []any{"x"}}}}))
	as, _ := auth.Adjacencies("branch1", "")
	a := as[1]
	same(t, "generated", a.Generated, false)
	same(t, "address", a.Origins["ip-address"], config.OriginWritten)
	same(t, "vector", a.Origins["vector"], config.OriginWritten)
	same(t, "policy", a.Origins["inter-router-security"], config.OriginOwn)
	same(t, "send policy", a.SendPolicy, "internal")
	same(t, "way points", a.MaxWayPoints, 50000)
}

func TestCheck(t *testing.T) {
	bare := func(at string) edit { return edit{at, []any{}} }
	for _, c := range []struct {
		name         string
		edits        []edit
		router, node string
		want         string
	}{
		{"clean", nil, "branch1", "", ""},
		{"named node", nil, "hub1", "node1", ""},
		{"unknown router", nil, "hub9", "", "error: authority > router: hub9: there is no such router; allowed: branch1, hub1\n"},
		{"unknown router beside one with a wrong name", []edit{{"router/0/name", "br anch1"}}, "hub9", "",
			"error: authority > router: hub9: there is no such router; allowed: hub1\n"},
		{"unknown node", nil, "hub1", "node2", "error: authority > router hub1 > node: node2: there is no such node; allowed: node1\n"},
		{"which node", []edit{{"router/0/node/+", obj{"name": "node2"}}}, "branch1", "",
			"error: " + branch + " > node: the router has several nodes: name one; allowed: node1, node2\n"},
		{"two adjacencies to one address", []edit{{fiberJ + "neighborhood/+", obj{"name": "isp-lte"}}}, "branch1", "",
			"error: " + fiber + ": 198.51.100.2: two adjacencies lead to one address: hub1 in neighborhood isp-fiber and hub1 in neighborhood isp-lte; allowed: one adjacency per address of an interface\n"},
		{"no path", []edit{bare(fiberJ + "neighborhood"), bare(lteJ + "neighborhood")}, "branch1", "",
			"warning: " + branch + " > service-route datacenter-at-hub1 > peer: hub1: no path leads to this peer\n" +
				"warning: " + branch + " > service-route payroll-at-hub1 > peer: hub1: no path leads to this peer\n"},
		{"small range", []edit{{hubJ + "neighborhood/0/port-range", ports(20000, 20009)}}, "branch1", "",
			"warning: " + branch + " > service-route datacenter-at-hub1: service datacenter is neither encrypted nor signed and hub1 takes it on 10 ports by fiber: easy to guess into\n"},
		{"families", []edit{{fiberJ + "address/0", obj{"ip-address": "2001:db8::2", "prefix-length": 64}}}, "branch1", "",
			"warning: " + fiber + " > neighborhood isp-fiber: no path to hub1: no address of one family at both ends\n"},
		{"node off", []edit{{"router/0/node/0/enabled", false}}, "branch1", "", "warning: " + bnode + " > enabled: false: the node forwards nothing\n"},
		{"service of another router", []edit{{"service/0/applies-to", []any{obj{"type": "router", "router-name": []any{"hub1"}}}}}, "branch1", "",
			"warning: " + branch + " > service-route datacenter-at-hub1 > service-name: datacenter: the service does not apply to this router\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			auth, _ := config.Parse(edited(t, c.edits...))
			same(t, "findings", auth.Check(c.router, c.node).String(), c.want)
		})
	}
}
