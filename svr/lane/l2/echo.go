package l2

import "encoding/binary"

const (
	ip4Len     = 20
	protoICMP  = 1
	echo4      = 8
	echo4Reply = 0
	echo6      = 128
	echo6Reply = 129
	replyTTL   = 64
)

// IsEcho tells whether an IP packet looks like an echo request that is not a
// fragment.
func IsEcho(b []byte) bool {
	if len(b) < ip4Len+8 {
		return false
	}
	if b[0]>>4 == 6 {
		return len(b) >= ip6Len+8 && b[6] == protoICMPv6 && b[ip6Len] == echo6
	}
	h := int(b[0]&15) * 4
	return b[9] == protoICMP && b[6]&0x3f == 0 && b[7] == 0 && h >= ip4Len && len(b) >= h+8 && b[h] == echo4
}

// AppendEchoReply appends the answer to an echo request, a whole IP packet. ok
// is false if the request is malformed, its checksum wrong, its source not one
// station, or it asks for more than 1,500 bytes.
func AppendEchoReply(b, request []byte) (reply []byte, ok bool) {
	if !IsEcho(request) {
		return b, false
	}
	if request[0]>>4 == 6 {
		return appendEcho6(b, request)
	}
	return appendEcho4(b, request)
}

func appendEcho4(b, r []byte) ([]byte, bool) {
	n := int(binary.BigEndian.Uint16(r[2:]))
	h := int(r[0]&15) * 4
	if r[0]>>4 != 4 || n > len(r) || n < h+8 || n-h > 1480 || r[12] == 0 || r[12] >= 224 ||
		fold(add(0, r[:h])) != 0xffff || fold(add(0, r[h:n])) != 0xffff {
		return b, false
	}
	at := len(b)
	b = append(b, 0x45, r[1], 0, 0, r[4], r[5], 0, 0, replyTTL, protoICMP, 0, 0)
	b = append(b, r[16:20]...)
	b = append(b, r[12:16]...)
	b = append(b, r[h:n]...) // without the request's options
	ip, icmp := b[at:at+ip4Len], b[at+ip4Len:]
	binary.BigEndian.PutUint16(ip[2:], uint16(len(b)-at))
	binary.BigEndian.PutUint16(ip[10:], ^fold(add(0, ip)))
	icmp[0], icmp[2], icmp[3] = echo4Reply, 0, 0
	binary.BigEndian.PutUint16(icmp[2:], ^fold(add(0, icmp)))
	return b, true
}

func appendEcho6(b, r []byte) ([]byte, bool) {
	end := ip6Len + int(binary.BigEndian.Uint16(r[4:]))
	src, dst := [16]byte(r[8:24]), [16]byte(r[24:40])
	if end > len(r) || end < ip6Len+8 || end > 1500 || src[0] == 0xff || src == [16]byte{} ||
		sum6(src, dst, r[ip6Len:end]) != 0xffff {
		return b, false
	}
	at := len(b)
	b = append(b, r[0], r[1]&0xf0, 0, 0, r[4], r[5], protoICMPv6, replyTTL)
	b = append(b, dst[:]...)
	b = append(b, src[:]...)
	b = append(b, r[ip6Len:end]...)
	m := b[at+ip6Len:]
	m[0], m[2], m[3] = echo6Reply, 0, 0
	binary.BigEndian.PutUint16(m[2:], ^sum6(dst, src, m))
	return b, true
}
