package config

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// MaxPool is the most addresses that one DHCP server gives.
const MaxPool = 4096

// ownOptions are DHCP options that the server writes by itself.
var ownOptions = []int{1, 3, 6, 15, 26, 42, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 82}

func fields(s string) []string { return strings.Fields(s) }

// hostServices checks what an interface offers.
func (r *routerChecker) hostServices(e *entry, ni *NetworkInterface) {
	for _, h := range e.all("host-service") {
		wan := ni.Dynamic() || ni.SourceNAT || slices.ContainsFunc(ni.Addresses, func(a Address) bool { return a.Gateway.IsValid() })
		switch typ := h.str("service-type"); {
		case typ != ServeDHCP && typ != ServeDNS:
			continue // its type told
		case wan:
			r.err(h, "is not for an interface with a gateway, dynamic address or source-nat: strangers are behind it", "a LAN")
		case typ == ServeDNS && ni.VLAN != 0:
			r.err(h, "is not possible on a tag: the kernel has no address there", "vlan 0")
		case typ == ServeDNS && h.kid("address-pool") != nil:
			r.err(h.kid("address-pool"), "belongs to service-type dhcp-server", "")
		case typ == ServeDHCP:
			r.pools(h, ni)
		}
	}
}

// pools checks the pools of a DHCP server: each in a subnet of the interface,
// none twice, no host twice.
func (r *routerChecker) pools(h *entry, ni *NetworkInterface) {
	if h.kid("address-pool") == nil {
		r.missing(h, "address-pool", "is missing: there is nothing to give", "")
	}
	var seen []AddressPool
	total := 0
	hosts, fixed := map[string]*entry{}, map[string]*entry{}
	for _, e := range h.all("address-pool") {
		p := decodePool(e)
		if !p.Start.IsValid() || !p.End.IsValid() {
			continue
		}
		net, ok := subnetOf(ni, p.Start)
		if !ok || !net.Contains(p.End) {
			r.err(e, "lies in no subnet of the interface", "")
			continue
		}
		if p.End.Less(p.Start) {
			r.err(e.kid("end-address"), "is below start-address", "")
			continue
		}
		for _, o := range seen {
			if !p.End.Less(o.Start) && !o.End.Less(p.Start) {
				r.err(e, "overlaps the pool at "+o.Start.String(), "")
			}
		}
		seen, total = append(seen, p), total+poolSize(&p)
		r.assignments(e, net, hosts, fixed)
		r.customs(e)
	}
	if total > MaxPool {
		r.add(Error, h.below("address-pool"), fmt.Sprint(total), "are too many addresses", fmt.Sprintf("%d", MaxPool))
	}
}

func subnetOf(ni *NetworkInterface, a netip.Addr) (netip.Prefix, bool) {
	for _, x := range ni.Addresses {
		if n := x.subnet(); n.IsValid() && n.Contains(a) {
			return n, true
		}
	}
	return netip.Prefix{}, false
}

// poolSize counts the addresses of a pool and those outside that are assigned.
func poolSize(p *AddressPool) int {
	first, last := p.Start.As4(), p.End.As4()
	return int(binary.BigEndian.Uint32(last[:])-binary.BigEndian.Uint32(first[:])) + 1 + len(p.Static)
}

func (r *routerChecker) assignments(pool *entry, net netip.Prefix, hosts, fixed map[string]*entry) {
	for _, s := range pool.all("static-assignment") {
		a := s.addr("address")
		if a.IsValid() && (!net.Contains(a) || noHost(net, a)) {
			r.err(s.kid("address"), "is no host address of the pool's subnet", net.String())
		}
		r.twice(fixed, s.kid("address"))
		r.twice(hosts, s.kid("link-layer-address"))
	}
}

func (r *routerChecker) customs(pool *entry) {
	for _, c := range pool.all("custom") {
		if code := c.num("code"); slices.Contains(ownOptions, code) {
			r.err(c.kid("code"), "is an option that the server sets by itself", "")
		}
		if _, ok := customValue(c); !ok && c.kid("value") != nil {
			r.err(c.kid("value"), "is no value of type "+c.str("type"), "up to 255 bytes")
		}
	}
}
