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
