package config_test

import (
	"strings"
	"testing"

	"waymark/mgmt/config"
)

const (
	fiberDev  = bnode + " > device-interface fiber"
	fiberDevJ = "router/0/node/0/device-interface/1/"
)

// dialling turns the example's fiber port into one that dials in, with the
// changes given.
func dialling(dial obj, more ...edit) []edit {
	list := []edit{{fiberDevJ + "type", "pppoe"}, {fiberJ + "address", nil}}
	if dial != nil {
		list = append(list, edit{fiberDevJ + "pppoe", dial})
	}
	return append(list, more...)
}

func TestPPPoE(t *testing.T) {
	full := obj{"user-name": "cpe@isp", "password": "s3cret"}
	for _, c := range []struct {
		name  string
		edits []edit
		want  string
	}{
		{"full", dialling(full), ``},
		{"own leaves", dialling(obj{"user-name": "a", "password": "b", "authentication-protocol": "pap", "service-name": "s", "access-concentrator": "c"}), ``},
		{"hostname of a dynamic address", dialling(full, edit{fiberJ + "hostname", "branch.example.com"}),
			`warning: ` + fiber + ` > hostname: "branch.example.com": is not yet effective`},
		{"IPv6 address beside it", dialling(full, edit{fiberJ + "address", []any{obj{"ip-address": "fd00:9::1", "prefix-length": 64}}}), ``},
		{"no container", dialling(nil), `error: ` + fiberDev + ` > pppoe: is missing: the device-interface dials in`},
		{"no password", dialling(obj{"user-name": "a"}), `error: ` + fiberDev + ` > pppoe > password: is missing; allowed: up to 255 characters`},
		{"no user", dialling(obj{"password": "a"}), `error: ` + fiberDev + ` > pppoe > user-name: is missing; allowed: up to 255 characters`},
		{"long password", dialling(obj{"user-name": "a", "password": strings.Repeat("x", 256)}), `error: ` + fiberDev + ` > pppoe > password: (hidden): is too long; allowed: up to 255 characters`},
		{"other protocol", dialling(obj{"user-name": "a", "password": "b", "authentication-protocol": "mschapv2"}),
			`error: ` + fiberDev + ` > pppoe > authentication-protocol: "mschapv2": is none of the values; allowed: chap, pap`},
		{"unknown leaf", dialling(obj{"user-name": "a", "password": "b", "mru": 1}),
			`error: ` + fiberDev + ` > pppoe > mru: is unknown here; allowed: user-name, password, authentication-protocol, service-name, access-concentrator`},
		{"on a port that does not dial", []edit{{fiberDevJ + "pppoe", full}}, `error: ` + fiberDev + ` > pppoe: stands in a device-interface that does not dial in; allowed: type pppoe`},
		{"dhcp", dialling(full, edit{fiberJ + "dhcp", "v4"}), `error: ` + fiber + ` > dhcp: "v4": stands beside pppoe: the address comes with the session; allowed: disabled`},
		{"address", dialling(full, edit{fiberJ + "address", []any{obj{"ip-address": "192.0.2.1", "prefix-length": 24}}}),
			`error: ` + fiber + ` > address 192.0.2.1 > ip-address: "192.0.2.1": stands beside pppoe: the address comes with the session`},
		{"tag", dialling(full, edit{fiberJ + "vlan", 35}), ``},
		{"tag on a long name", dialling(full, edit{fiberDevJ + "target-interface", "enp0s31f6-wan"}, edit{fiberJ + "vlan", 35}),
			`error: ` + fiber + ` > vlan: 35: makes the name of the line, enp0s31f6-wan.35, too long; allowed: 15 characters`},
		{"tag that names another port", dialling(full, edit{lanJ + "target-interface", "wan0.35"}, edit{fiberJ + "vlan", 35}),
			`error: ` + fiber + ` > vlan: 35: makes the line wan0.35, which is the port of ` + bnode + ` > device-interface lan`},
		{"mtu", dialling(full, edit{fiberJ + "mtu", 1501}), `error: ` + fiber + ` > mtu: 1501: is too large for a PPPoE session; allowed: 576-1500`},
		{"second interface", dialling(full, edit{fiberDevJ + "network-interface/+", obj{"name": "two", "vlan": 0}}),
			`error: ` + fiberDev + ` > network-interface two: is the second of a device-interface that dials in; allowed: one per session` + "\n" +
				`error: ` + fiberDev + ` > network-interface two > vlan: 0: is used twice, first at ` + fiberDev + ` > network-interface fiber; allowed: one interface per tag of a device`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, finds := config.Parse(edited(t, c.edits...))
			if got := strings.TrimSuffix(finds.String(), "\n"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// The address is dynamic: peers learn it, the model has the leaves.
func TestPPPoEModel(t *testing.T) {
	a, finds := config.Parse(edited(t, dialling(obj{"user-name": "cpe@isp", "password": "s3cret"})...))
	if finds.Failed() {
		t.Fatal(finds)
	}
	var d *config.DeviceInterface
	for i := range a.Routers[0].Nodes[0].Devices {
		if x := &a.Routers[0].Nodes[0].Devices[i]; x.Name == "fiber" {
			d = x
		} else if x.PPPoE != nil || x.Interfaces[0].PPPoE {
			t.Errorf("%s dials in", x.Name)
		}
	}
	if d.PPPoE == nil || *d.PPPoE != (config.PPPoE{User: "cpe@isp", Password: "s3cret"}) || !d.Interfaces[0].Dynamic() {
		t.Errorf("device %+v", d)
	}
}
