package factory_test

import (
	"testing"

	"waymark/mgmt/config"
	"waymark/mgmt/config/factory"
)

// The configuration is one that a router takes, whatever ports there are.
func TestConfig(t *testing.T) {
	for _, ports := range [][]string{nil, {"wan0"}, {"wan0", "wan1", "wan2"}} {
		b, err := factory.Config(ports)
		if err != nil {
			t.Fatal(err)
		}
		a, finds := config.Parse(b)
		if a == nil {
			t.Fatalf("%v: %s", ports, finds)
		}
		finds = append(finds, a.Check(factory.Router, "")...)
		if finds.Failed() {
			t.Errorf("%v: %s", ports, finds)
		}
		for _, p := range ports {
			if _, ni := a.FindRouter(factory.Router).Nodes[0].FindInterface(p); ni == nil || !ni.Dynamic() {
				t.Errorf("%v: %s does not ask for an address", ports, p)
			}
		}
	}
}
