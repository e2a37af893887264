package router

import (
	"os"
	"strings"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/policy"
)

// compiled is the example with changes, as branch1 sees it.
func compiled(t *testing.T, changes ...string) *policy.Tables {
	t.Helper()
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	d, finds := config.ReadDraft(data)
	if d == nil {
		t.Fatal(finds)
	}
	for _, c := range changes {
		if _, err := d.Set(config.Place{"authority"}, strings.Fields(c)); err != nil {
			t.Fatal(err)
		}
	}
	auth, finds := config.Parse(d.JSON())
	if finds.Failed() {
		t.Fatal(finds)
	}
	tables, err := policy.Build(auth, "branch1", "")
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// What the router finds different in what it compiled agrees with the class
// that compare shows for the leaf, or is cheaper where the change is another's.
func TestDifference(t *testing.T) {
	const node = "router branch1 node node1 "
	const lan = node + "device-interface lan network-interface lan "
	const fiber = node + "device-interface fiber network-interface fiber "
	for _, row := range []struct {
		change string
		moved  int
		why    string
	}{
		{"description x", 0, ""},
		{"currency EUR", 0, ""},
		{"rekey-interval 24", 0, ""},
		{"tenant corp description x", 0, ""},
		{"security internal description x", 0, ""},
		{"service datacenter description x", 0, ""},
		{"service-policy fiber-then-lte description x", 0, ""},
		{"router branch1 description x", 0, ""},
		{"router branch1 location x", 0, ""},
		{"router branch1 maintenance-mode true", 0, ""},
		{node + "asset-id X-1", 0, ""},
		{node + "device-interface lan description x", 0, ""},
		{lan + "description x", 0, ""},
		{lan + "address 192.168.1.254 prefix-length 24", 1, ""},
		{lan + "address 192.168.1.1 gateway 192.168.1.9", 1, ""},
		{fiber + "address 203.0.113.9 prefix-length 24", 0, "other addresses of fiber, where peer paths begin"},
		{lan + "mtu 1400", 0, "other network-interfaces"},
		{"tenant lab name lab", 0, "other tenants"},
		{"service datacenter address 10.99.0.0/16", 0, "other services or service-routes"},
		{"session-type dns timeout 6000", 0, "other session-types"},
		{"security internal hmac-mode regular", 0, "other security policies"},
	} {
		moved, why := difference(compiled(t), compiled(t, row.change))
		if len(moved) != row.moved || why != row.why {
			t.Errorf("%s: %d interfaces moved, %q; want %d, %q", row.change, len(moved), why, row.moved, row.why)
		}
	}
}
