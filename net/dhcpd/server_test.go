package dhcpd

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"waymark/net/frame"
)

var (
	ourMAC = frame.MAC{2, 0, 0, 0, 0, 1}
	alice  = frame.MAC{2, 0, 0, 0, 1, 1}
	bob    = frame.MAC{2, 0, 0, 0, 1, 2}
	fixed  = frame.MAC{2, 0, 0, 0, 1, 3}
	relay  = frame.MAC{2, 0, 0, 0, 9, 9}
	us     = ip("192.168.1.1")
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// sim drives a server by hand. Its pool has four addresses that it may give:
// .10, .11, .13, and .20 of a host of its own; .12 is the host's outside of the
// range of others.
type sim struct {
	*testing.T
	s   *Server
	now time.Duration
	xid uint32
}

func newSim(t *testing.T) *sim {
	return &sim{T: t, s: New(Config{MAC: ourMAC, MaxLease: time.Hour, Pools: []Pool{{
		Server: netip.MustParsePrefix("192.168.1.1/24"), Start: ip("192.168.1.10"), End: ip("192.168.1.13"),
		Static:  map[frame.MAC]netip.Addr{fixed: ip("192.168.1.12")},
		Options: map[uint8][]byte{3: us.AsSlice(), 6: us.AsSlice(), 15: []byte("lan.example"), 43: {1, 2, 3, 4}},
	}}})}
}

// ask is a request of a host.
type ask struct {
	kind           dhcpv4.MessageType
	mac            frame.MAC
	ciaddr, giaddr netip.Addr
	requested      netip.Addr
	server         netip.Addr
	flags          uint16
	options        map[uint8][]byte
}

// answered is an answer as it stands on the wire.
type answered struct {
	*dhcpv4.DHCPv4
	mac frame.MAC
	to  netip.AddrPort
}

func (a answered) yours() string { return a.YourIPAddr.String() }

func (s *sim) send(a ask) {
	s.xid++
	p := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, ClientHWAddr: net.HardwareAddr(a.mac[:]), Flags: a.flags,
		Options: dhcpv4.Options{optType: {byte(a.kind)}}}
	binary.BigEndian.PutUint32(p.TransactionID[:], s.xid)
	for from, to := range map[netip.Addr]*net.IP{a.ciaddr: &p.ClientIPAddr, a.giaddr: &p.GatewayIPAddr} {
		if from.IsValid() {
			*to = from.AsSlice()
		}
	}
	for code, v := range map[uint8]netip.Addr{optRequested: a.requested, optServer: a.server} {
		if v.IsValid() {
			p.Options[code] = v.AsSlice()
		}
	}
	for code, v := range a.options {
		p.Options[code] = v
	}
	from := a.mac
	if a.giaddr.IsValid() {
		from = relay
	}
	s.s.Frame(s.now, frame.UDP(from, frame.Broadcast, netip.AddrPortFrom(a.ciaddr, 68), netip.AddrPortFrom(ip("255.255.255.255"), 67), p.ToBytes()))
}

// take returns what the server sent: answers, and addresses it probed.
func (s *sim) take() (list []answered, probed []netip.Addr) {
	s.Helper()
	for _, f := range s.s.Take().Frames {
		if a, ok := frame.ReadARP(f); ok && binary.BigEndian.Uint16(f[12:]) == frame.TypeARP {
			probed = append(probed, a.Target)
			continue
		}
		port := binary.BigEndian.Uint16(f[frame.EtherLen+frame.IPLen+2:])
		d, err := frame.ReadUDP(f, port)
		if err != nil || d.Src != netip.AddrPortFrom(us, 67) || d.From != ourMAC {
			s.Fatalf("sent %x: %+v, %v", f, d, err)
		}
		p, err := dhcpv4.FromBytes(d.Payload)
		if err != nil {
			s.Fatal(err)
		}
		list = append(list, answered{p, frame.MAC(f[:6]), d.Dst})
	}
	return list, probed
}

// one returns the one answer, of a kind.
func (s *sim) one(kind dhcpv4.MessageType) answered {
	s.Helper()
	for s.s.Deadline() != Never {
		s.now = s.s.Deadline()
		s.s.Tick(s.now)
	}
	list, _ := s.take()
	if len(list) != 1 || list[0].MessageType() != kind {
		s.Fatalf("sent %v, want one %v", list, kind)
	}
	if got := binary.BigEndian.Uint32(list[0].TransactionID[:]); got != s.xid {
		s.Errorf("xid %d, want %d", got, s.xid)
	}
	return list[0]
}

func (s *sim) nothing(what string) {
	s.Helper()
	for s.s.Deadline() != Never {
		s.now = s.s.Deadline()
		s.s.Tick(s.now)
	}
	if list, _ := s.take(); len(list) != 0 {
		s.Errorf("%s: sent %v", what, list)
	}
}

const (
	discover = dhcpv4.MessageTypeDiscover
	offer    = dhcpv4.MessageTypeOffer
	req      = dhcpv4.MessageTypeRequest
	ack      = dhcpv4.MessageTypeAck
	nak      = dhcpv4.MessageTypeNak
)

// lease brings a host to a lease.
func (s *sim) lease(mac frame.MAC, options map[uint8][]byte) netip.Addr {
	s.Helper()
	s.send(ask{kind: discover, mac: mac, options: options})
	a := addr4(s.one(offer).YourIPAddr.To4())
	s.send(ask{kind: req, mac: mac, requested: a, server: us, options: options})
	if got := addr4(s.one(ack).YourIPAddr.To4()); got != a {
		s.Fatalf("offered %v, leased %v", a, got)
	}
	return a
}

// The first lease, message by message.
func TestFirstLease(t *testing.T) {
	s := newSim(t)
	s.send(ask{kind: discover, mac: alice})
	if list, probed := s.take(); len(list) != 0 || len(probed) != 1 {
		t.Fatalf("before it is probed: %v, %v", list, probed)
	}
	o := s.one(offer)
	a := addr4(o.YourIPAddr.To4())
	if !s.s.cfg.Pools[0].contains(a) || o.mac != alice || o.to != netip.AddrPortFrom(a, 68) {
		t.Errorf("offer of %v to %x, %v", a, o.mac, o.to)
	}
	s.send(ask{kind: req, mac: alice, requested: a, server: us, options: map[uint8][]byte{12: []byte("alices-pc"), optLeaseTime: {0, 0, 2, 88}}})
	k := s.one(ack)
	for code, want := range map[uint8]string{1: "\xff\xff\xff\x00", 3: "\xc0\xa8\x01\x01", 6: "\xc0\xa8\x01\x01", 15: "lan.example",
		43: "\x01\x02\x03\x04", optServer: "\xc0\xa8\x01\x01", optLeaseTime: "\x00\x00\x02\x58", optT1: "\x00\x00\x01\x2c", optT2: "\x00\x00\x02\x0d"} {
		if got := string(k.Options[code]); got != want {
			t.Errorf("option %d: %x, want %x", code, got, want)
		}
	}
	l := s.s.Leases(s.now)
	if len(l) != 1 || l[0].Address != a || l[0].MAC != alice || l[0].Hostname != "alices-pc" || l[0].State != Leased || l[0].Left != 10*time.Minute {
		t.Errorf("leases %+v", l)
	}
}

// What a host may have; each row on a server where alice has a lease.
func TestRequests(t *testing.T) {
	none := netip.Addr{}
	for _, tt := range []struct {
		name string
		ask  func(a netip.Addr) ask
		want dhcpv4.MessageType // 0: silence
	}{
		{"renewed", func(a netip.Addr) ask { return ask{kind: req, mac: alice, ciaddr: a} }, ack},
		{"rebooted", func(a netip.Addr) ask { return ask{kind: req, mac: alice, requested: a} }, ack},
		{"rebooted with another's address", func(a netip.Addr) ask { return ask{kind: req, mac: bob, requested: a} }, nak},
		{"renewed another's address", func(a netip.Addr) ask { return ask{kind: req, mac: bob, ciaddr: a} }, nak},
		{"rebooted in another network", func(netip.Addr) ask { return ask{kind: req, mac: bob, requested: ip("10.0.0.7")} }, nak},
		{"rebooted with an address we know nothing about", func(netip.Addr) ask { return ask{kind: req, mac: bob, requested: ip("192.168.1.77")} }, 0},
		{"rebooted with a free address we forgot", func(a netip.Addr) ask { return ask{kind: req, mac: bob, requested: another(a)} }, 0},
		{"renewed a free address we forgot", func(a netip.Addr) ask { return ask{kind: req, mac: bob, ciaddr: another(a)} }, ack},
		{"renewed a host's own address", func(netip.Addr) ask { return ask{kind: req, mac: bob, ciaddr: ip("192.168.1.12")} }, nak},
		{"renewed our address", func(netip.Addr) ask { return ask{kind: req, mac: bob, ciaddr: us} }, 0},
		{"took another server's offer", func(a netip.Addr) ask { return ask{kind: req, mac: bob, requested: a, server: ip("192.168.1.2")} }, 0},
		{"took an offer that nobody made", func(a netip.Addr) ask { return ask{kind: req, mac: bob, requested: another(a), server: us} }, nak},
		{"asks for nothing", func(netip.Addr) ask { return ask{kind: req, mac: bob, requested: none} }, 0},
		{"static host renews a foreign one", func(a netip.Addr) ask { return ask{kind: req, mac: fixed, ciaddr: another(a)} }, nak},
		{"static host boots", func(netip.Addr) ask { return ask{kind: req, mac: fixed, requested: ip("192.168.1.12")} }, ack},
		{"told by a relay of another network", func(a netip.Addr) ask { return ask{kind: req, mac: alice, requested: a, giaddr: ip("10.0.0.1")} }, 0},
		{"INFORM", func(netip.Addr) ask { return ask{kind: dhcpv4.MessageTypeInform, mac: bob, ciaddr: ip("192.168.1.99")} }, ack},
		{"INFORM of another network", func(netip.Addr) ask { return ask{kind: dhcpv4.MessageTypeInform, mac: bob, ciaddr: ip("10.0.0.9")} }, 0},
		{"INFORM without address", func(netip.Addr) ask { return ask{kind: dhcpv4.MessageTypeInform, mac: bob} }, 0},
		{"answer of another server", func(netip.Addr) ask { return ask{kind: offer, mac: bob} }, 0},
		{"group address as MAC", func(netip.Addr) ask { return ask{kind: discover, mac: frame.MAC{1}} }, 0},
		{"no MAC", func(netip.Addr) ask { return ask{kind: discover} }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSim(t)
			a := s.lease(alice, nil)
			s.now += time.Minute
			s.send(tt.ask(a))
			if tt.want == 0 {
				s.nothing(tt.name)
				return
			}
			r := s.one(tt.want)
			everybody := r.to.Addr() == ip("255.255.255.255") && r.mac == frame.Broadcast
			if (tt.want == nak) != everybody {
				t.Errorf("%v to %x, %v", tt.want, r.mac, r.to)
			}
			if tt.want == nak && (r.Options.Has(dhcpv4.OptionIPAddressLeaseTime) || r.yours() != "0.0.0.0") {
				t.Errorf("NAK with %v", r)
			}
			if _, term := r.Options[optLeaseTime]; tt.name == "INFORM" && (term || r.yours() != "0.0.0.0") {
				t.Errorf("INFORM answered with a lease: %v", r)
			}
		})
	}
}

// another is an address of the pool that is neither a nor a host's own.
func another(a netip.Addr) netip.Addr {
	if a == ip("192.168.1.10") {
		return ip("192.168.1.11")
	}
	return ip("192.168.1.10")
}

// Where answers go.
func TestAnswersFindTheirHost(t *testing.T) {
	s := newSim(t)
	a := s.lease(alice, nil)
	everybody := netip.AddrPortFrom(ip("255.255.255.255"), 68)
	for _, tt := range []struct {
		name string
		ask  ask
		mac  frame.MAC
		to   netip.AddrPort
	}{
		{"without address", ask{kind: req, mac: alice, requested: a}, alice, netip.AddrPortFrom(a, 68)},
		{"hears only broadcasts", ask{kind: req, mac: alice, requested: a, flags: broadcast}, frame.Broadcast, everybody},
		{"with address", ask{kind: req, mac: alice, ciaddr: a, flags: broadcast}, alice, netip.AddrPortFrom(a, 68)},
		{"behind a relay", ask{kind: req, mac: alice, requested: a, giaddr: ip("192.168.1.9")}, relay, netip.AddrPortFrom(ip("192.168.1.9"), 67)},
	} {
		tt.ask.options = map[uint8][]byte{optRelay: {1, 2, 'p', '7'}}
		s.send(tt.ask)
		r := s.one(ack)
		if r.mac != tt.mac || r.to != tt.to || string(r.Options[optRelay]) != "\x01\x02p7" {
			t.Errorf("%s: to %x, %v, option 82 %x", tt.name, r.mac, r.to, r.Options[optRelay])
		}
	}
}

// The pool: static hosts have theirs, others never get it; a host finds its
// address again; nothing is given twice; the one that was free longest goes
// first when all were given.
func TestPool(t *testing.T) {
	s := newSim(t)
	if a := s.lease(fixed, nil); a != ip("192.168.1.12") || s.s.Capacity() != 4 {
		t.Errorf("static host got %v of %d", a, s.s.Capacity())
	}
	got := map[netip.Addr]frame.MAC{}
	hosts := []frame.MAC{alice, bob, {2, 0, 0, 0, 1, 4}}
	for _, m := range hosts {
		a := s.lease(m, nil)
		if old, ok := got[a]; ok || a == ip("192.168.1.12") {
			t.Fatalf("%v for %x, and for %x", a, m, old)
		}
		got[a] = m
		s.now += time.Second
	}
	s.send(ask{kind: discover, mac: frame.MAC{2, 0, 0, 0, 1, 5}})
	s.nothing("exhausted")
	if s.s.Stats().Exhausted != 1 {
		t.Errorf("stats %+v", s.s.Stats())
	}
	s.now += 2 * time.Hour
	for a, m := range got {
		if again := s.lease(m, nil); again != a {
			t.Errorf("%x had %v, now %v", m, a, again)
		}
		s.now += time.Second
	}
	s.now += 2 * time.Hour
	oldest := s.s.byKey["mac "+string(hosts[0][:])]
	for _, b := range s.s.byAddr {
		if b.mac != fixed && b.ends < oldest.ends {
			oldest = b
		}
	}
	if a := s.lease(frame.MAC{2, 0, 0, 0, 1, 5}, nil); a != oldest.addr {
		t.Errorf("a new host gets %v, want %v", a, oldest.addr)
	}
	if n := len(s.s.byKey); n != 4 || len(s.s.byAddr) != 4 {
		t.Errorf("%d hosts, %d addresses known", n, len(s.s.byAddr))
	}
}

// Somebody without a lease has the address: the host gets another one, and the
// taken one rests.
func TestConflict(t *testing.T) {
	s := newSim(t)
	s.send(ask{kind: discover, mac: alice})
	_, probed := s.take()
	s.s.Frame(s.now, frame.Announce(alice, probed[0])) // its own voice does not count
	s.s.Frame(s.now, frame.Announce(bob, ip("192.168.1.200")))
	if _, more := s.take(); len(more) != 0 {
		t.Fatalf("probed %v", more)
	}
	s.s.Frame(s.now, frame.Announce(bob, probed[0]))
	if o := s.one(offer); o.yours() == probed[0].String() || s.s.Stats().Conflicts != 1 {
		t.Errorf("offered %s, which another has", o.yours())
	}
	s.now += declineTerm - time.Minute
	for i := range byte(2) {
		s.send(ask{kind: discover, mac: frame.MAC{2, 0, 0, 1, 0, i}})
	}
	if o := s.one2(); o[0] == probed[0].String() || len(o) > 1 && o[1] == probed[0].String() {
		t.Errorf("offered %v while it rests", o)
	}
}

// one2 returns the addresses of all offers.
func (s *sim) one2() (list []string) {
	for s.s.Deadline() != Never {
		s.now = s.s.Deadline()
		s.s.Tick(s.now)
	}
	answers, _ := s.take()
	for _, a := range answers {
		list = append(list, a.yours())
	}
	return list
}

// A host that declines gets another address; one that declines what is not its
// own changes nothing.
func TestDecline(t *testing.T) {
	s := newSim(t)
	a := s.lease(alice, nil)
	s.send(ask{kind: dhcpv4.MessageTypeDecline, mac: bob, requested: a, server: us})
	s.send(ask{kind: dhcpv4.MessageTypeDecline, mac: alice, requested: another(a), server: us})
	s.send(ask{kind: dhcpv4.MessageTypeDecline, mac: alice, requested: a, server: ip("192.168.1.2")})
	if l := s.s.Leases(s.now); len(l) != 1 || l[0].State != Leased {
		t.Errorf("leases %+v", l)
	}
	s.send(ask{kind: dhcpv4.MessageTypeDecline, mac: alice, requested: a, server: us})
	if l := s.s.Leases(s.now); len(l) != 1 || l[0].State != Declined {
		t.Errorf("leases %+v", l)
	}
	if b := s.lease(alice, nil); b == a {
		t.Error("the declined address is given again")
	}
}

func TestRelease(t *testing.T) {
	s := newSim(t)
	a := s.lease(alice, nil)
	for _, wrong := range []ask{{mac: bob, ciaddr: a, server: us}, {mac: alice, ciaddr: another(a), server: us}, {mac: alice, ciaddr: a, server: ip("10.0.0.1")}} {
		wrong.kind = dhcpv4.MessageTypeRelease
		s.send(wrong)
	}
	if l := s.s.Leases(s.now); l[0].State != Leased {
		t.Errorf("released by a stranger: %+v", l)
	}
	s.send(ask{kind: dhcpv4.MessageTypeRelease, mac: alice, ciaddr: a, server: us})
	if l := s.s.Leases(s.now); l[0].State != Free {
		t.Errorf("leases %+v", l)
	}
	if b := s.lease(alice, nil); b != a {
		t.Errorf("had %v, gets %v", a, b)
	}
}

// A host that took another server's offer frees ours.
func TestOtherServer(t *testing.T) {
	s := newSim(t)
	s.send(ask{kind: discover, mac: alice})
	o := addr4(s.one(offer).YourIPAddr.To4())
	s.send(ask{kind: req, mac: alice, requested: ip("192.168.1.50"), server: ip("192.168.1.2")})
	s.nothing("not our offer")
	if b := s.s.byAddr[o]; b.held(s.now) {
		t.Errorf("still held: %+v", b)
	}
}

// Two hosts with one MAC and client identifiers are two; one with a new MAC is
// the same.
func TestClientIDs(t *testing.T) {
	s := newSim(t)
	id := func(c byte) map[uint8][]byte { return map[uint8][]byte{optClientID: {0xff, c}} }
	a := s.lease(alice, id(1))
	if b := s.lease(alice, id(2)); b == a {
		t.Error("two hosts have one address")
	}
	if b := s.lease(bob, id(1)); b != a {
		t.Errorf("with a new network card: %v, had %v", b, a)
	}
	if l := s.s.Leases(s.now); l[0].ClientID() != "ff01" && l[1].ClientID() != "ff01" {
		t.Errorf("leases %+v", l)
	}
}

// A flood of hosts waits in a bounded list.
func TestFlood(t *testing.T) {
	s := newSim(t)
	s.s.cfg.Pools[0].End = ip("192.168.1.250")
	for i := range 1000 {
		s.send(ask{kind: discover, mac: frame.MAC{2, 1, 0, 0, byte(i >> 8), byte(i)}})
	}
	if n := len(s.s.probes); n != maxProbes || s.s.Stats().Overload != 1000-maxProbes {
		t.Errorf("%d are probed, %d dropped", n, s.s.Stats().Overload)
	}
	if got := len(s.one2()); got != maxProbes || len(s.s.byKey) != maxProbes {
		t.Errorf("%d offers, %d bindings", got, len(s.s.byKey))
	}
	s.now += offerTerm
	for _, l := range s.s.Leases(s.now + 1) {
		if l.State != Free {
			t.Errorf("an offer nobody took stays: %+v", l)
		}
	}
}

// What a host has no room for is left out, what it did not ask for first.
func TestRoom(t *testing.T) {
	s := newSim(t)
	s.s.cfg.Pools[0].Options[224] = []byte(strings.Repeat("a", 250))
	s.s.cfg.Pools[0].Options[225] = []byte(strings.Repeat("b", 250))
	ask := func(options map[uint8][]byte) answered {
		s.send(ask{kind: discover, mac: alice, options: options})
		return s.one(offer)
	}
	for _, tt := range []struct {
		name       string
		options    map[uint8][]byte
		has, lacks uint8
	}{
		{"small", nil, 3, 224}, {"small, asks", map[uint8][]byte{optParameters: {225, 3}}, 3, 224},
		{"large", map[uint8][]byte{optMaxSize: {5, 220}}, 225, 0}, {"lies", map[uint8][]byte{optMaxSize: {0, 1}}, 3, 224},
	} {
		r := ask(tt.options)
		if _, ok := r.Options[tt.has]; !ok {
			t.Errorf("%s: no option %d", tt.name, tt.has)
		}
		if _, ok := r.Options[tt.lacks]; ok && tt.lacks != 0 {
			t.Errorf("%s: option %d is there", tt.name, tt.lacks)
		}
		if most := 576 - 28; tt.lacks != 0 && len(r.ToBytes()) > most {
			t.Errorf("%s: %d bytes", tt.name, len(r.ToBytes()))
		}
	}
}
