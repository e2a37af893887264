package dhcp4

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/net/bpf"

	"waymark/net/frame"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// raw changes the bytes of a message.
type raw func(b []byte) []byte

// at sets bytes of a message.
func at(i int, v ...byte) raw {
	return func(b []byte) []byte { copy(b[i:], v); return b }
}

// overload adds option 52 and puts options into the fields of file and server
// name.
func overload(how byte, file, sname []byte) raw {
	return func(b []byte) []byte {
		copy(b[fileAt:fileEnd], append(file, 255))
		copy(b[snameAt:fileAt], append(sname, 255))
		b = bytes.TrimRight(b, "\x00")
		return append(b[:len(b)-1], optOverload, 1, how, 255)
	}
}

func same(*dhcpv4.DHCPv4) {}

// oddPackets are ACKs of a request, each with what it must become: no lease, or
// one that shows what was understood.
var oddPackets = []struct {
	name   string
	change func(*dhcpv4.DHCPv4)
	raw    raw
	check  func(*Lease) bool // nil: no lease
}{
	{"empty", same, func([]byte) []byte { return nil }, nil},
	{"cut in the header", same, func(b []byte) []byte { return b[:200] }, nil},
	{"cut in an option", same, func(b []byte) []byte { return b[:245] }, nil},
	{"no magic cookie", same, at(236, 0, 0, 0, 0), nil},
	{"length beyond the end", option(optDomain, []byte("abc")), func(b []byte) []byte {
		b = bytes.TrimRight(b, "\x00")
		return append(b[:len(b)-1], 15, 250, 'x')
	}, nil},
	{"End missing", same, func(b []byte) []byte { return bytes.TrimRight(bytes.TrimRight(b, "\x00"), "\xff") },
		func(l *Lease) bool { return l.Seconds == 3600 }},
	{"request, not answer", func(p *dhcpv4.DHCPv4) { p.OpCode = 1 }, nil, nil},
	{"for another station", func(p *dhcpv4.DHCPv4) { p.ClientHWAddr[5]++ }, nil, nil},
	{"hardware address of 16 bytes", same, at(2, 16), nil},
	{"hardware address of 255 bytes", same, at(2, 255), nil},
	{"not Ethernet", same, at(1, 6), nil},
	{"another xid", same, at(4, 9, 9), nil},
	{"no message type", option(optMessageType, nil), nil, nil},
	{"message type of two bytes", option(optMessageType, []byte{5, 5}), nil, nil},
	{"message type of no bytes", option(optMessageType, []byte{}), nil, nil},
	{"FORCERENEW", option(optMessageType, []byte{9}), nil, nil},
	{"no server", option(optServerID, nil), nil, nil},
	{"server of three bytes", option(optServerID, []byte{192, 0, 2}), nil, nil},
	{"ACK of a stranger", option(optServerID, server2.AsSlice()), nil, nil},
	{"address zero", func(p *dhcpv4.DHCPv4) { p.YourIPAddr = nil }, nil, nil},
	{"address is broadcast", func(p *dhcpv4.DHCPv4) { p.YourIPAddr = []byte{255, 255, 255, 255} }, nil, nil},
	{"address is loopback", func(p *dhcpv4.DHCPv4) { p.YourIPAddr = []byte{127, 0, 0, 1} }, nil, nil},
	{"no time", option(optLeaseTime, nil), nil, nil},
	{"time zero", option(optLeaseTime, u32(0)), nil, nil},
	{"a lease of one second", option(optLeaseTime, u32(1)), nil, nil},
	{"somebody's client identifier", option(optClientID, []byte{1, 2, 3}), nil, nil},
	{"our client identifier", option(optClientID, ourID), nil, func(l *Lease) bool { return l.Seconds == 3600 }},
	{"relay's option 82", option(82, []byte{1, 3, 'a', 'b', 'c'}), nil, func(l *Lease) bool { return l.Seconds == 3600 }},
	{"T1 above T2", func(p *dhcpv4.DHCPv4) { p.Options[optT1], p.Options[optT2] = u32(3000), u32(2000) }, nil,
		func(l *Lease) bool { return l.T1 == 1800 && l.T2 == 2000 }},
	{"file overloaded", same, overload(1, []byte{optMTU, 2, 5, 0, optDomain, 3, 'a', '.', 'b'}, nil), func(l *Lease) bool { return l.MTU == 1280 && l.Domain == "a.b" }},
	{"server name overloaded", same, overload(2, nil, []byte{optMTU, 2, 5, 0}), func(l *Lease) bool { return l.MTU == 1280 }},
	{"one option over three fields", same, overload(3, []byte{optDNS, 4, 1, 1, 1, 1}, []byte{optDNS, 4, 2, 2, 2, 2}), func(l *Lease) bool {
		return len(l.DNS) == 4 && l.DNS[2] == ip("1.1.1.1") && l.DNS[3] == ip("2.2.2.2")
	}},
	{"overload of a wrong kind", same, overload(4, nil, nil), nil},
	{"overloaded field broken", same, overload(1, []byte{optMTU, 200, 1}, nil), nil},
	{"option in two parts", option(optClasslessRoutes, bytes.Repeat([]byte{24, 10, 1, 1, 192, 0, 2, 7}, 40)), nil, func(l *Lease) bool { return len(l.Routes) == 40 }},
	{"mask missing", option(optMask, nil), nil, func(l *Lease) bool { return l.Address.Bits() == 24 }},
	{"mask with holes", option(optMask, []byte{255, 0, 255, 0}), nil, func(l *Lease) bool { return l.Address.Bits() == 24 }},
	{"mask of a point-to-point line", option(optMask, []byte{255, 255, 255, 255}), nil, func(l *Lease) bool { return l.Address.Bits() == 32 }},
	{"MTU below 576", option(optMTU, []byte{2, 0}), nil, func(l *Lease) bool { return l.MTU == 0 }},
	{"MTU 576", option(optMTU, []byte{2, 64}), nil, func(l *Lease) bool { return l.MTU == 576 }},
	{"MTU 9000", option(optMTU, []byte{35, 40}), nil, func(l *Lease) bool { return l.MTU == 9000 }},
	{"servers of five bytes", option(optDNS, []byte{1, 2, 3, 4, 5}), nil, func(l *Lease) bool { return l.DNS == nil }},
	{"200 name servers", option(optDNS, bytes.Repeat([]byte{9, 9, 9, 9, 8, 8, 8, 8}, 100)), nil, func(l *Lease) bool { return len(l.DNS) == 2 }},
	{"host name with a shell in it", option(optHostname, []byte("a;reboot")), nil, func(l *Lease) bool { return l.Hostname == "" }},
	{"host name of no bytes", option(optHostname, []byte{}), nil, func(l *Lease) bool { return l.Hostname == "" }},
	{"domain ends with zeros", option(optDomain, []byte("lan.example\x00\x00")), nil, func(l *Lease) bool { return l.Domain == "lan.example" }},
	{"extra far too long", option(optBootFile, bytes.Repeat([]byte{'x'}, 600)), nil, func(l *Lease) bool { return l.Extra == nil }},
}

func TestOddPackets(t *testing.T) {
	for _, tt := range oddPackets {
		t.Run(tt.name, func(t *testing.T) {
			s := newSim(t)
			s.T = t
			s.reach(Requesting)
			b := s.reply(ack, server1, tt.change)
			if tt.raw != nil {
				b = tt.raw(b)
			}
			s.hear(b)
			if tt.check == nil {
				s.state(Requesting)
				return
			}
			s.state(Checking)
			if !tt.check(s.m.want) {
				t.Errorf("lease %+v", s.m.want)
			}
		})
	}
}

// Offers that could become no lease are left alone; a storm of good ones
// begins one request.
func TestOffers(t *testing.T) {
	s := newSim(t)
	s.m.LinkUp(0)
	s.tick()
	s.take()
	for _, bad := range []func(*dhcpv4.DHCPv4){option(optServerID, nil), option(optLeaseTime, u32(2)),
		option(optMessageType, []byte{5}), func(p *dhcpv4.DHCPv4) { p.YourIPAddr = []byte{224, 0, 0, 1} }} {
		s.hear(s.reply(offer, server1, bad))
		s.state(Selecting)
	}
	for i := range 100 {
		s.hear(s.reply(offer, []netip.Addr{server2, server1}[i%2], option(optLeaseTime, nil)))
	}
	if r := s.one(req); r.addr(optServerID) != server2.String() {
		t.Errorf("REQUEST to %s", r.addr(optServerID))
	}
	s.hear(s.reply(nak, server1)) // the other server sees our REQUEST too
	s.state(Requesting)
	s.hear(s.reply(nak, server2, option(optServerID, nil)))
	s.state(Requesting)
	s.hear(s.reply(nak, server2))
	s.state(Init)
}

func TestRoutes(t *testing.T) {
	gw := server1.AsSlice()
	for _, tt := range []struct {
		name string
		opts dhcpv4.Options
		gw   string
		want string
	}{
		{"router", dhcpv4.Options{3: gw}, "192.0.2.1", ""},
		{"first router", dhcpv4.Options{3: append(server2.AsSlice(), gw...)}, "192.0.2.2", ""},
		{"121 over 3 and 33", dhcpv4.Options{3: server2.AsSlice(), 33: {10, 9, 0, 0, 192, 0, 2, 2},
			121: append([]byte{0}, append(gw, 12, 172, 16, 192, 0, 2, 3)...)}, "192.0.2.1", "172.16.0.0/12 192.0.2.3"},
		{"121 without default", dhcpv4.Options{3: server2.AsSlice(), 121: {24, 10, 1, 1, 192, 0, 2, 3}}, "", "10.1.1.0/24 192.0.2.3"},
		{"121 on link", dhcpv4.Options{121: {32, 10, 1, 1, 1, 0, 0, 0, 0, 0, 10, 1, 1, 1}}, "10.1.1.1", "10.1.1.1/32 invalid IP"},
		{"121 host bits", dhcpv4.Options{121: {12, 172, 31, 192, 0, 2, 3}}, "", "172.16.0.0/12 192.0.2.3"},
		{"121 broken: 33 bits", dhcpv4.Options{3: gw, 121: {33, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, "192.0.2.1", ""},
		{"121 broken: cut", dhcpv4.Options{3: gw, 121: {24, 10, 1, 1, 192, 0}}, "192.0.2.1", ""},
		{"121 broken: gateway no host", dhcpv4.Options{3: gw, 121: {24, 10, 1, 1, 224, 0, 0, 1}}, "192.0.2.1", ""},
		{"121 to loopback and multicast", dhcpv4.Options{121: {8, 127, 192, 0, 2, 3, 4, 224, 192, 0, 2, 3}}, "", ""},
		{"121 empty", dhcpv4.Options{3: gw, 121: {}}, "192.0.2.1", ""},
		{"121 with 65 routes", dhcpv4.Options{3: gw, 121: bytes.Repeat([]byte{8, 10, 192, 0, 2, 3}, 65)}, "192.0.2.1", ""},
		{"33", dhcpv4.Options{3: gw, 33: {10, 0, 0, 0, 192, 0, 2, 3, 172, 16, 1, 1, 192, 0, 2, 4}}, "192.0.2.1",
			"10.0.0.0/8 192.0.2.3, 172.16.1.1/32 192.0.2.4"},
		{"33 with a default route", dhcpv4.Options{3: gw, 33: {0, 0, 0, 0, 192, 0, 2, 3}}, "192.0.2.1", ""},
		{"33 cut", dhcpv4.Options{3: gw, 33: {10, 0, 0, 0, 192, 0}}, "192.0.2.1", ""},
	} {
		g, list := routes(tt.opts)
		var text []string
		for _, r := range list {
			text = append(text, r.Dst.String()+" "+r.Gateway.String())
		}
		want := tt.gw
		if want == "" {
			want = "invalid IP"
		}
		if g.String() != want || strings.Join(text, ", ") != tt.want {
			t.Errorf("%s: got %v and %v", tt.name, g, text)
		}
	}
}

func sub(code byte, v string) []byte { return append([]byte{code, byte(len(v))}, v...) }

func vendor(number uint32, data []byte) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, number), byte(len(data))), data...)
}

func TestConductor(t *testing.T) {
	key := strings.Repeat("k", 32)
	hosts := func(list ...string) Conductor { return Conductor{Hosts: list} }
	keyed := Conductor{Hosts: []string{"c.example"}, HostKey: []byte(key)}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, tt := range []struct {
		name string
		opts dhcpv4.Options
		want Conductor
	}{
		{"nothing", dhcpv4.Options{}, Conductor{}},
		{"43, two hosts", dhcpv4.Options{43: join(sub(1, "a.example"), sub(1, "192.0.2.7"))}, hosts("a.example", "192.0.2.7")},
		{"43 with a key", dhcpv4.Options{43: join(sub(1, "c.example"), sub(2, key), []byte{255, 9})}, keyed},
		{"43 of another vendor", dhcpv4.Options{43: join(sub(6, "xyz"), []byte{0}, sub(1, "c.example"), sub(2, key))}, keyed},
		{"125", dhcpv4.Options{125: join(vendor(9, []byte("x")), vendor(Enterprise, join(sub(1, "c.example"), sub(2, key))))}, keyed},
		{"125 over 43", dhcpv4.Options{43: sub(1, "a.example"), 125: vendor(Enterprise, sub(1, "b.example"))}, hosts("b.example")},
		{"125 of another", dhcpv4.Options{43: sub(1, "a.example"), 125: vendor(9, sub(1, "b.example"))}, hosts("a.example")},
		{"a key that is none voids the host", dhcpv4.Options{43: join(sub(1, "c.example"), sub(2, "short"))}, Conductor{}},
		{"two keys", dhcpv4.Options{43: join(sub(1, "c.example"), sub(2, key), sub(2, key))}, Conductor{}},
		{"a key alone", dhcpv4.Options{43: sub(2, key)}, Conductor{}},
		{"a host that is none", dhcpv4.Options{43: sub(1, "a b")}, Conductor{}},
		{"a host like a flag", dhcpv4.Options{43: sub(1, "-oProxyCommand")}, Conductor{}},
		{"cut", dhcpv4.Options{43: []byte{1, 9, 'a'}}, Conductor{}},
		{"125 cut", dhcpv4.Options{125: vendor(Enterprise, sub(1, "b.example"))[:8]}, Conductor{}},
	} {
		got := conductor(tt.opts)
		if len(got.Hosts) == 0 {
			got = Conductor{}
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %q %q, want %q", tt.name, got.Hosts, got.HostKey, tt.want.Hosts)
		}
	}
}

// What the filters of the packet socket let through. Their first instructions
// ask the kernel for a VLAN tag, which the machine here cannot.
func TestFilters(t *testing.T) {
	run := func(list []bpf.Instruction, frame []byte) bool {
		t.Helper()
		vm, err := bpf.NewVM(list)
		if err != nil {
			t.Fatal(err)
		}
		n, err := vm.Run(frame)
		return err == nil && n > 0
	}
	toUs := udpFrame(hisMAC, server1, make([]byte, 300))
	copy(toUs[frame.EtherLen+frame.IPLen:], []byte{0, 67, 0, 68})
	with := func(i int, v byte) []byte { b := bytes.Clone(toUs); b[i] = v; return b }
	options := append(bytes.Clone(toUs[:frame.EtherLen+frame.IPLen]), append(make([]byte, 4), toUs[frame.EtherLen+frame.IPLen:]...)...)
	options[frame.EtherLen] = 0x46
	for _, tt := range []struct {
		name       string
		frame      []byte
		wire, mine bool
	}{
		{"DHCP", toUs, true, false},
		{"DHCP behind IP options", options, true, false},
		{"to the server", udpFrame(ourMAC, server1, make([]byte, 300)), false, false},
		{"TCP", with(frame.EtherLen+9, 6), false, false},
		{"first fragment, for the parser to refuse", with(frame.EtherLen+6, 0x20), true, false},
		{"later fragment", with(frame.EtherLen+7, 3), false, false},
		{"IPv6", with(12, 0x86), false, false},
		{"claim of our address", frame.Announce(hisMAC, address), true, true},
		{"question for our address", frame.Ask(hisMAC, server1, address), true, false},
		{"probe", frame.Probe(hisMAC, address), true, false},
		{"short", toUs[:20], false, false},
	} {
		if got := run(frame.ToPort(clientPort), tt.frame); got != tt.wire {
			t.Errorf("%s: wire filter lets it pass: %t", tt.name, got)
		}
		if got := run(claimOf(address), tt.frame); got != tt.mine {
			t.Errorf("%s: claim filter lets it pass: %t", tt.name, got)
		}
	}
}
