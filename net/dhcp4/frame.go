package dhcp4

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

const (
	etherLen  = 14
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	ipLen     = 20
	udpLen    = 8
	protoUDP  = 17
)

var (
	broadcastMAC = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	errFrame     = errors.New("not a whole UDP packet to port 68")
)

// udpFrame wraps a DHCP payload into UDP, IPv4 and Ethernet, broadcast on both
// layers. src is 0.0.0.0 without an address.
func udpFrame(mac [6]byte, src netip.Addr, payload []byte) []byte {
	return frameTo(mac, broadcastMAC, src, netip.AddrFrom4([4]byte(broadcastMAC[:4])), payload)
}

// viaFrame is a datagram as a frame to the station that leads to its server; to
// all stations when that is unknown.
func viaFrame(mac [6]byte, d Datagram) []byte {
	to := [6]byte(d.Via)
	if d.Via == (MAC{}) {
		to = broadcastMAC
	}
	return frameTo(mac, to, d.From, d.To, d.Payload)
}

// tagged puts an 802.1Q tag into a frame, a copy; tag 0 is none.
func tagged(frame []byte, vlan uint16) []byte {
	if vlan == 0 {
		return frame
	}
	b := append(make([]byte, 0, len(frame)+4), frame[:12]...)
	b = binary.BigEndian.AppendUint16(append(b, 0x81, 0x00), vlan)
	return append(b, frame[12:]...)
}

func frameTo(mac, to [6]byte, src, dst netip.Addr, payload []byte) []byte {
	b := ether(mac, to, etherIPv4, ipLen+udpLen+len(payload))
	ip := b[etherLen:]
	ip[0], ip[8], ip[9] = 0x45, 64, protoUDP
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	if src.IsValid() {
		copy(ip[12:], src.AsSlice())
	}
	copy(ip[16:], dst.AsSlice())
	binary.BigEndian.PutUint16(ip[10:], ^sum(0, ip[:ipLen]))
	udp := ip[ipLen:]
	binary.BigEndian.PutUint16(udp, clientPort)
	binary.BigEndian.PutUint16(udp[2:], serverPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	copy(udp[udpLen:], payload)
	check := ^sum(uint32(pseudo(ip)), udp)
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], check)
	return b
}

// ether makes a frame with room for so many bytes behind its header.
func ether(from, to [6]byte, typ uint16, n int) []byte {
	b := make([]byte, etherLen+n)
	copy(b, to[:])
	copy(b[6:], from[:])
	binary.BigEndian.PutUint16(b[12:], typ)
	return b
}

// sum is the one's complement sum of RFC 1071, not complemented.
func sum(s uint32, b []byte) uint16 {
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

// pseudo is the sum of the pseudo header of a UDP packet.
func pseudo(ip []byte) uint16 {
	n := binary.BigEndian.Uint16(ip[2:]) - uint16(ip[0]&15)*4
	return sum(protoUDP+uint32(n), ip[12:20])
}

// udpPayload returns what a frame carries to UDP port 68, in place.
func udpPayload(frame []byte) ([]byte, error) {
	ip := frame[min(etherLen, len(frame)):]
	if len(ip) < ipLen || ip[0]>>4 != 4 || ip[9] != protoUDP {
		return nil, errFrame
	}
	head, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	fragment := binary.BigEndian.Uint16(ip[6:])&0x3fff != 0
	if head < ipLen || total < head+udpLen || total > len(ip) || fragment || sum(0, ip[:head]) != 0xffff {
		return nil, errFrame
	}
	udp := ip[head:total]
	n := int(binary.BigEndian.Uint16(udp[4:]))
	if binary.BigEndian.Uint16(udp[2:]) != clientPort || n < udpLen || n > len(udp) {
		return nil, errFrame
	}
	if !checked(ip, udp[:n]) {
		return nil, errFrame
	}
	return udp[udpLen:n], nil
}

// checked verifies the UDP checksum. A packet of the same machine (veth, a
// virtual machine's port) may carry only the sum of its pseudo header, which
// hardware would have completed.
func checked(ip, udp []byte) bool {
	check := binary.BigEndian.Uint16(udp[6:])
	head := sum(protoUDP+uint32(len(udp)), ip[12:20])
	return check == 0 || check == head || sum(uint32(head), udp) == 0xffff
}
