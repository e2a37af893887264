package config

import (
	"encoding/hex"
	"fmt"
)

// Values of dhcp-client > client-id besides bytes.
const (
	ClientIDDUID = "duid" // RFC 4361: from the interface's name and MAC
	ClientIDMAC  = "mac"  // hardware type and MAC, as older clients
)

// DHCPClient is network-interface > dhcp-client, what our client tells servers
// about itself. The vendor's model has no such leaves.
type DHCPClient struct {
	VendorClass string   // option 60, empty: not sent
	ClientID    string   // option 61: ClientIDDUID, ClientIDMAC, or empty with ClientBytes
	ClientBytes []byte   // option 61 as it is
	UserClasses []string // option 77
	Vendors     []VendorClass
}

// VendorClass is one enterprise's part of option 124.
type VendorClass struct {
	Enterprise uint32
	Data       string
}

const (
	maxOption     = 255 // bytes of one DHCP option
	defaultVendor = "waymark"
)

func printable(least, most int) valueType {
	return chars(" -~", least, most, fmt.Sprintf("%d-%d printable ASCII characters", least, most))
}

// clientID returns duid, mac, or bytes in hexadecimal, as written.
func clientID() valueType {
	hex := classOf("0-9A-Fa-f")
	return valueType{json: jString, allowed: "duid, mac, or 2-255 bytes in hexadecimal", read: func(s string) (any, string) {
		n := len(s)
		if s == ClientIDDUID || s == ClientIDMAC || n%2 == 0 && n >= 4 && n <= 510 && hex.holds(s) {
			return s, ""
		}
		return "", "is no valid name"
	}}
}

func schemaDHCPClient() *element {
	return cont("dhcp-client", "what our DHCP client tells",
		lf("vendor-class", printable(0, 255), defaultVendor, "option 60; empty: not sent"),
		lf("client-id", clientID(), ClientIDDUID, "option 61"),
		ll("user-class", printable(1, 254), "option 77"),
		listOf("vendor-identifying-class", "enterprise", "option 124",
			lf("enterprise", integer(0, 4294967295), "", "enterprise number"),
			lf("data", printable(1, 249), "", "what it means to the enterprise").must()),
	)
}

func decodeDHCPClient(e *entry) DHCPClient {
	c := DHCPClient{VendorClass: e.str("vendor-class"), ClientID: e.str("client-id")}
	if c.ClientID != ClientIDDUID && c.ClientID != ClientIDMAC {
		c.ClientBytes, _ = hex.DecodeString(c.ClientID) // its pattern held
		c.ClientID = ""
	}
	c.UserClasses = values[string](e, "user-class")
	c.Vendors = each(e, "vendor-identifying-class", func(v *entry) VendorClass {
		return VendorClass{uint32(v.num("enterprise")), v.str("data")}
	})
	return c
}

// dhcpClient checks that each option fits into one.
func (r *routerChecker) dhcpClient(e *entry, ni *NetworkInterface) {
	c := e.kid("dhcp-client")
	if c == nil {
		return
	}
	if ni.DHCP == DHCPDisabled {
		r.warn(c, "is not needed: the address is not dynamic")
	}
	users, vendors := 0, 0
	for _, u := range ni.DHCPClient.UserClasses {
		users += 1 + len(u)
	}
	for _, v := range ni.DHCPClient.Vendors {
		vendors += 5 + len(v.Data)
	}
	if users > maxOption {
		r.err(c.kid("user-class"), "are too long together", "255 bytes, one of them for the length of each")
	}
	if vendors > maxOption {
		r.err(c.kid("vendor-identifying-class"), "are too long together", "255 bytes, five of them for the head of each")
	}
}
