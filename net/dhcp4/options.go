package dhcp4

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

const (
	minMTU = 576 // less is not believed
	// Enterprise is the number under which option 125 speaks of conductors.
	Enterprise = 32473

	subHost, subHostKey = 1, 2
	hostKeyLen          = 32 // SHA-256
	maxHosts            = 8
)

// Conductor is where the network says that this box is managed from.
type Conductor struct {
	Hosts   []string `json:"hosts,omitempty"`
	HostKey []byte   `json:"host-key,omitempty"` // SHA-256 of the key the host must have; empty: not told
}

// conductor reads options 125 (ours) and 43; 125 wins, because it names whom it
// speaks to.
func conductor(opts dhcpv4.Options) Conductor {
	if c, ok := parseConductor(vendorPart(opts[optVIVendor])); ok {
		return c
	}
	c, _ := parseConductor(opts[optVendor])
	return c
}

// vendorPart returns our enterprise's data of option 125 (RFC 3925).
func vendorPart(b []byte) []byte {
	for len(b) >= 5 {
		number, n := binary.BigEndian.Uint32(b), int(b[4])
		if n > len(b)-5 {
			return nil
		}
		if number == Enterprise {
			return b[5 : 5+n]
		}
		b = b[5+n:]
	}
	return nil
}

// parseConductor reads sub-options. A fingerprint that is none, or a host that
// is none, makes all of it void: half of it could lead to a stranger.
func parseConductor(b []byte) (c Conductor, ok bool) {
	for len(b) > 0 && b[0] != 255 {
		if b[0] == 0 {
			b = b[1:]
			continue
		}
		if len(b) < 2 || int(b[1]) > len(b)-2 {
			return Conductor{}, false
		}
		code, v := b[0], b[2:2+int(b[1])]
		b = b[2+int(b[1]):]
		switch code {
		case subHost:
			h := name(v)
			if h == "" || len(c.Hosts) == maxHosts {
				return Conductor{}, false
			}
			c.Hosts = append(c.Hosts, h)
		case subHostKey:
			if len(v) != hostKeyLen || c.HostKey != nil {
				return Conductor{}, false
			}
			c.HostKey = slices.Clone(v)
		}
	}
	return c, len(c.Hosts) > 0
}

// name reads a host or domain name; anything that is none is empty. Names end
// up in files and on command lines of others.
func name(b []byte) string {
	s := strings.TrimRight(string(b), "\x00")
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return ""
	}
	for _, c := range []byte(s) {
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == ':'
		if !ok {
			return ""
		}
	}
	if strings.HasPrefix(s, "-") || strings.HasPrefix(s, ".") {
		return ""
	}
	return s
}

// addrs reads a list of addresses; a length that is none gives none.
func addrs(b []byte) (list []netip.Addr) {
	if len(b)%4 != 0 {
		return nil
	}
	for ; len(b) >= 4 && len(list) < maxAddrs; b = b[4:] {
		if a := addr4(b[:4]); a.IsValid() && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// mtu reads option 26, 0 when it is missing or below 576.
func mtu(b []byte) int {
	if len(b) != 2 {
		return 0
	}
	if v := int(binary.BigEndian.Uint16(b)); v >= minMTU {
		return v
	}
	return 0
}

// routes returns the gateway of the default route and all other routes. With
// option 121 options 3 and 33 do not count (RFC 3442).
func routes(opts dhcpv4.Options) (gw netip.Addr, list []Route) {
	if classless, ok := classless(opts[optClasslessRoutes]); ok {
		for _, r := range classless {
			if r.Dst.Bits() > 0 {
				list = append(list, r)
			} else if !gw.IsValid() {
				gw = r.Gateway
			}
		}
		return gw, list
	}
	if r := addrs(opts[optRouter]); len(r) > 0 {
		gw = r[0]
	}
	return gw, classful(opts[optStaticRoutes])
}

// classless reads option 121; one that is broken does not count.
func classless(b []byte) (list []Route, ok bool) {
	if len(b) == 0 {
		return nil, false
	}
	for len(b) > 0 {
		bits := int(b[0])
		n := (bits + 7) / 8
		if bits > 32 || len(b) < 1+n+4 || len(list) == maxRoutes {
			return nil, false
		}
		var dst [4]byte
		copy(dst[:], b[1:1+n])
		p := netip.PrefixFrom(netip.AddrFrom4(dst), bits).Masked()
		raw := netip.AddrFrom4([4]byte(b[1+n : 5+n]))
		r := Route{Dst: p, Gateway: addr4(b[1+n : 5+n])}
		b = b[5+n:]
		if !r.Gateway.IsValid() && !raw.IsUnspecified() {
			return nil, false
		}
		// Everything on link has no gateway we could use; loopback and
		// multicast are nobody's to route.
		if bits == 0 && !r.Gateway.IsValid() || bits > 0 && !host(p.Addr()) {
			continue
		}
		list = append(list, r)
	}
	return list, true
}

// classful reads option 33: pairs of destination and router. A default route is
// not allowed here (RFC 2132 5.8).
func classful(b []byte) (list []Route) {
	if len(b)%8 != 0 {
		return nil
	}
	for ; len(b) >= 8 && len(list) < maxRoutes; b = b[8:] {
		dst, gw := addr4(b[:4]), addr4(b[4:8])
		if !dst.IsValid() || !gw.IsValid() {
			continue
		}
		p := netip.PrefixFrom(dst, class(dst))
		if p.Masked().Addr() != dst {
			p = netip.PrefixFrom(dst, 32)
		}
		list = append(list, Route{Dst: p, Gateway: gw})
	}
	return list
}
