package config_test

import (
	"os"
	"testing"

	"waymark/mgmt/config"
)

func acme(t *testing.T) *config.Authority {
	t.Helper()
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	auth, finds := config.Parse(data)
	if len(finds) != 0 {
		t.Fatalf("findings:\n%s", finds)
	}
	return auth
}

func TestAcme(t *testing.T) {
	a := acme(t)
	for _, r := range a.Routers {
		adjs, f := a.Adjacencies(r.Name, "")
		t.Logf("%s\n%+v\n%s", r.Name, adjs, f)
		t.Log(a.Check(r.Name, ""))
	}
}
