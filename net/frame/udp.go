package frame

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Sizes of headers in bytes, EtherTypes and the protocol number of UDP.
const (
	EtherLen = 14
	TypeIPv4 = 0x0800
	TypeARP  = 0x0806
	IPLen    = 20
	UDPLen   = 8
	ProtoUDP = 17
)

// ErrUDP: a frame carries no whole UDP packet to the port.
var ErrUDP = errors.New("not a whole UDP packet to the port")

// UDP wraps a payload into UDP, IPv4 and Ethernet. An invalid source address is
// 0.0.0.0.
func UDP(from, to MAC, src, dst netip.AddrPort, payload []byte) []byte {
	b := ether(from, to, TypeIPv4, IPLen+UDPLen+len(payload))
	ip := b[EtherLen:]
	ip[0], ip[8], ip[9] = 0x45, 64, ProtoUDP
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	if src.Addr().IsValid() {
		copy(ip[12:], src.Addr().AsSlice())
	}
	copy(ip[16:], dst.Addr().AsSlice())
	binary.BigEndian.PutUint16(ip[10:], ^Sum(0, ip[:IPLen]))
	udp := ip[IPLen:]
	binary.BigEndian.PutUint16(udp, src.Port())
	binary.BigEndian.PutUint16(udp[2:], dst.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	copy(udp[UDPLen:], payload)
	check := ^Sum(uint32(PseudoSum(ip)), udp)
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], check)
	return b
}

// ether makes a frame with room for so many bytes behind its header.
func ether(from, to MAC, typ uint16, n int) []byte {
	b := make([]byte, EtherLen+n)
	copy(b, to[:])
	copy(b[6:], from[:])
	binary.BigEndian.PutUint16(b[12:], typ)
	return b
}

// Tagged puts an 802.1Q tag into a copy of a frame; tag 0 is none.
func Tagged(frame []byte, vlan uint16) []byte {
	if vlan == 0 {
		return frame
	}
	b := append(make([]byte, 0, len(frame)+4), frame[:12]...)
	b = binary.BigEndian.AppendUint16(append(b, 0x81, 0x00), vlan)
	return append(b, frame[12:]...)
}

// Sum is the one's complement sum of RFC 1071, not complemented.
func Sum(s uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

// PseudoSum is the sum of the pseudo header of a UDP packet in IPv4.
func PseudoSum(ip []byte) uint16 {
	n := binary.BigEndian.Uint16(ip[2:]) - uint16(ip[0]&15)*4
	return Sum(ProtoUDP+uint32(n), ip[12:20])
}

// Datagram is what a frame carries.
type Datagram struct {
	From     MAC // station that sent the frame
	Src, Dst netip.AddrPort
	Payload  []byte // in place
}

// ReadUDP returns what a frame carries to a UDP port. The EtherType was looked
// at before.
func ReadUDP(frame []byte, port uint16) (d Datagram, err error) {
	ip := frame[min(EtherLen, len(frame)):]
	if len(ip) < IPLen || ip[0]>>4 != 4 || ip[9] != ProtoUDP {
		return d, ErrUDP
	}
	head, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	fragment := binary.BigEndian.Uint16(ip[6:])&0x3fff != 0
	if head < IPLen || total < head+UDPLen || total > len(ip) || fragment || Sum(0, ip[:head]) != 0xffff {
		return d, ErrUDP
	}
	udp := ip[head:total]
	n := int(binary.BigEndian.Uint16(udp[4:]))
	if binary.BigEndian.Uint16(udp[2:]) != port || n < UDPLen || n > len(udp) || !checked(ip, udp[:n]) {
		return d, ErrUDP
	}
	d.From = MAC(frame[6:12])
	d.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:16])), binary.BigEndian.Uint16(udp))
	d.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:20])), port)
	d.Payload = udp[UDPLen:n]
	return d, nil
}

// checked verifies the UDP checksum. A packet of the same machine (veth, a
// virtual machine's port) may carry only the sum of its pseudo header, which
// hardware would have completed.
func checked(ip, udp []byte) bool {
	check := binary.BigEndian.Uint16(udp[6:])
	head := Sum(ProtoUDP+uint32(len(udp)), ip[12:20])
	return check == 0 || check == head || Sum(uint32(head), udp) == 0xffff
}
