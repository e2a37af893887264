package dhcp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

const (
	// MessageMax is the size of an IP packet that we say we take, in bytes:
	// large, so that servers need not overload (option 57).
	MessageMax = 1500

	serverPort = 67
	clientPort = 68

	optionsAt = 240 // where options begin, behind the magic cookie
	snameAt   = 44
	fileAt    = 108
	fileEnd   = 236
)

// Options that the codec has no typed reader for, or that we read by ourselves.
const (
	optMask, optRouter, optDNS, optHostname, optDomain  = 1, 3, 6, 12, 15
	optMTU, optBroadcast, optStaticRoutes, optNTP       = 26, 28, 33, 42
	optVendor, optRequestedIP, optLeaseTime             = 43, 50, 51
	optOverload, optMessageType, optServerID            = 52, 53, 54
	optParameters, optMaxSize, optT1, optT2             = 55, 57, 58, 59
	optVendorClass, optClientID                         = 60, 61
	optTFTPServer, optBootFile, optUserClass            = 66, 67, 77
	optSearch, optSIP, optClasslessRoutes               = 119, 120, 121
	optVIVendorClass, optVIVendor, optTFTPAddrs, opt6rd = 124, 125, 150, 212
)

// asked is the parameter request list. Option 121 stands before 3 and 33
// (RFC 3442).
var asked = []byte{optMask, optClasslessRoutes, optRouter, optStaticRoutes, optDNS, optHostname, optDomain,
	optMTU, optBroadcast, optNTP, optVendor, optLeaseTime, optServerID, optT1, optT2, optSearch, optSIP,
	optVIVendor, optTFTPAddrs, optTFTPServer, optBootFile, opt6rd}

// message is an answer of a server, checked as far as one packet can be.
type message struct {
	kind   dhcpv4.MessageType
	xid    uint32
	yours  netip.Addr // zero when 0.0.0.0
	server netip.Addr // option 54; zero when missing
	opts   dhcpv4.Options
}

// Errors of parse. Each names why a packet is not for us.
var (
	errShort    = errors.New("shorter than a DHCP message")
	errNotReply = errors.New("not an answer to this client")
	errOverload = errors.New("option overload wrong")
	errKind     = errors.New("message type missing or wrong")
	errClientID = errors.New("client identifier is not ours")
)

// parse reads a DHCP message to the client with a MAC address and a client
// identifier. Options of overloaded fields come behind those of the option
// field, and parts of one option are joined (RFC 2131 4.1, RFC 3396).
func parse(b []byte, mac [6]byte, clientID []byte) (*message, error) {
	if len(b) < optionsAt {
		return nil, errShort
	}
	// Some servers forget the End option. With one too many nothing changes.
	p, err := dhcpv4.FromBytes(append(b[:len(b):len(b)], 255))
	if err != nil {
		return nil, fmt.Errorf("parse DHCP message: %w", err)
	}
	if p.OpCode != dhcpv4.OpcodeBootReply || p.HWType != iana.HWTypeEthernet || string(p.ClientHWAddr) != string(mac[:]) {
		return nil, errNotReply
	}
	if err := unload(p.Options, b); err != nil {
		return nil, err
	}
	kind := p.Options[optMessageType]
	if len(kind) != 1 {
		return nil, errKind
	}
	// A server that sends the identifier back must send ours (RFC 6842).
	if id, ok := p.Options[optClientID]; ok && string(id) != string(clientID) {
		return nil, errClientID
	}
	return &message{
		kind: dhcpv4.MessageType(kind[0]), xid: binary.BigEndian.Uint32(b[4:]),
		yours: addr4(b[16:20]), server: addr4(p.Options[optServerID]), opts: p.Options,
	}, nil
}

// unload adds the options that stand in the fields of file and server name.
func unload(opts dhcpv4.Options, b []byte) error {
	how, ok := opts[optOverload]
	if !ok {
		return nil
	}
	if len(how) != 1 || how[0] < 1 || how[0] > 3 {
		return errOverload
	}
	if how[0]&1 != 0 {
		if err := opts.FromBytes(b[fileAt:fileEnd]); err != nil {
			return fmt.Errorf("parse options in file: %w", err)
		}
	}
	if how[0]&2 != 0 {
		if err := opts.FromBytes(b[snameAt:fileAt]); err != nil {
			return fmt.Errorf("parse options in sname: %w", err)
		}
	}
	return nil
}

// addr4 reads an address; anything but a host's address is the zero Addr.
func addr4(b []byte) netip.Addr {
	if len(b) != 4 {
		return netip.Addr{}
	}
	a := netip.AddrFrom4([4]byte(b))
	if !host(a) {
		return netip.Addr{}
	}
	return a
}

// host tells an address that one host can have.
func host(a netip.Addr) bool {
	return a.Is4() && a.As4()[0] != 0 && !a.IsLoopback() && a.As4()[0] < 224
}

// request is a message of ours before it becomes bytes.
type request struct {
	kind     dhcpv4.MessageType
	xid      uint32
	secs     uint16
	ciaddr   netip.Addr // zero: 0.0.0.0
	wanted   netip.Addr // option 50; zero: without
	server   netip.Addr // option 54; zero: without
	identity *Config
}

// bytes builds the UDP payload.
func (r *request) bytes() []byte {
	p := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: iana.HWTypeEthernet, NumSeconds: r.secs,
		ClientHWAddr: net.HardwareAddr(r.identity.MAC[:]), Options: dhcpv4.Options{},
	}
	binary.BigEndian.PutUint32(p.TransactionID[:], r.xid)
	if r.ciaddr.IsValid() {
		p.ClientIPAddr = r.ciaddr.AsSlice()
	}
	o := p.Options
	o[optMessageType] = []byte{byte(r.kind)}
	if len(r.identity.ClientID) > 0 {
		o[optClientID] = r.identity.ClientID
	}
	for code, a := range map[uint8]netip.Addr{optRequestedIP: r.wanted, optServerID: r.server} {
		if a.IsValid() {
			o[code] = a.AsSlice()
		}
	}
	if r.kind == dhcpv4.MessageTypeDiscover || r.kind == dhcpv4.MessageTypeRequest {
		r.describe(o)
	}
	return p.ToBytes()
}

// describe adds what only DISCOVER and REQUEST may carry (RFC 2131 table 5).
func (r *request) describe(o dhcpv4.Options) {
	o[optParameters] = asked
	o[optMaxSize] = binary.BigEndian.AppendUint16(nil, MessageMax)
	for code, v := range r.identity.Extra {
		o[code] = v
	}
	if r.identity.VendorClass != "" {
		o[optVendorClass] = []byte(r.identity.VendorClass)
	}
	if r.identity.Hostname != "" {
		o[optHostname] = []byte(r.identity.Hostname)
	}
}
