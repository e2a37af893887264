package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"waymark/mgmt/config"
)

// A wrongCase is one edit of the example and the finding it must give. set
// replaces, adds or (nil) removes the value at a path such as
// "router/0/node/0/name"; "+" behind a list appends.
type wrongCase struct {
	name string
	at   string
	set  any
	want string // whole line
}

const (
	branch = "authority > router branch1"
	bnode  = branch + " > node node1"
	fiber  = bnode + " > device-interface fiber > network-interface fiber"
	lte    = bnode + " > device-interface lte > network-interface lte"
	hubWAN = "authority > router hub1 > node node1 > device-interface wan > network-interface wan"
	fiberJ = "router/0/node/0/device-interface/1/network-interface/0/"
	lteJ   = "router/0/node/0/device-interface/2/network-interface/0/"
	lanJ   = "router/0/node/0/device-interface/0/"
	hubJ   = "router/1/node/0/device-interface/1/network-interface/0/"
	secs   = "clear, internal, payload-cbc"
)

type obj = map[string]any

var wrong = []wrongCase{
	// types
	{"number as string", fiberJ + "mtu", "1500", `error: ` + fiber + ` > mtu: "1500": is a string, must be a number; allowed: 576-9198`},
	{"fraction", fiberJ + "mtu", json.Number("1500.5"), `error: ` + fiber + ` > mtu: 1500.5: is no whole number; allowed: 576-9198`},
	{"exponent", fiberJ + "mtu", json.Number("15e2"), `error: ` + fiber + ` > mtu: 15e2: is no whole number; allowed: 576-9198`},
	{"huge", fiberJ + "mtu", json.Number(strings.Repeat("9", 200)), `error: ` + fiber + ` > mtu: ` + strings.Repeat("9", 80) + `…: is out of range; allowed: 576-9198`},
	{"negative", fiberJ + "vlan", -1, `error: ` + fiber + ` > vlan: -1: is out of range; allowed: 0-4094`},
	{"null", fiberJ + "vlan", json.RawMessage("null"), `error: ` + fiber + ` > vlan: is null, must be a number; allowed: 0-4094`},
	{"word for bool", fiberJ + "source-nat", "yes", `error: ` + fiber + ` > source-nat: "yes": is a string, must be true or false; allowed: true, false`},
	{"object for list", "tenant", obj{}, `error: authority > tenant: is an object, must be a list`},
	{"string for entry", "tenant/+", "x", `error: authority > tenant [3]: "x": is a string, must be an object`},
	{"list for leaf", "name", []any{}, `error: authority > name: is a list, must be a string; allowed: 1-63 of A-Z a-z 0-9 . _ -`},
	{"leaf for leaf-list", fiberJ + "neighborhood/0/vector", "fiber", `error: ` + fiber + ` > neighborhood isp-fiber > vector: "fiber": is a string, must be a list`},
	// ranges and patterns
	{"mtu", fiberJ + "mtu", 100, `error: ` + fiber + ` > mtu: 100: is out of range; allowed: 576-9198`},
	{"vlan", fiberJ + "vlan", 4095, `error: ` + fiber + ` > vlan: 4095: is out of range; allowed: 0-4094`},
	{"bfd multiplier", fiberJ + "neighborhood/0/bfd", obj{"multiplier": 2}, `error: ` + fiber + ` > neighborhood isp-fiber > bfd > multiplier: 2: is out of range; allowed: 3-20`},
	{"way points", fiberJ + "neighborhood/0/max-way-points", 49999, `error: ` + fiber + ` > neighborhood isp-fiber > max-way-points: 49999: is out of range; allowed: 50000-1000000`},
	{"ttl padding", fiberJ + "neighborhood/0/ttl-padding", 256, `error: ` + fiber + ` > neighborhood isp-fiber > ttl-padding: 256: is out of range; allowed: 0-255, auto, disabled`},
	{"priority", "service-policy/0/vector/0/priority", 0, `error: authority > service-policy fiber-then-lte > vector fiber > priority: 0: is out of range; allowed: 1-999999, ordered, never`},
	{"max-loss", "service-policy/0/max-loss", 101, `error: authority > service-policy fiber-then-lte > max-loss: 101: is out of range; allowed: 0-100`},
	{"topology", fiberJ + "neighborhood/0/topology", "star", `error: ` + fiber + ` > neighborhood isp-fiber > topology: "star": is none of the values; allowed: mesh, hub, spoke`},
	{"not built", lanJ + "type", "t1", `error: ` + bnode + ` > device-interface lan > type: "t1": is not supported yet; allowed: ethernet, pppoe`},
	{"device name", lanJ + "name", "a-name-too-long", `error: ` + bnode + ` > device-interface a-name-too-long > name: "a-name-too-long": is no valid name; allowed: 1-12 of A-Z a-z 0-9 _ -`},
	{"control characters", "tenant/0/description", "a\x1b[2Jb", `error: authority > tenant corp > description: "a\x1b[2Jb": has control characters; allowed: up to 1024 characters`},
	{"bad address", fiberJ + "address/0/ip-address", "203.0.113.256", `error: ` + fiber + ` > address 203.0.113.256 > ip-address: "203.0.113.256": is no address; allowed: an IPv4 or IPv6 unicast address`},
	{"multicast", fiberJ + "address/0/ip-address", "224.0.0.1", `error: ` + fiber + ` > address 224.0.0.1 > ip-address: "224.0.0.1": is no unicast address; allowed: an IPv4 or IPv6 unicast address`},
	{"bad prefix", "service/0/address/+", "10.0.0.0/33", `error: authority > service datacenter > address: "10.0.0.0/33": is no address or prefix; allowed: ADDRESS or ADDRESS/LENGTH`},
	{"host name service", "service/0/address/+", "www.example.com", `error: authority > service datacenter > address: "www.example.com": is a host name: not supported yet; allowed: ADDRESS or ADDRESS/LENGTH`},
	// structure
	{"unknown key", fiberJ + "neighborhood/0/bfd", obj{"intervall": 1}, `error: ` + fiber + ` > neighborhood isp-fiber > bfd > intervall: is unknown here; allowed: state, authentication-type, desired-tx-interval, required-min-rx-interval, multiplier, link-test-interval, link-test-length, dscp, hold-down-time, dynamic-damping, maximum-hold-down-time`},
	{"missing key", "tenant/+", obj{}, `error: authority > tenant [3] > name: is missing; allowed: 1-63 of A-Z a-z 0-9 . _ -`},
	{"missing leaf", "router/0/inter-node-security", nil, `error: ` + branch + ` > inter-node-security: is missing; allowed: 1-63 of A-Z a-z 0-9 . _ -`},
	{"no node", "router/0/node", []any{}, `error: ` + branch + ` > node: is empty; allowed: one or more`},
	{"twice in a list", "tenant/+", obj{"name": "corp"}, `error: authority > tenant corp: stands here twice`},
	{"twice in a leaf-list", "service/0/address/+", "fd00:0:20::/64", ``},
	{"same prefix in other words", "service/0/address/+", "fd00:20:0::/64", `error: authority > service datacenter > address: "fd00:20:0::/64": stands here twice`},
	// references
	{"security", fiberJ + "inter-router-security", "none", `error: ` + fiber + ` > inter-router-security: "none": there is no such security; allowed: ` + secs},
	{"service security", "service/0/security", "x", `error: authority > service datacenter > security: "x": there is no such security; allowed: ` + secs},
	{"service-policy", "service/0/service-policy", "x", `error: authority > service datacenter > service-policy: "x": there is no such service-policy; allowed: fiber-then-lte`},
	{"service-class", "session-type/0/service-class", "x", `error: authority > session-type dns > service-class: "x": there is no such service-class; allowed: standard`},
	{"tenant", lanJ + "network-interface/0/tenant", "x", `error: ` + bnode + ` > device-interface lan > network-interface lan > tenant: "x": there is no such tenant; allowed: corp, guest`},
	{"access tenant", "service/0/access-policy/+", obj{"source": "x@10.0.0.0/8"}, `error: authority > service datacenter > access-policy x@10.0.0.0/8 > source: "x@10.0.0.0/8": there is no such tenant; allowed: corp, guest`},
	{"service", "router/0/service-route/0/service-name", "x", `error: ` + branch + ` > service-route datacenter-at-hub1 > service-name: "x": there is no such service; allowed: branch-lan, datacenter, internet, payroll`},
	{"peer", "router/0/service-route/0/peer", "hub9", `error: ` + branch + ` > service-route datacenter-at-hub1 > peer: "hub9": there is no such router; allowed: branch1, hub1`},
	{"own router as peer", "router/0/service-route/0/peer", "branch1", `error: ` + branch + ` > service-route datacenter-at-hub1 > peer: "branch1": is this router itself; allowed: another router`},
	{"peer list", "router/0/peer", []any{obj{"name": "h", "router-name": "hub9"}}, `error: ` + branch + ` > peer h > router-name: "hub9": there is no such router; allowed: branch1, hub1`},
	{"node", "router/0/service-route/2/next-hop/0/node-name", "node2", `error: ` + branch + ` > service-route local-lan > next-hop node2 lan > node-name: "node2": there is no such node; allowed: node1`},
	{"interface", "router/0/service-route/2/next-hop/0/interface", "dmz", `error: ` + branch + ` > service-route local-lan > next-hop node1 dmz > interface: "dmz": there is no such network-interface; allowed: fiber, lan, lte`},
	{"next-hop gateway", "router/0/service-route/2/next-hop/0/gateway-ip", "10.9.9.9", `error: ` + branch + ` > service-route local-lan > next-hop node1 lan > gateway-ip: "10.9.9.9": is in no subnet of the interface; allowed: 192.168.1.0/24, fd00:1::/64`},
	{"route to nowhere", "router/0/service-route/0/peer", nil, `error: ` + branch + ` > service-route datacenter-at-hub1: leads nowhere; allowed: peer, next-peer or next-hop`},
	{"route to both", "router/0/service-route/2/peer", "hub1", `error: ` + branch + ` > service-route local-lan: leads to peers and to next-hops; allowed: one of both`},
	{"adjacency to nobody", fiberJ + "adjacency", []any{obj{"ip-address": "192.0.2.9", "peer": "x"}}, `error: ` + fiber + ` > adjacency 192.0.2.9 x > peer: "x": there is no such router; allowed: branch1, hub1`},
	{"applies-to router", "service/0/applies-to", []any{obj{"type": "router", "router-name": []any{"x"}}}, `error: authority > service datacenter > applies-to router > router-name: "x": there is no such router; allowed: branch1, hub1`},
	{"applies-to nobody", "service/0/applies-to", []any{obj{"type": "router-group"}}, `error: authority > service datacenter > applies-to router-group > group-name: is missing: type is router-group; allowed: one or more`},
	{"the global tenant", "service/0/access-policy/+", obj{"source": "<global>"}, ``},
	{"global sources of a prefix", "service/0/access-policy/+", obj{"source": "<global>@10.0.0.0/8"}, ``},
	{"no tenant", "service/0/access-policy/+", obj{"source": "<local>"}, `error: authority > service datacenter > access-policy "<local>" > source: "<local>": is no tenant or prefix; allowed: TENANT, PREFIX or TENANT@PREFIX`},
	// ports
	{"breakout ports", hubJ + "neighborhood/0/port-range", ports(5000, 5999), `error: ` + hubWAN + ` > neighborhood isp-fiber > port-range 5000: 5000-5999: overlaps 2048-9999, ports of source-NAT breakout; allowed: ` + plan},
	{"socket ports", hubJ + "neighborhood/0/port-range", ports(16383, 16500), `error: ` + hubWAN + ` > neighborhood isp-fiber > port-range 16383: 16383-16500: overlaps 10000-16383, ports of the box's own outgoing sockets; allowed: ` + plan},
	{"BFD port", hubJ + "neighborhood/0/port-range", ports(1280, 0), `error: ` + hubWAN + ` > neighborhood isp-fiber > port-range 1280: 1280-1280: overlaps 1280-1280, ports of BFD; allowed: ` + plan},
	{"detector port", hubJ + "neighborhood/0/port-range", ports(1281, 1290), `error: ` + hubWAN + ` > neighborhood isp-fiber > port-range 1281: 1281-1290: overlaps 1283-1283, ports of the firewall detector; allowed: ` + plan},
	{"host port", hubJ + "neighborhood/0/port-range", ports(1024, 1030), `error: ` + hubWAN + ` > neighborhood isp-fiber > port-range 1024 > start-port: 1024: is out of range; allowed: 1025-65535`},
	{"ranges of one address", hubJ + "neighborhood/1/port-range", ports(20999, 21000), `error: ` + hubWAN + ` > neighborhood isp-lte > port-range 20999: 20999-21000: overlaps another range of the same address, 20000-20999; allowed: ranges without common ports`},
	{"ranges of one transport", "service/1/transport/0/port-range/+", obj{"start-port": 8000, "end-port": 9000}, `error: authority > service payroll > transport tcp > port-range 8443: 8443-8443: overlaps another range of the list, 8000-9000; allowed: ranges without common ports`},
	{"start behind end", hubJ + "neighborhood/0/port-range", ports(20999, 20000), `error: ` + hubWAN + ` > neighborhood isp-fiber > port-range 20999: starts at 20999 behind its end 20000; allowed: start-port <= end-port`},
	{"ports of icmp", "service/0/transport", []any{obj{"protocol": "icmp", "port-range": ports(80, 0)}}, `error: authority > service datacenter > transport icmp > port-range 80: icmp has no ports`},
	// addresses and devices
	{"prefix of the other family", fiberJ + "address/0/prefix-length", 64, `error: ` + fiber + ` > address 203.0.113.2 > prefix-length: 64: is too long for an IPv4 address; allowed: 0-32`},
	{"gateway outside", fiberJ + "address/0/gateway", "203.0.114.1", `error: ` + fiber + ` > address 203.0.113.2 > gateway: "203.0.114.1": is outside the subnet; allowed: 203.0.113.0/24`},
	{"gateway is us", fiberJ + "address/0/gateway", "203.0.113.2", `error: ` + fiber + ` > address 203.0.113.2 > gateway: "203.0.113.2": is our own address`},
	{"broadcast", fiberJ + "address/0/ip-address", "203.0.113.255", `error: ` + fiber + ` > address 203.0.113.255 > ip-address: "203.0.113.255": is the network or broadcast address of 203.0.113.0/24`},
	{"address twice", fiberJ + "address/+", obj{"ip-address": "192.168.1.1", "prefix-length": 24}, `error: ` + fiber + ` > address 192.168.1.1 > ip-address: "192.168.1.1": is used twice, first at ` + bnode + ` > device-interface lan > network-interface lan > address 192.168.1.1`},
	{"address beside dhcp", lteJ + "address", []any{obj{"ip-address": "192.0.2.1", "prefix-length": 24}}, `error: ` + lte + ` > address 192.0.2.1 > ip-address: "192.0.2.1": stands beside dhcp v4; allowed: one of both`},
	{"small mtu", lanJ + "network-interface/0/mtu", 1200, `error: ` + bnode + ` > device-interface lan > network-interface lan > mtu: 1200: is too small for IPv6; allowed: 1280 or more`},
	{"vlan twice", lanJ + "network-interface/+", obj{"name": "voice", "dhcp": "v4"}, `error: ` + bnode + ` > device-interface lan > network-interface voice > vlan: 0: is used twice, first at ` + bnode + ` > device-interface lan > network-interface lan; allowed: one interface per tag of a device`},
	{"interface twice", lanJ + "network-interface/+", obj{"name": "fiber", "vlan": 9, "dhcp": "v4"}, `error: ` + fiber + ` > name: "fiber": is used twice, first at ` + bnode + ` > device-interface lan > network-interface fiber`},
	{"target twice", lanJ + "target-interface", "wan0", `error: ` + bnode + ` > device-interface fiber > target-interface: "wan0": is used twice, first at ` + bnode + ` > device-interface lan`},
	{"asset twice", "router/1/node/0/asset-id", "WM-0001", `error: authority > router hub1 > node node1 > asset-id: "WM-0001": is used twice, first at ` + bnode},
	// security
	{"key for the cipher", "security/0/encryption-cipher", "aes-cbc-128", `error: authority > security internal > encryption-key: (hidden): is a key of 64 hex digits; allowed: 32 hex digits for aes-cbc-128`},
	{"key length", "security/1/encryption-key", "2b7e15", `error: authority > security payload-cbc > encryption-key: (hidden): has 6 hex digits; allowed: 32, 64 hex digits`},
	{"no hex", "security/1/encryption-key", strings.Repeat("zz", 16), `error: authority > security payload-cbc > encryption-key: (hidden): is not hexadecimal; allowed: 32, 64 hex digits`},
	{"no key", "security/1/encryption-key", nil, `error: authority > security payload-cbc > encryption-key: is missing: encrypt is true; allowed: 32 hex digits for aes-cbc-128`},
	{"hmac key length", "security/1/hmac-key", "0102", `error: authority > security payload-cbc > hmac-key: (hidden): has 4 hex digits; allowed: 8, 16, 32, 40, 64 hex digits`},
	{"no hmac key", "security/0/hmac-key", nil, `error: authority > security internal > hmac-key: is missing: hmac-mode is time-based; allowed: 8, 16, 32, 40, 64 hex digits`},
	{"GCM between routers", "security/0/encryption-cipher", "aes-gcm-256", `error: authority > security internal > encryption-cipher: "aes-gcm-256": GCM is for services only; this policy protects metadata between routers; allowed: aes-cbc-128, aes-cbc-256`},
	{"no digest between routers", "security/0/hmac-mode", "disabled", `error: authority > security internal > hmac-mode: "disabled": metadata between routers must be signed; allowed: regular, time-based`},
	{"unsigned CBC payload", "security/1/hmac-mode", "disabled", `warning: authority > security payload-cbc > hmac-mode: "disabled": CBC without a digest: a bystander can change payload unseen`},
	{"no policy for peers", fiberJ + "inter-router-security", nil, `error: ` + fiber + ` > inter-router-security: is missing: the interface has peers; allowed: ` + secs},
	{"sha384", "security/1/hmac-cipher", "sha384", `error: authority > security payload-cbc > hmac-cipher: "sha384": is not supported yet; allowed: sha1, sha256, sha256-128`},
	// warnings
	{"not effective", "service-class/0/dscp", 46, `warning: authority > service-class standard > dscp: 46: is not yet effective`},
	{"default of a leaf without effect", "service-class/0/dscp", 0, ``},
	{"adaptive", "security/1/adaptive-encryption", true, `warning: authority > security payload-cbc > adaptive-encryption: true: is not yet effective: everything is encrypted`},
	{"host bits", "service/0/address/+", "10.21.0.5/24", `warning: authority > service datacenter > address: "10.21.0.5/24": has host bits, means 10.21.0.0/24`},
	{"no such vector", "service-policy/0/vector/+", obj{"name": "mpls"}, `warning: authority > service-policy fiber-then-lte > vector mpls > name: "mpls": no interface has this vector`},
}

const plan = "1025-2047 without 1280 and 1283, 16384-65535"

func ports(start, end int) []any {
	p := obj{"start-port": start}
	if end != 0 {
		p["end-port"] = end
	}
	return []any{p}
}

func TestWrongConfigurations(t *testing.T) {
	for _, c := range wrong {
		t.Run(c.name, func(t *testing.T) {
			_, finds := config.Parse(edited(t, edit{c.at, c.set}))
			got := strings.TrimSuffix(finds.String(), "\n")
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if wantFail := strings.HasPrefix(c.want, "error"); finds.Failed() != wantFail {
				t.Errorf("Failed() = %v", !wantFail)
			}
		})
	}
}

// TestEveryFaultAtOnce makes all faults that leave each other alone in one
// file.
func TestEveryFaultAtOnce(t *testing.T) {
	names := []string{"mtu", "ttl padding", "priority", "max-loss", "control characters", "service security",
		"service-policy", "tenant", "peer", "interface", "socket ports", "gateway outside", "asset twice", "key length"}
	var edits []edit
	var want []string
	for _, c := range wrong {
		for _, n := range names {
			if c.name == n {
				edits = append(edits, edit{c.at, c.set})
				want = append(want, c.want)
			}
		}
	}
	_, finds := config.Parse(edited(t, edits...))
	if got := len(finds); got != len(names) || len(want) != len(names) {
		t.Errorf("got %d findings, want %d:\n%s", got, len(names), finds)
	}
	for _, w := range want {
		if !strings.Contains(finds.String(), w+"\n") {
			t.Errorf("missing: %s", w)
		}
	}
}

// an edit sets the value at a path below authority.
type edit struct {
	at  string
	set any
}

// edited returns the example with the edits made.
func edited(t *testing.T, edits ...edit) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var file obj
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, e := range edits {
		file["authority"] = apply(t, file["authority"], strings.Split(e.at, "/"), e.set)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(file); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func apply(t *testing.T, v any, at []string, set any) any {
	t.Helper()
	if len(at) == 0 {
		return set
	}
	switch x := v.(type) {
	case obj:
		if x[at[0]] = apply(t, x[at[0]], at[1:], set); x[at[0]] == nil {
			delete(x, at[0])
		}
		return x
	case []any:
		if at[0] == "+" {
			return append(x, set)
		}
		i := int(at[0][0] - '0')
		x[i] = apply(t, x[i], at[1:], set)
		return x
	}
	t.Fatalf("no place %v", at)
	return nil
}
