package subject

import (
	"encoding/json"
	"fmt"
)

type object = map[string]any
type list = []any

// config is an authority of the two routers of a line: everything towards the
// server is service clear, one TCP port of it service sealed (AES-128-CBC and
// HMAC-SHA256-128). The path holds a million wayports.
func config(west, east string) ([]byte, error) {
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
			object{"name": "clear", "encrypt": false, "hmac-mode": "disabled"},
		},
		"service": list{
			service("clear", "10.2.0.0/16", "clear"),
			service("sealed", "10.2.0.2/32", "cbc", object{"protocol": "tcp", "port-range": list{object{"start-port": SealedPort}}}),
		},
		"router": list{
			router(west, "10.1.0.1", "10.3.0.1", "spoke", object{"peer": east}),
			router(east, "10.2.0.1", "10.3.0.2", "hub", object{"next-hop": list{object{"node-name": "node1", "interface": "lan"}}}),
		},
	}})
	if err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return b, nil
}

func service(name, address, security string, transport ...any) object {
	s := object{"name": name, "scope": "private", "address": list{address}, "security": security,
		"access-policy": list{object{"source": "hosts", "permission": "allow"}}}
	if len(transport) > 0 {
		s["transport"] = transport
	}
	return s
}

// router is one router whose service-routes lead to where.
func router(name, lan, wan, topology string, where object) object {
	route := func(service string) object {
		r := object{"name": "to-" + service, "service-name": service}
		for k, v := range where {
			r[k] = v
		}
		return r
	}
	return object{"name": name, "inter-node-security": "internal",
		"node": list{object{"name": "node1", "role": "combo", "device-interface": list{
			device("lan", "lan0", object{"name": "lan", "tenant": "hosts",
				"address": list{object{"ip-address": lan, "prefix-length": 16}}}),
			device("wan", "wan0", object{"name": "wan", "inter-router-security": "internal",
				"address":      list{object{"ip-address": wan, "prefix-length": 24}},
				"neighborhood": list{object{"name": "path", "topology": topology, "max-way-points": 1000000}}}),
		}}},
		"service-route": list{route("clear"), route("sealed")}}
}

func device(name, target string, ifc object) object {
	return object{"name": name, "type": "ethernet", "target-interface": target, "network-interface": list{ifc}}
}
