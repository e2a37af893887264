package router

import (
	"os"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/policy"
)

// acme compiles the example configuration for one router.
func acme(t testing.TB, router string) *policy.Tables {
	t.Helper()
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	auth, findings := config.Parse(data)
	if findings.Failed() {
		t.Fatal(findings)
	}
	tables, err := policy.Build(auth, router, "")
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func TestLANsCoalesce(t *testing.T) {
	for router, want := range map[string]map[string]bool{
		"branch1": {"lan": true, "fiber": false, "lte": false}, "hub1": {"dc": true, "wan": false},
	} {
		r := &Router{tables: acme(t, router)}
		for i := range r.tables.Interfaces {
			f := &r.tables.Interfaces[i]
			if got := r.isLAN(f); got != want[f.Name] {
				t.Errorf("%s %s: got %v, want %v", router, f.Name, got, want[f.Name])
			}
		}
	}
}
