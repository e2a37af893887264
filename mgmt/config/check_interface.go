package config

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// node checks devices and interfaces; own holds the addresses of the router so
// far.
func (k *checker) node(e *entry, own map[string]*entry) {
	targets, names := make(map[string]*entry), make(map[string]*entry)
	for _, d := range e.all("device-interface") {
		k.twice(targets, d.kid("target-interface"))
		vlans := make(map[string]*entry)
		for _, i := range d.all("network-interface") {
			k.twice(names, i.kid("name"))
			k.vlan(vlans, i)
			k.networkInterface(i, own)
		}
	}
}

// vlan refuses a tag that another interface of the device has; an absent tag
// is 0.
func (k *checker) vlan(seen map[string]*entry, i *entry) {
	tag := fmt.Sprint(i.num("vlan"))
	if first := seen[tag]; first != nil {
		k.add(Error, i.path()+" > vlan", tag, "is used twice, first at "+first.path(), "one interface per tag of a device")
		return
	}
	seen[tag] = i
}

func (k *checker) networkInterface(e *entry, own map[string]*entry) {
	ni := decodeInterface(e)
	for _, a := range e.all("address") {
		k.twice(own, a.kid("ip-address"))
		k.address(a, &ni)
	}
	if len(ni.Addresses) == 0 && ni.DHCP == DHCPDisabled {
		k.add(Warning, e.path()+" > address", "", "is missing: the interface carries nothing", "")
	}
	if (len(ni.Neighborhoods) > 0 || len(ni.Adjacencies) > 0) && ni.InterRouterSecurity == "" {
		k.missing(e, "inter-router-security", "is missing: the interface has peers", k.known("security"))
	}
	if h := e.kid("hostname"); h != nil && ni.DHCP == DHCPDisabled {
		k.warn(h, "is not needed: the address is not dynamic")
	}
	k.ownPorts(e)
	for _, a := range e.all("adjacency") {
		k.adjacency(a, &ni)
	}
	for _, x := range append(e.all("neighborhood"), e.all("adjacency")...) {
		k.externalNAT(x)
	}
}

// address checks one address against its family, subnet and gateway.
func (k *checker) address(e *entry, ni *NetworkInterface) {
	a := decodeAddress(e)
	if !a.IP.IsValid() || e.kid("prefix-length") == nil {
		return
	}
	switch {
	case a.PrefixLength > a.IP.BitLen():
		k.err(e.kid("prefix-length"), "is too long for an IPv4 address", "0-32")
		return
	case a.IP.Is4() && ni.DHCP == DHCPv4:
		k.err(e.kid("ip-address"), "stands beside dhcp v4", "one of both")
	case a.IP.Is6() && ni.MTU < 1280:
		k.add(Error, e.parent.path()+" > mtu", fmt.Sprint(ni.MTU), "is too small for IPv6", "1280 or more")
	}
	if noHost(a.subnet(), a.IP) {
		k.err(e.kid("ip-address"), "is the network or broadcast address of "+a.subnet().String(), "")
	}
	k.gateway(e, &a)
}

func (k *checker) gateway(e *entry, a *Address) {
	g := e.kid("gateway")
	switch {
	case g == nil || !a.Gateway.IsValid():
	case a.Gateway == a.IP:
		k.err(g, "is our own address", "")
	case a.Gateway.Is6() && a.IP.Is6() && a.Gateway.IsLinkLocalUnicast():
	case !a.subnet().Contains(a.Gateway):
		k.err(g, "is outside the subnet", a.subnet().String())
	case noHost(a.subnet(), a.Gateway):
		k.err(g, "is the network or broadcast address of "+a.subnet().String(), "")
	}
}

// noHost tells whether an IPv4 address is the first or last of its subnet.
func noHost(subnet netip.Prefix, ip netip.Addr) bool {
	if !ip.Is4() || !subnet.IsValid() || subnet.Bits() > 30 {
		return false
	}
	b := ip.As4()
	host := binary.BigEndian.Uint32(b[:]) & (1<<(32-subnet.Bits()) - 1)
	return host == 0 || host == 1<<(32-subnet.Bits())-1
}

func (k *checker) adjacency(e *entry, ni *NetworkInterface) {
	router := e
	for router.el.name != "router" {
		router = router.parent
	}
	k.peerName(router, e.kid("peer"))
	ip := e.addr("ip-address")
	for _, a := range ni.Addresses {
		if ip.IsValid() && a.IP == ip {
			k.err(e.kid("ip-address"), "is our own address", "")
		}
	}
	if n := e.kid("ip-address"); n != nil && e.str("ip-address") != "" {
		k.warn(n, "host names are not yet effective")
	}
}

func (k *checker) externalNAT(e *entry) {
	if n := e.kid("external-nat-address"); n != nil && e.str("external-nat-address") != "" {
		k.warn(n, "host names are not yet effective")
	}
}
