package config

import (
	"encoding/hex"
	"net/netip"
	"time"
)

// Values of host-service > service-type that are built. The vendor has no
// dns-forwarder.
const (
	ServeDHCP = "dhcp-server"
	ServeDNS  = "dns-forwarder"
)

// HostService is network-interface > host-service: what the box itself offers
// to the hosts of an interface.
type HostService struct {
	Type     string // ServeDHCP or ServeDNS
	Enabled  bool
	MaxLease time.Duration // of a DHCP lease
	Pools    []AddressPool // of the DHCP server
}

// AddressPool is host-service > address-pool: addresses that the DHCP server
// gives, and what it tells with them.
type AddressPool struct {
	Start, End netip.Addr   // both included
	Router     netip.Addr   // option 3; invalid: the interface's own address
	DNS        []netip.Addr // option 6; empty: the interface's own address where the box forwards DNS
	Domain     string       // option 15
	NTP        []netip.Addr // option 42
	MTU        int          // option 26; 0: not told
	Static     []StaticAssignment
	Custom     []DHCPOption
}

// StaticAssignment is the address that one host always gets.
type StaticAssignment struct {
	Address netip.Addr
	MAC     [6]byte
}

// DHCPOption is an option as it goes to hosts.
type DHCPOption struct {
	Code  uint8
	Value []byte
}

func schemaHostService() *element {
	return listOf("host-service", "service-type", "what the box offers to hosts of the interface",
		lf("service-type", enumLater([]string{"ssh", "netconf", "web", "snmp-server", "custom"}, ServeDHCP, ServeDNS), "", "the service"),
		lf("description", text(1024), "", "free text"),
		lf("enabled", boolean(), "true", "false: not offered"),
		lf("max-lease-time", seconds(120, 31536000), "86400", "longest lease of the DHCP server"),
		listOf("address-pool", "start-address", "addresses to give",
			lf("start-address", address4(), "", "first"),
			lf("end-address", address4(), "", "last").must(),
			lf("router", address4(), "", "option 3; default: the interface's address"),
			ll("domain-server", address4(), "option 6; default: the interface's address with dns-forwarder"),
			lf("domain-name", fqdn(), "", "option 15"),
			ll("ntp-server", address4(), "option 42"),
			lf("interface-mtu", integer(576, 9198), "", "option 26"),
			listOf("static-assignment", "address", "hosts with an address of their own",
				lf("address", address4(), "", "the address"),
				lf("link-layer-address", mac(), "", "MAC address of the host").must(),
				lf("description", text(1024), "", "free text")),
			listOf("custom", "code", "any other option",
				lf("code", integer(1, 254), "", "option"),
				lf("type", enum("hex", "string", "ip-address"), "string", "how value is written"),
				lf("value", chars(" -~", 1, 510, "1-510 printable ASCII characters"), "", "the value; addresses are separated by blanks").must())),
	)
}

// address4 is an IPv4 address of one host.
func address4() valueType {
	all := address()
	return valueType{json: all.json, allowed: "an IPv4 address", read: func(s string) (any, string) {
		v, problem := all.read(s)
		if a, ok := v.(netip.Addr); problem == "" && (!ok || !a.Is4()) {
			return v, "is no IPv4 address"
		}
		return v, problem
	}}
}

func decodeHostService(e *entry) HostService {
	return HostService{Type: e.str("service-type"), Enabled: e.flag("enabled"), MaxLease: get[time.Duration](e, "max-lease-time"),
		Pools: each(e, "address-pool", decodePool)}
}

func decodePool(e *entry) AddressPool {
	p := AddressPool{Start: e.addr("start-address"), End: e.addr("end-address"), Router: e.addr("router"),
		DNS: values[netip.Addr](e, "domain-server"), Domain: e.str("domain-name"), NTP: values[netip.Addr](e, "ntp-server"),
		MTU: e.num("interface-mtu"),
		Static: each(e, "static-assignment", func(s *entry) StaticAssignment {
			return StaticAssignment{s.addr("address"), get[[6]byte](s, "link-layer-address")}
		})}
	for _, c := range e.all("custom") {
		v, _ := customValue(c) // the checks told what is wrong
		p.Custom = append(p.Custom, DHCPOption{uint8(c.num("code")), v})
	}
	return p
}

// customValue reads the value of a custom option as its type says; ok is false
// when it cannot be read so.
func customValue(e *entry) (v []byte, ok bool) {
	s := e.str("value")
	switch e.str("type") {
	case "hex":
		v, err := hex.DecodeString(s)
		return v, err == nil && len(v) <= maxOption
	case "ip-address":
		for _, f := range fields(s) {
			a, err := netip.ParseAddr(f)
			if err != nil || !a.Is4() {
				return nil, false
			}
			v = append(v, a.AsSlice()...)
		}
		return v, len(v) > 0 && len(v) <= maxOption
	}
	return []byte(s), len(s) <= maxOption
}
