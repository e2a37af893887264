package dhcp4

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"waymark/net/frame"
)

// Infinite is the lease time that never ends, in seconds.
const Infinite = 0xffffffff

// MinSeconds is the shortest lease that is taken: a shorter one would be over
// before its address is probed, and the client would ask without a pause.
const MinSeconds = 4

// Bounds of lists in a lease; what is beyond is left out.
const (
	maxAddrs  = 8
	maxRoutes = 64
	maxExtra  = 512 // bytes of one kept option
)

// Route is a route that the server told, of the host's own traffic. A zero
// Gateway means on link.
type Route struct {
	Dst     netip.Prefix `json:"dst"`
	Gateway netip.Addr   `json:"gateway"`
}

// Lease is what a server gave.
type Lease struct {
	Address  netip.Prefix `json:"address"`
	Server   netip.Addr   `json:"server"`
	Gateway  netip.Addr   `json:"gateway"` // of the default route; zero: none
	Routes   []Route      `json:"routes,omitempty"`
	DNS      []netip.Addr `json:"dns,omitempty"`
	NTP      []netip.Addr `json:"ntp,omitempty"`
	Hostname string       `json:"hostname,omitempty"`
	Domain   string       `json:"domain,omitempty"`
	MTU      int          `json:"mtu,omitempty"` // bytes of IP packet; 0: not told

	Via frame.MAC `json:"via"` // station that answers came from: the server or a relay; zero: unknown

	Seconds uint32 `json:"seconds"` // how long it holds; Infinite
	T1      uint32 `json:"t1"`      // seconds until renewing
	T2      uint32 `json:"t2"`      // seconds until rebinding

	Conductor Conductor        `json:"conductor"`
	Extra     map[uint8][]byte `json:"extra,omitempty"` // options that others read: 66, 67, 119, 120, 150, 212
}

var errLease = errors.New("no lease that could be used")

// kept are the options of Lease.Extra.
var kept = []uint8{optTFTPServer, optBootFile, optSearch, optSIP, optTFTPAddrs, opt6rd}

// lease reads what an OFFER or ACK gives. An OFFER may leave out the time.
func (m *message) lease() (*Lease, error) {
	l := &Lease{Server: m.server, Seconds: seconds(m.opts[optLeaseTime])}
	if !m.yours.IsValid() || !m.server.IsValid() {
		return nil, errLease
	}
	if m.kind == dhcpv4.MessageTypeAck && l.Seconds < MinSeconds || l.Seconds != 0 && l.Seconds < MinSeconds {
		return nil, errLease
	}
	l.Address = netip.PrefixFrom(m.yours, mask(m.opts[optMask], m.yours))
	l.T1, l.T2 = times(l.Seconds, seconds(m.opts[optT1]), seconds(m.opts[optT2]))
	l.Gateway, l.Routes = routes(m.opts)
	l.DNS, l.NTP = addrs(m.opts[optDNS]), addrs(m.opts[optNTP])
	l.Hostname, l.Domain = name(m.opts[optHostname]), name(m.opts[optDomain])
	l.MTU = mtu(m.opts[optMTU])
	l.Conductor = conductor(m.opts)
	for _, code := range kept {
		if v := m.opts[code]; len(v) > 0 && len(v) <= maxExtra {
			if l.Extra == nil {
				l.Extra = map[uint8][]byte{}
			}
			l.Extra[code] = v
		}
	}
	return l, nil
}

// seconds reads a time; 0 when it is missing or no time.
func seconds(b []byte) uint32 {
	if len(b) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

// times returns T1 and T2 as the server sent them or, where they are missing or
// make no sense, the defaults of RFC 2131 4.4.5.
func times(lease, t1, t2 uint32) (uint32, uint32) {
	if lease == Infinite {
		return Infinite, Infinite
	}
	if t2 == 0 || t2 >= lease {
		t2 = uint32(uint64(lease) * 7 / 8)
	}
	if t1 == 0 || t1 >= t2 {
		t1 = lease / 2
	}
	if t1 >= t2 { // both were wrong together
		t2 = uint32(uint64(lease) * 7 / 8)
	}
	return t1, t2
}

// mask returns the prefix length; without a usable mask that of the address's
// class, as hosts did when masks were young.
func mask(b []byte, a netip.Addr) int {
	if len(b) == 4 {
		m := binary.BigEndian.Uint32(b)
		ones := 0
		for ; m&(1<<31) != 0; m <<= 1 {
			ones++
		}
		if m == 0 && ones > 0 {
			return ones
		}
	}
	return class(a)
}

func class(a netip.Addr) int {
	switch first := a.As4()[0]; {
	case first < 128:
		return 8
	case first < 192:
		return 16
	}
	return 24
}

// term is a time of a lease as a duration; infinite ones are Never.
func term(s uint32) time.Duration {
	if s == Infinite {
		return Never
	}
	return time.Duration(s) * time.Second
}
