package ppp

import (
	"net/netip"
)

// Options of IPCP (RFC 1332, RFC 1877).
const (
	optAddress = 3
	optDNS1    = 129
	optDNS2    = 131
)

// ipcp are the rules of IPCP. We ask for what the peer has for us.
type ipcp struct {
	own    netip.Addr
	peer   netip.Addr // invalid: the peer does not tell
	dns    [2]netip.Addr
	noDNS  [2]bool // the peer has none
	noAddr bool    // the peer gives no address
}

func newIPCP() *ipcp {
	z := netip.IPv4Unspecified()
	return &ipcp{own: z, dns: [2]netip.Addr{z, z}}
}

func (p *ipcp) request() []byte {
	var b []byte
	if !p.noAddr {
		b = appendOption(b, optAddress, p.own.AsSlice()...)
	}
	for i, kind := range []uint8{optDNS1, optDNS2} {
		if !p.noDNS[i] {
			b = appendOption(b, kind, p.dns[i].AsSlice()...)
		}
	}
	return b
}

func (p *ipcp) judge(o option) (code, []byte) {
	if o.kind != optAddress || len(o.value) != 4 {
		return configReject, nil
	}
	if a := netip.AddrFrom4([4]byte(o.value)); !host(a) || a == p.own {
		return configReject, nil // we have none to suggest
	}
	return configAck, nil
}

func (p *ipcp) missing([]option) []option { return nil }

func (p *ipcp) agreed(list []option) {
	p.peer = netip.Addr{}
	for _, o := range list {
		p.peer = netip.AddrFrom4([4]byte(o.value))
	}
}

func (p *ipcp) naked(o option) {
	if len(o.value) != 4 {
		return
	}
	a := netip.AddrFrom4([4]byte(o.value))
	switch o.kind {
	case optAddress:
		p.own = a
	case optDNS1:
		p.dns[0] = a
	case optDNS2:
		p.dns[1] = a
	}
}

func (p *ipcp) rejected(o option) {
	switch o.kind {
	case optAddress:
		p.noAddr = true
	case optDNS1:
		p.noDNS[0] = true
	case optDNS2:
		p.noDNS[1] = true
	}
}

// servers are the DNS servers that the peer named.
func (p *ipcp) servers() (list []netip.Addr) {
	for i, a := range p.dns {
		if !p.noDNS[i] && host(a) && (i == 0 || a != p.dns[0]) {
			list = append(list, a)
		}
	}
	return list
}

// host tells whether an address can be a host's.
func host(a netip.Addr) bool {
	return a.Is4() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
