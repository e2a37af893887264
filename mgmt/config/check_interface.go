package config

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// node checks devices and interfaces.
func (r *routerChecker) node(e *entry) {
	targets, names := make(map[string]*entry), make(map[string]*entry)
	for _, d := range e.all("device-interface") {
		r.twice(targets, d.kid("target-interface"))
		r.pppoe(d)
		vlans := make(map[string]*entry)
		for _, i := range d.all("network-interface") {
			r.twice(names, i.kid("name"))
			r.vlan(vlans, i)
			r.networkInterface(i)
		}
	}
}

// vlan refuses a tag that another interface of the device has; an absent tag
// is 0.
func (k *checker) vlan(seen map[string]*entry, i *entry) {
	tag := fmt.Sprint(i.num("vlan"))
	if first := seen[tag]; first != nil {
		k.add(Error, i.below("vlan"), tag, "is used twice, first at "+first.path(), "one interface per tag of a device")
		return
	}
	seen[tag] = i
}

func (r *routerChecker) networkInterface(e *entry) {
	ni := decodeInterface(e)
	for _, a := range e.all("address") {
		r.twice(r.own, a.kid("ip-address"))
		r.address(a, &ni)
	}
	if len(ni.Addresses) == 0 && !ni.Dynamic() {
		r.add(Warning, e.below("address"), "", "is missing: the interface carries nothing", "")
	}
	if (len(ni.Neighborhoods) > 0 || len(ni.Adjacencies) > 0) && ni.InterRouterSecurity == "" {
		r.missing(e, "inter-router-security", "is missing: the interface has peers", r.known("security"))
	}
	if h := e.kid("hostname"); h != nil && !ni.Dynamic() {
		r.warn(h, "is not needed: the address is not dynamic")
	}
	r.ownPorts(e)
	r.bfdNeighbors(e, &ni)
	for _, a := range e.all("adjacency") {
		r.adjacency(a, &ni)
	}
	for _, x := range append(e.all("neighborhood"), e.all("adjacency")...) {
		r.externalNAT(x)
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
		k.add(Error, e.parent.below("mtu"), fmt.Sprint(ni.MTU), "is too small for IPv6", "1280 or more")
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

func (r *routerChecker) adjacency(e *entry, ni *NetworkInterface) {
	r.peerName(e.kid("peer"))
	ip := e.addr("ip-address")
	for _, a := range ni.Addresses {
		if ip.IsValid() && a.IP == ip {
			r.err(e.kid("ip-address"), "is our own address", "")
		}
	}
	if n := e.kid("ip-address"); n != nil && e.str("ip-address") != "" {
		r.warn(n, "host names are not yet effective")
	}
}

func (k *checker) externalNAT(e *entry) {
	if n := e.kid("external-nat-address"); n != nil && e.str("external-nat-address") != "" {
		k.warn(n, "host names are not yet effective")
	}
}
