package l2

import (
	"encoding/binary"
	"errors"
)

// ARP operations.
const (
	ARPRequest = 1
	ARPReply   = 2
)

// arpLen is the size of an ARP message for IPv4 over Ethernet.
const arpLen = 28

// ErrARP: not a well-formed ARP message for IPv4 over Ethernet.
var ErrARP = errors.New("ARP message malformed")

// ARP is an ARP message for IPv4 over Ethernet (RFC 826).
type ARP struct {
	Op                   uint16
	SenderMAC, TargetMAC MAC
	Sender, Target       [4]byte
}

// ParseARP reads the payload of an ARP frame; padding behind it is ignored.
func ParseARP(b []byte) (a ARP, err error) {
	if len(b) < arpLen || string(b[:6]) != "\x00\x01\x08\x00\x06\x04" {
		return a, ErrARP
	}
	a.Op = binary.BigEndian.Uint16(b[6:])
	copy(a.SenderMAC[:], b[8:])
	copy(a.Sender[:], b[14:])
	copy(a.TargetMAC[:], b[18:])
	copy(a.Target[:], b[24:])
	if a.Op != ARPRequest && a.Op != ARPReply || !unicast(a.SenderMAC) {
		return a, ErrARP
	}
	return a, nil
}

// AppendARP appends the message to b.
func AppendARP(b []byte, a ARP) []byte {
	b = append(b, 0, 1, 8, 0, 6, 4)
	b = binary.BigEndian.AppendUint16(b, a.Op)
	b = append(b, a.SenderMAC[:]...)
	b = append(b, a.Sender[:]...)
	b = append(b, a.TargetMAC[:]...)
	return append(b, a.Target[:]...)
}
