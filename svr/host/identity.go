package host

import (
	"encoding/binary"

	"waymark/mgmt/config"
	"waymark/net/dhcp4"
	"waymark/svr/policy"
)

// Options that tell a server about its client (RFC 3004, RFC 3925).
const (
	optUserClass         = 77
	optVendorIdentifying = 124
)

// identity is what an interface's client tells servers.
func (d *dhcpClients) identity(f *policy.Interface, mac [6]byte) dhcp4.Config {
	c := &f.Config.DHCPClient
	id := dhcp4.Config{MAC: mac, Hostname: d.Tables.RouterName, VendorClass: c.VendorClass, Extra: map[uint8][]byte{}}
	switch c.ClientID {
	case config.ClientIDDUID:
		id.ClientID = dhcp4.DUIDClientID(iaid(f), mac)
	case config.ClientIDMAC:
		id.ClientID = dhcp4.MACClientID(mac)
	default:
		id.ClientID = c.ClientBytes
	}
	var users, vendors []byte
	for _, u := range c.UserClasses {
		users = append(append(users, byte(len(u))), u...)
	}
	for _, v := range c.Vendors {
		vendors = binary.BigEndian.AppendUint32(vendors, v.Enterprise)
		vendors = append(append(vendors, byte(1+len(v.Data)), byte(len(v.Data))), v.Data...)
	}
	if users != nil {
		id.Extra[optUserClass] = users
	}
	if vendors != nil {
		id.Extra[optVendorIdentifying] = vendors
	}
	return id
}
