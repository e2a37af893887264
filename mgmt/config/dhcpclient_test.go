package config_test

import (
	"reflect"
	"strings"
	"testing"

	"waymark/mgmt/config"
)

// dhcpRows are edits of an interface with dhcp v4; got is what its client tells.
var dhcpRows = []struct {
	name string
	set  any
	want string // finding; empty: none
	got  config.DHCPClient
}{
	{"nothing", nil, "", config.DHCPClient{VendorClass: "waymark", ClientID: "duid"}},
	{"all", obj{"vendor-class": "cpe.v1", "client-id": "mac", "user-class": []any{"voice", "data"},
		"vendor-identifying-class": []any{obj{"enterprise": 3561, "data": "dslforum.org"}}}, "",
		config.DHCPClient{VendorClass: "cpe.v1", ClientID: "mac", UserClasses: []string{"voice", "data"},
			Vendors: []config.VendorClass{{Enterprise: 3561, Data: "dslforum.org"}}}},
	{"bytes", obj{"client-id": "00A1ff", "vendor-class": ""}, "", config.DHCPClient{ClientBytes: []byte{0, 0xa1, 0xff}}},
	{"one byte", obj{"client-id": "01"}, `client-id: "01": is no valid name; allowed: duid, mac, or 2-255 bytes in hexadecimal`, config.DHCPClient{}},
	{"not ASCII", obj{"vendor-class": "grün"}, `vendor-class: "grün": is no valid name; allowed: 0-255 printable ASCII characters`, config.DHCPClient{}},
	{"enterprise", obj{"vendor-identifying-class": []any{obj{"enterprise": 4294967296, "data": "x"}}},
		`enterprise: 4294967296: is out of range; allowed: 0-4294967295`, config.DHCPClient{}},
	{"no data", obj{"vendor-identifying-class": []any{obj{"enterprise": 1}}}, `data: is missing`, config.DHCPClient{}},
	{"user classes too long", obj{"user-class": []any{strings.Repeat("a", 200), strings.Repeat("b", 54)}},
		`are too long together; allowed: 255 bytes, one of them for the length of each`, config.DHCPClient{}},
	{"vendor classes too long", obj{"vendor-identifying-class": []any{obj{"enterprise": 1, "data": strings.Repeat("a", 200)},
		obj{"enterprise": 2, "data": strings.Repeat("b", 46)}}},
		`are too long together; allowed: 255 bytes, five of them for the head of each`, config.DHCPClient{}},
}

func TestDHCPClient(t *testing.T) {
	for _, tt := range dhcpRows {
		auth, finds := config.Parse(edited(t, edit{lteJ + "dhcp-client", tt.set}))
		if auth != nil && !finds.Failed() {
			finds = append(finds, auth.Check("branch1", "")...)
		}
		if tt.want != "" {
			if !finds.Failed() || !strings.Contains(finds.String(), tt.want) {
				t.Errorf("%s: findings %s, want %s", tt.name, finds, tt.want)
			}
			continue
		}
		if finds.Failed() {
			t.Errorf("%s: %s", tt.name, finds)
			continue
		}
		got := auth.Routers[0].Nodes[0].Devices[2].Interfaces[0].DHCPClient
		if !reflect.DeepEqual(got, tt.got) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.got)
		}
	}
}

func TestDHCPClientWithoutDHCP(t *testing.T) {
	auth, finds := config.Parse(edited(t, edit{fiberJ + "dhcp-client", obj{}}))
	if finds = append(finds, auth.Check("branch1", "")...); finds.Failed() || !strings.Contains(finds.String(), "dhcp-client: is not needed") {
		t.Error(finds)
	}
}

// An LTE port is metered unless the file says otherwise.
func TestLTEIsMetered(t *testing.T) {
	const device = "router/0/node/0/device-interface/2/"
	for _, tt := range []struct {
		typ, billing any
		want         bool
	}{{"lte", nil, true}, {"lte", "metered", true}, {"lte", "flat", false}, {"lte", "none", false}, {"ethernet", nil, false}, {"ethernet", "metered", true}} {
		auth, finds := config.Parse(edited(t, edit{device + "type", tt.typ}, edit{lteJ + "billing-type", tt.billing}))
		if finds.Failed() {
			t.Fatal(finds)
		}
		d := auth.Routers[0].Nodes[0].Devices[2]
		if got := d.Interfaces[0].Metered(); got != tt.want || d.Type != tt.typ {
			t.Errorf("type %v, billing-type %v: metered %t", tt.typ, tt.billing, got)
		}
	}
}

// plainClient is what a client tells without dhcp-client.
var plainClient = config.DHCPClient{VendorClass: "waymark", ClientID: config.ClientIDDUID}
