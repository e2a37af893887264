package world

import (
	"bytes"
	_ "embed" // the example configuration travels in the binary
	"fmt"
)

//go:embed testdata/acme.json
var acme []byte

// Acme returns the example configuration: branch1 and hub1.
func Acme() []byte { return bytes.Clone(acme) }

// guestPort is a device-interface for the branch: a port for visitors.
const guestPort = `{"name": "guest", "type": "ethernet", "target-interface": "lan1",
               "network-interface": [
                 {"name": "guest", "vlan": 0, "tenant": "guest",
                  "address": [{"ip-address": "192.168.20.1", "prefix-length": 24}]}
               ]},
              `

// fiberPort begins the device-interface that guestPort is put before.
const fiberPort = `{"name": "fiber", "type": "ethernet", "target-interface": "wan0"`

// AcmeGuest returns the example configuration with one more port at the branch,
// lan1, whose members are of tenant guest.
func AcmeGuest() []byte {
	if n := bytes.Count(acme, []byte(fiberPort)); n != 1 {
		panic(fmt.Sprintf("acme.json names the fiber port %d times", n)) // a test holds it
	}
	return bytes.Replace(acme, []byte(fiberPort), []byte(guestPort+fiberPort), 1)
}

// fiberAddress is what the branch's fiber has in the example.
const fiberAddress = `"address": [{"ip-address": "203.0.113.2", "prefix-length": 24, "gateway": "203.0.113.1"}]`

// FiberRange is what the fiber provider's DHCP server gives out, first and last:
// the address that the branch has in the example.
var FiberRange = [2]string{"203.0.113.2", "203.0.113.2"}

// AcmeDHCP returns the example configuration with a branch whose fiber gets its
// address by DHCP, so that the hub cannot know it beforehand, and with the
// conductor's address.
func AcmeDHCP(conductor string) []byte {
	out := acme
	for _, c := range [][2]string{
		{fiberAddress, `"dhcp": "v4"`}, {`"name": "acme",`, fmt.Sprintf(`"name": "acme", "conductor-address": [%q],`, conductor)},
	} {
		if n := bytes.Count(out, []byte(c[0])); n != 1 {
			panic(fmt.Sprintf("acme.json has %d times %s", n, c[0])) // a test holds it
		}
		out = bytes.Replace(out, []byte(c[0]), []byte(c[1]), 1)
	}
	return out
}
