package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// summary is what a filter and a line look at. Zero fields: the frame has none.
type summary struct {
	kind     string // "ARP", "IPv4", "IPv6", "PPPoE", or "0x88cc"
	vlan     int    // outermost tag, -1 without
	src, dst netip.Addr
	proto    uint8
	ports    bool // sport and dport are there
	sport    uint16
	dport    uint16
	flags    uint8 // of TCP
	icmp     uint8 // type of ICMP
}

// Protocol numbers, of IANA.
const (
	protoICMP, protoTCP, protoUDP, protoICMP6 = 1, 6, 17, 58
)

// EtherTypes.
const (
	typeIPv4, typeARP, typeVLAN, typeQinQ, typeIPv6, typePPPoE = 0x0800, 0x0806, 0x8100, 0x88a8, 0x86dd, 0x8864
)

// look reads an Ethernet frame as far as it goes; what is cut stays unknown.
func look(f []byte) (s summary) {
	s.vlan = -1
	if len(f) < 14 {
		return s
	}
	kind, b := binary.BigEndian.Uint16(f[12:]), f[14:]
	for range 2 {
		if kind != typeVLAN && kind != typeQinQ || len(b) < 4 {
			break
		}
		if s.vlan < 0 {
			s.vlan = int(binary.BigEndian.Uint16(b) & 0xfff)
		}
		kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	if kind == typePPPoE && len(b) >= 8 { // RFC 2516 4, then PPP's protocol
		switch binary.BigEndian.Uint16(b[6:]) {
		case 0x0021:
			kind, b = typeIPv4, b[8:]
		case 0x0057:
			kind, b = typeIPv6, b[8:]
		}
	}
	switch kind {
	case typeARP:
		s.arp(b)
	case typeIPv4:
		s.ipv4(b)
	case typeIPv6:
		s.ipv6(b)
	case typePPPoE:
		s.kind = "PPPoE"
	default:
		s.kind = fmt.Sprintf("%#04x", kind)
	}
	return s
}

func (s *summary) arp(b []byte) {
	s.kind = "ARP"
	if len(b) >= 28 {
		s.src, s.dst = netip.AddrFrom4([4]byte(b[14:])), netip.AddrFrom4([4]byte(b[24:]))
	}
}

func (s *summary) ipv4(b []byte) {
	s.kind = "IPv4"
	if len(b) < 20 {
		return
	}
	s.src, s.dst, s.proto = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), b[9]
	head := int(b[0]&15) * 4
	if first := binary.BigEndian.Uint16(b[6:])&0x1fff == 0; first && head >= 20 && len(b) >= head {
		s.transport(b[head:])
	}
}

func (s *summary) ipv6(b []byte) {
	s.kind = "IPv6"
	if len(b) < 40 {
		return
	}
	s.src, s.dst, s.proto = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), b[6]
	s.transport(b[40:]) // behind extension headers nobody looks
}

func (s *summary) transport(b []byte) {
	switch {
	case (s.proto == protoTCP || s.proto == protoUDP) && len(b) >= 4:
		s.ports, s.sport, s.dport = true, binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		if s.proto == protoTCP && len(b) >= 14 {
			s.flags = b[13]
		}
	case (s.proto == protoICMP || s.proto == protoICMP6) && len(b) >= 1:
		s.icmp = b[0]
	}
}

// Line says in one line what a frame is.
func Line(f []byte) string {
	s := look(f)
	text := s.kind
	if s.vlan >= 0 {
		text += fmt.Sprintf(" vlan %d", s.vlan)
	}
	switch {
	case s.ports && s.src.IsValid():
		text += fmt.Sprintf(" %v > %v", netip.AddrPortFrom(s.src, s.sport), netip.AddrPortFrom(s.dst, s.dport))
	case s.src.IsValid():
		text += fmt.Sprintf(" %v > %v", s.src, s.dst)
	}
	switch s.proto {
	case protoTCP:
		text += " tcp" + flagNames(s.flags)
	case protoUDP:
		text += " udp"
	case protoICMP, protoICMP6:
		text += fmt.Sprintf(" icmp type %d", s.icmp)
	case 0:
	default:
		text += fmt.Sprintf(" protocol %d", s.proto)
	}
	return text
}

// flagNames are the flags of TCP that tell a connection's life.
func flagNames(f uint8) (text string) {
	for i, name := range []string{"fin", "syn", "rst", "psh", "ack"} {
		if f&(1<<i) != 0 && name != "psh" {
			text += " " + name
		}
	}
	return text
}
