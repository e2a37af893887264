package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"waymark/mgmt/config"
)

// manySpokes returns the example with n more copies of branch1, the hub with a
// route to each.
func manySpokes(b *testing.B, n int) []byte {
	b.Helper()
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		b.Fatal(err)
	}
	var file obj
	if err := json.Unmarshal(data, &file); err != nil {
		b.Fatal(err)
	}
	auth := file["authority"].(obj)
	routers := auth["router"].([]any)
	hub := routers[1].(obj)
	for i := range n {
		name := fmt.Sprintf("spoke%d", i)
		routers = append(routers, copyOf(b, routers[0], name, i))
		hub["service-route"] = append(hub["service-route"].([]any), obj{"name": name, "service-name": "branch-lan", "peer": name})
	}
	auth["router"] = routers
	out, err := json.Marshal(file)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// copyOf renames a router, its asset and its WAN address.
func copyOf(b *testing.B, router any, name string, i int) obj {
	b.Helper()
	data, err := json.Marshal(router)
	if err != nil {
		b.Fatal(err)
	}
	var r obj
	if err := json.Unmarshal(data, &r); err != nil {
		b.Fatal(err)
	}
	r["name"] = name
	node := r["node"].([]any)[0].(obj)
	node["asset-id"] = name
	dev := node["device-interface"].([]any)[1].(obj)
	nif := dev["network-interface"].([]any)[0].(obj)
	nif["address"] = []any{obj{"ip-address": fmt.Sprintf("100.64.%d.%d", i/250, i%250+1), "prefix-length": 10}}
	return r
}

// BenchmarkParse reads and checks an authority of 2,002 routers, as its hub
// would.
func BenchmarkParse(b *testing.B) {
	data := manySpokes(b, 2000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		auth, finds := config.Parse(data)
		if len(finds) != 0 {
			b.Fatal(finds)
		}
		if finds := auth.Check("hub1", ""); finds.Failed() {
			b.Fatal(finds)
		}
	}
}
