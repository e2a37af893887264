package subject

import (
	"encoding/json"
	"fmt"
)

type object = map[string]any
type list = []any

// authority is the configuration of the two routers of a line: everything towards the
// server is service clear, one port of it service sealed (AES-128-CBC and
// HMAC-SHA256-128), one service gcm (AES-256-GCM). The path holds a million
// wayports; with transform it carries TCP in UDP.
func authority(west, east string, transform bool) ([]byte, error) {
	keys := func(name, cipher, key string) object {
		return object{"name": name, "encrypt": true, "encryption-cipher": cipher, "encryption-key": key,
			"hmac-mode": "regular", "hmac-cipher": "sha256-128",
			"hmac-key": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}
	}
	b, err := json.Marshal(object{"authority": object{
		"name":   "bench",
		"tenant": list{object{"name": "hosts"}},
		"security": list{
			keys("internal", "aes-cbc-256", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
			keys("cbc", "aes-cbc-128", "2b7e151628aed2a6abf7158809cf4f3c"),
			object{"name": "gcm", "encrypt": true, "encryption-cipher": "aes-gcm-256", "hmac-mode": "disabled",
				"encryption-key": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"},
			object{"name": "clear", "encrypt": false, "hmac-mode": "disabled"},
		},
		"service-class": list{object{"name": "standard"}},
		// Sessions stay as long as a run may take.
		"session-type": list{object{"name": "UDP", "service-class": "standard", "timeout": 3600000,
			"transport": list{object{"protocol": "udp"}}}},
		"service": list{
			service("clear", list{"10.2.0.0/16", "fd00:2::/64"}, "clear"),
			service("sealed", list{"10.2.0.2/32"}, "cbc", SealedPort),
			service("gcm", list{"10.2.0.2/32"}, "gcm", GCMPort),
		},
		"router": list{
			router(west, 1, transform, object{"peer": east}),
			router(east, 2, transform, object{"next-hop": list{object{"node-name": "node1", "interface": "lan"}}}),
		},
	}})
	if err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return b, nil
}

// service is one of the server's services; ports: TCP and UDP, none: all.
func service(name string, address list, security string, ports ...int) object {
	s := object{"name": name, "scope": "private", "address": address, "security": security,
		"access-policy": list{object{"source": "hosts", "permission": "allow"}}}
	var transport list
	for _, port := range ports {
		for _, proto := range []string{"tcp", "udp"} {
			transport = append(transport, object{"protocol": proto, "port-range": list{object{"start-port": port}}})
		}
	}
	if transport != nil {
		s["transport"] = transport
	}
	return s
}

// router is the first or second router of a line, whose service-routes lead to
// where.
func router(name string, number int, transform bool, where object) object {
	// Routers that wait while others are measured may get no processor for seconds:
	// their path stays up, or the first measurement after it finds no way.
	path := object{"name": "path", "topology": [...]string{1: "spoke", 2: "hub"}[number], "max-way-points": 1000000,
		"bfd": object{"multiplier": 20, "hold-down-time": 1}}
	if transform {
		path["udp-transform"] = object{"mode": "always-transform"}
	}
	var routes list
	for _, service := range []string{"clear", "sealed", "gcm"} {
		r := object{"name": "to-" + service, "service-name": service}
		for k, v := range where {
			r[k] = v
		}
		routes = append(routes, r)
	}
	address := func(format string, prefix int) object {
		return object{"ip-address": fmt.Sprintf(format, number), "prefix-length": prefix}
	}
	return object{"name": name, "inter-node-security": "internal",
		"node": list{object{"name": "node1", "role": "combo", "device-interface": list{
			device("lan", "lan0", object{"name": "lan", "tenant": "hosts",
				"address": list{address("10.%d.0.1", 16), address("fd00:%d::1", 64)}}),
			device("wan", "wan0", object{"name": "wan", "inter-router-security": "internal",
				"address": list{address("10.3.0.%d", 24)}, "neighborhood": list{path}}),
		}}},
		"service-route": routes}
}

func device(name, target string, ifc object) object {
	return object{"name": name, "type": "ethernet", "target-interface": target, "network-interface": list{ifc}}
}
