package dhcpd

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sort"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"waymark/net/frame"
)

const (
	serverPort = 67
	clientPort = 68
	optionsAt  = 240 // where options begin, behind the magic cookie
	broadcast  = 0x8000
)

// Options that the server reads or writes by itself.
const (
	optMask, optHostname                           = 1, 12
	optRequested, optLeaseTime, optType, optServer = 50, 51, 53, 54
	optParameters, optMaxSize, optT1, optT2        = 55, 57, 58, 59
	optClientID, optRelay                          = 61, 82
)

// message is a request of a host, checked as far as one packet can be.
type message struct {
	*dhcpv4.DHCPv4
	kind      dhcpv4.MessageType
	from      frame.MAC // station that sent it: the host or a relay
	mac       frame.MAC // of the host
	key       string    // what the host is known by
	ciaddr    netip.Addr
	giaddr    netip.Addr // zero: no relay
	requested netip.Addr // option 50; zero: none
	server    netip.Addr // option 54; zero: none
}

var errMessage = errors.New("not a request of a host on Ethernet")

// parse reads the payload of a UDP packet to port 67.
func parse(d frame.Datagram) (*message, error) {
	if len(d.Payload) < optionsAt {
		return nil, errMessage
	}
	p, err := dhcpv4.FromBytes(append(d.Payload[:len(d.Payload):len(d.Payload)], 255)) // some forget the End option
	if err != nil {
		return nil, err
	}
	kind := p.Options[optType]
	if p.OpCode != dhcpv4.OpcodeBootRequest || p.HWType != iana.HWTypeEthernet || len(p.ClientHWAddr) != 6 || len(kind) != 1 {
		return nil, errMessage
	}
	m := &message{DHCPv4: p, kind: dhcpv4.MessageType(kind[0]), from: d.From, mac: frame.MAC(p.ClientHWAddr)}
	if m.mac == (frame.MAC{}) || m.mac[0]&1 != 0 {
		return nil, errMessage
	}
	m.key = "mac " + string(m.mac[:])
	if id := p.Options[optClientID]; len(id) >= 2 {
		m.key = "id " + string(id)
	}
	m.ciaddr, m.giaddr = addr4(p.ClientIPAddr), addr4(p.GatewayIPAddr)
	m.requested, m.server = addr4(p.Options[optRequested]), addr4(p.Options[optServer])
	return m, nil
}

// addr4 reads an address; 0.0.0.0 and what is none is the zero Addr.
func addr4(b []byte) netip.Addr {
	if len(b) != 4 {
		return netip.Addr{}
	}
	a := netip.AddrFrom4([4]byte(b))
	if a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

// hostname is the host's name as it may be shown; empty when it is none.
func (m *message) hostname() string {
	s := string(m.Options[optHostname])
	if len(s) > 63 {
		return ""
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return ""
		}
	}
	return s
}

// term is how long a lease the host asks for; 0: it does not say.
func (m *message) term() time.Duration {
	if b := m.Options[optLeaseTime]; len(b) == 4 {
		return time.Duration(binary.BigEndian.Uint32(b)) * time.Second
	}
	return 0
}

// reply begins an answer of a kind from our address.
func (m *message) reply(kind dhcpv4.MessageType, server netip.Addr) *dhcpv4.DHCPv4 {
	p := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootReply, HWType: iana.HWTypeEthernet, TransactionID: m.TransactionID,
		Flags: m.Flags, ClientHWAddr: net.HardwareAddr(m.mac[:]), GatewayIPAddr: m.GatewayIPAddr, Options: dhcpv4.Options{
			optType: {byte(kind)}, optServer: server.AsSlice()}}
	for _, code := range []uint8{optClientID, optRelay} { // RFC 6842, RFC 3046
		if v, ok := m.Options[code]; ok {
			p.Options[code] = v
		}
	}
	return p
}

// fit takes options away that the host did not say it has room for, the least
// important first: those nobody asked for, then the highest numbers.
func (m *message) fit(p *dhcpv4.DHCPv4, extra map[uint8][]byte) []byte {
	most := leastMax
	if b := m.Options[optMaxSize]; len(b) == 2 {
		most = max(most, min(1500, int(binary.BigEndian.Uint16(b))))
	}
	asked := m.Options[optParameters]
	for _, code := range order(extra, asked) {
		p.Options[code] = extra[code]
		if len(p.ToBytes())+frame.IPLen+frame.UDPLen > most {
			delete(p.Options, code)
		}
	}
	return p.ToBytes()
}

// order lists the codes of options, those that were asked for first.
func order(extra map[uint8][]byte, asked []byte) []uint8 {
	var codes []uint8
	for code := range extra {
		codes = append(codes, code)
	}
	rank := func(code uint8) int {
		if i := slices.Index(asked, code); i >= 0 {
			return i
		}
		return 256 + int(code)
	}
	sort.Slice(codes, func(i, j int) bool { return rank(codes[i]) < rank(codes[j]) })
	return codes
}

// to is where an answer goes: the relay, the host's own address, or all hosts
// when it has none yet and says that it hears nothing else (RFC 2131 4.1).
func (m *message) to(yours netip.Addr, nak bool) (frame.MAC, netip.AddrPort) {
	everybody := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	switch {
	case m.giaddr.IsValid():
		return m.from, netip.AddrPortFrom(m.giaddr, serverPort)
	case nak:
		return frame.Broadcast, netip.AddrPortFrom(everybody, clientPort)
	case m.ciaddr.IsValid():
		return m.mac, netip.AddrPortFrom(m.ciaddr, clientPort)
	case m.Flags&broadcast != 0:
		return frame.Broadcast, netip.AddrPortFrom(everybody, clientPort)
	}
	return m.mac, netip.AddrPortFrom(yours, clientPort)
}

// showKey writes a key for people.
func showKey(key string) string {
	for _, kind := range []string{"id ", "mac "} {
		if len(key) > len(kind) && key[:len(kind)] == kind {
			return hex.EncodeToString([]byte(key[len(kind):]))
		}
	}
	return ""
}
