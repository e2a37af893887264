package dhcp4

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"waymark/net/frame"
)

var (
	ourMAC  = [6]byte{2, 0, 0, 0, 0, 1}
	hisMAC  = [6]byte{2, 0, 0, 0, 0, 9}
	ourID   = DUIDClientID(7, ourMAC)
	server1 = ip("192.0.2.1")
	server2 = ip("192.0.2.2")
	address = ip("192.0.2.100")
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// sim drives a machine by hand. Its random numbers are the middle of their
// ranges, its transaction numbers count.
type sim struct {
	*testing.T
	m      *Machine
	now    time.Duration
	xid    uint32
	events []EventKind
}

func newSim(t *testing.T) *sim {
	s := &sim{T: t}
	s.m = New(Config{MAC: ourMAC, ClientID: ourID, Hostname: "branch1", VendorClass: "waymark",
		Extra:  map[uint8][]byte{optUserClass: []byte("test")},
		Random: func(n time.Duration) time.Duration { return n / 2 },
		XID:    func() uint32 { s.xid++; return s.xid }})
	return s
}

// sent is a message of the client as the wire has it.
type sent struct {
	*dhcpv4.DHCPv4
	unicast  bool
	src, dst netip.Addr
}

func (p sent) addr(code uint8) string {
	if v := p.Options[code]; len(v) == 4 {
		return netip.AddrFrom4([4]byte(v)).String()
	}
	return ""
}

// take returns what the machine did: DHCP messages, and ARP packets.
func (s *sim) take() (list []sent, arps []frame.ARP) {
	s.Helper()
	o := s.m.Take()
	for _, f := range o.Frames {
		if a, ok := frame.ReadARP(f); ok && f[13] == 6 {
			arps = append(arps, a)
			continue
		}
		// The frame must be right for a server: ports the other way round.
		udp := f[frame.EtherLen+frame.IPLen:]
		if frame.Sum(0, f[frame.EtherLen:frame.EtherLen+frame.IPLen]) != 0xffff || frame.Sum(uint32(frame.PseudoSum(f[frame.EtherLen:])), udp) != 0xffff {
			s.Fatalf("checksums wrong in %x", f)
		}
		p, err := dhcpv4.FromBytes(udp[frame.UDPLen:])
		if err != nil {
			s.Fatal(err)
		}
		list = append(list, sent{p, false, netip.AddrFrom4([4]byte(f[26:])), netip.AddrFrom4([4]byte(f[30:]))})
	}
	for _, d := range o.Datagrams {
		p, err := dhcpv4.FromBytes(d.Payload)
		if err != nil {
			s.Fatal(err)
		}
		list = append(list, sent{p, true, d.From, d.To})
	}
	for _, e := range o.Events {
		s.events = append(s.events, e.Kind)
	}
	return list, arps
}

// one returns the one DHCP message that was sent.
func (s *sim) one(kind dhcpv4.MessageType) sent {
	s.Helper()
	list, _ := s.take()
	if len(list) != 1 || list[0].MessageType() != kind {
		s.Fatalf("sent %v, want one %v (state %v)", list, kind, s.m.State())
	}
	return list[0]
}

// tick waits until the machine has something to do, and returns how long.
func (s *sim) tick() time.Duration {
	s.Helper()
	d := s.m.Deadline()
	if d == Never || d < s.now {
		s.Fatalf("deadline %v at %v in %v", d, s.now, s.m.State())
	}
	waited := d - s.now
	s.now = d
	s.m.Tick(s.now)
	return waited
}

func (s *sim) state(want State) {
	s.Helper()
	if s.m.State() != want {
		s.Fatalf("state %v, want %v", s.m.State(), want)
	}
}

// reply is a server's message with usual options; change may alter it.
func (s *sim) reply(kind dhcpv4.MessageType, from netip.Addr, change ...func(*dhcpv4.DHCPv4)) []byte {
	p := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootReply, HWType: 1, ClientHWAddr: net.HardwareAddr(ourMAC[:]),
		YourIPAddr: address.AsSlice(), Options: dhcpv4.Options{
			optMessageType: {byte(kind)}, optServerID: from.AsSlice(), optMask: {255, 255, 255, 0},
			optRouter: server1.AsSlice(), optDNS: {9, 9, 9, 9, 8, 8, 8, 8}, optLeaseTime: u32(3600)}}
	if kind == dhcpv4.MessageTypeNak {
		p.YourIPAddr = nil
		p.Options = dhcpv4.Options{optMessageType: {byte(kind)}, optServerID: from.AsSlice()}
	}
	binary.BigEndian.PutUint32(p.TransactionID[:], s.m.xid)
	for _, c := range change {
		c(p)
	}
	return p.ToBytes()
}

func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// option sets an option of a reply; nil takes it away.
func option(code uint8, v []byte) func(*dhcpv4.DHCPv4) {
	return func(p *dhcpv4.DHCPv4) {
		if p.Options[code] = v; v == nil {
			delete(p.Options, code)
		}
	}
}

func (s *sim) hear(payload []byte) { s.m.Datagram(s.now, payload) }

// bound brings a fresh machine to a lease.
func (s *sim) bound(change ...func(*dhcpv4.DHCPv4)) {
	s.Helper()
	s.m.LinkUp(s.now)
	s.tick()
	s.one(dhcpv4.MessageTypeDiscover)
	s.hear(s.reply(dhcpv4.MessageTypeOffer, server1, change...))
	s.one(dhcpv4.MessageTypeRequest)
	s.hear(s.reply(dhcpv4.MessageTypeAck, server1, change...))
	s.checked()
}

// checked lets the probes go unanswered.
func (s *sim) checked() {
	s.Helper()
	for s.m.State() == Checking {
		s.tick()
	}
	s.state(Bound)
	s.tick() // the second announcement
	s.take()
}
